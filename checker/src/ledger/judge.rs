//! Compares what clients were told with what the lists finally held.

use super::lists::{Append, AppendOutcome, List, Read};
use super::{Judgement, LedgerFigures, LostAppend, NAMED};
use crate::Key;
use crate::history::Event;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An acknowledgement in the life of a ledger.
struct Acknowledgement<'a> {
    by: &'a Event,
    key: &'a Key,
    value: i64,
    lost: bool,
}

/// The life of one ledger, over all its lists that were finally read.
#[derive(Default)]
struct Life<'a> {
    /// When its first append was invoked.
    began: Option<u64>,
    acknowledgements: Vec<Acknowledgement<'a>>,
}

/// Cases of each kind of violation, in words.
#[derive(Default)]
struct Cases {
    duplicated: Vec<String>,
    out_of_order: Vec<String>,
    phantom: Vec<String>,
    failed_survived: Vec<String>,
    stale: Vec<String>,
    contradicted: Vec<String>,
}

pub fn judge(lists: &BTreeMap<&Key, List<'_>>, group: fn(&Key) -> Key) -> Judgement {
    let mut figures = LedgerFigures::default();
    let mut cases = Cases::default();
    let mut lives: BTreeMap<Key, Life<'_>> = BTreeMap::new();
    let mut unread = None;
    for (key, list) in lists {
        figures.lists += 1;
        let life = lives.entry(group(key)).or_default();
        count_outcomes(list, &mut figures);
        // Without a final read, the longest read is what the others are compared with.
        let last = list.final_read();
        if let Some(last) = last {
            judge_final(key, list, last, &mut figures, &mut cases);
            live(life, key, list, last);
        } else if !list.appends.is_empty() {
            figures.unread_lists += 1;
            unread.get_or_insert(*key);
        }
        let longest = || list.reads.iter().max_by_key(|read| read.items.len());
        if let Some(reference) = last.or_else(longest) {
            judge_reads(key, list, reference, &mut figures, &mut cases);
        }
    }
    figures.ledgers = lives.len() as u64;
    let lost = judge_lives(lives, &mut figures);
    let violations = violations(&figures, &lost, &cases);
    let unknown = match unread {
        Some(key) => Some(format!(
            "{} of {} lists were never read after the last append, so nothing can be said of them; the first: key {key}",
            figures.unread_lists, figures.lists
        )),
        None if figures.acknowledged == 0 => Some("no append was acknowledged".to_owned()),
        None => None,
    };
    Judgement {
        figures,
        violations,
        lost,
        unknown,
    }
}

fn count_outcomes(list: &List<'_>, figures: &mut LedgerFigures) {
    for append in list.appends.values() {
        match append.outcome {
            AppendOutcome::Acknowledged { .. } => figures.acknowledged += 1,
            AppendOutcome::Unknown => figures.unacknowledged += 1,
            AppendOutcome::Failed => {}
        }
    }
}

/// Each number of the final read: was it appended, not declared failed, once, in order?
fn judge_final(
    key: &Key,
    list: &List<'_>,
    last: &Read<'_>,
    figures: &mut LedgerFigures,
    cases: &mut Cases,
) {
    let mut seen = HashSet::with_capacity(last.items.len());
    // Of what stands before, the append that was invoked last.
    let mut latest: Option<&Append<'_>> = None;
    for value in last.items {
        if !seen.insert(*value) {
            figures.duplicated += 1;
            name(&mut cases.duplicated, || format!("{value} in key {key}"));
            continue;
        }
        let Some(append) = list
            .appends
            .get(value)
            .filter(|append| append.invoked_at < last.completed_at)
        else {
            figures.phantom += 1;
            name(&mut cases.phantom, || {
                format!(
                    "{value} in key {key}, read by process {} at {}",
                    last.event.process,
                    at(last.event)
                )
            });
            continue;
        };
        match append.outcome {
            AppendOutcome::Failed => {
                figures.failed_survived += 1;
                name(&mut cases.failed_survived, || {
                    format!("{value} in key {key}, {}", whose(append))
                });
            }
            AppendOutcome::Unknown => figures.unacknowledged_survived += 1,
            AppendOutcome::Acknowledged {
                at: acknowledged_at,
                ..
            } => {
                if let Some(before) = latest.filter(|before| before.invoked_at > acknowledged_at) {
                    figures.out_of_order += 1;
                    name(&mut cases.out_of_order, || {
                        format!(
                            "{value} in key {key} stands after {}, which was invoked only at {} when {value} was already acknowledged",
                            before.value,
                            at(before.invocation)
                        )
                    });
                }
            }
        }
        if latest.is_none_or(|latest| latest.invoked_at < append.invoked_at) {
            latest = Some(append);
        }
    }
}

fn live<'a>(life: &mut Life<'a>, key: &'a Key, list: &List<'a>, last: &Read<'_>) {
    let survived: HashSet<i64> = last.items.iter().copied().collect();
    for append in list.appends.values() {
        let invoked = append.invocation.time;
        life.began = Some(life.began.map_or(invoked, |began| began.min(invoked)));
        if let Some((_, by)) = append.acknowledged() {
            life.acknowledgements.push(Acknowledgement {
                by,
                key,
                value: append.value,
                lost: !survived.contains(&append.value),
            });
        }
    }
}

/// Counts what was lost, and how much time the longest loss of one ledger spans.
fn judge_lives(lives: BTreeMap<Key, Life<'_>>, figures: &mut LedgerFigures) -> Vec<LostAppend> {
    let mut lost = Vec::new();
    for mut life in lives.into_values() {
        life.acknowledgements
            .sort_by_key(|ack| (ack.by.time, ack.by.index));
        let mut safe_until = life.began.unwrap_or_default();
        for ack in &life.acknowledgements {
            if ack.lost {
                let seconds = ack.by.time.saturating_sub(safe_until) as f64 / 1e9;
                figures.lost_seconds = figures.lost_seconds.max(seconds);
                figures.lost += 1;
                lost.push(LostAppend {
                    process: ack.by.process.0,
                    key: ack.key.clone(),
                    value: ack.value,
                    acknowledged_ms: ms(ack.by),
                    index: ack.by.index,
                });
            } else {
                safe_until = ack.by.time;
            }
        }
    }
    lost.sort_by_key(|append| append.index);
    if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
        figures.lost_span_seconds = (last.acknowledged_ms - first.acknowledged_ms).max(0.0) / 1e3;
    }
    lost.truncate(NAMED);
    lost
}

/// Each read against what the list finally held, and against what its client could already know.
fn judge_reads(
    key: &Key,
    list: &List<'_>,
    reference: &Read<'_>,
    figures: &mut LedgerFigures,
    cases: &mut Cases,
) {
    let place: HashMap<i64, usize> = reference
        .items
        .iter()
        .enumerate()
        .map(|(i, v)| (*v, i))
        .collect();
    // Acknowledged appends that survive, in the order of acknowledgement.
    let mut acknowledged: Vec<(usize, usize, &Append<'_>)> = list
        .appends
        .values()
        .filter_map(|append| Some((append.acknowledged()?.0, *place.get(&append.value)?, append)))
        .collect();
    acknowledged.sort_by_key(|(at, ..)| *at);
    let mut acknowledged = acknowledged.into_iter().peekable();
    let mut must_hold: Option<(usize, &Append<'_>)> = None;
    let kept = |read: &Read<'_>| {
        let pairs = read.items.iter().zip(reference.items);
        pairs.take_while(|(a, b)| a == b).count()
    };
    // Reads by completion, to know the longest that ended before another began. Those that saw what was
    // not kept are blamed for that, not the reads after them.
    let mut ended: Vec<&Read<'_>> = list
        .reads
        .iter()
        .filter(|read| kept(read) == read.items.len())
        .collect();
    ended.sort_by_key(|read| read.completed_at);
    let mut ended = ended.into_iter().peekable();
    let mut longest_before: Option<&Read<'_>> = None;
    for read in &list.reads {
        while let Some((_, place, append)) = acknowledged.next_if(|(at, ..)| *at < read.invoked_at)
        {
            if must_hold.is_none_or(|(furthest, _)| place > furthest) {
                must_hold = Some((place, append));
            }
        }
        while let Some(before) = ended.next_if(|before| before.completed_at < read.invoked_at) {
            if longest_before.is_none_or(|longest| before.items.len() > longest.items.len()) {
                longest_before = Some(before);
            }
        }
        let who = || {
            format!(
                "process {} at {} (index {})",
                read.event.process,
                at(read.event),
                read.event.index
            )
        };
        let same = kept(read);
        if same < read.items.len() {
            figures.contradicted_reads += 1;
            name(&mut cases.contradicted, || {
                match reference.items.get(same) {
                    Some(instead) => format!(
                        "{} read {} in place {} of key {key}, where {instead} stands at the end",
                        who(),
                        read.items[same],
                        same + 1
                    ),
                    None => format!(
                        "{} read {} in key {key}, which is gone at the end",
                        who(),
                        read.items[same]
                    ),
                }
            });
        } else if let Some((place, append)) =
            must_hold.filter(|(place, _)| *place >= read.items.len())
        {
            figures.stale_reads += 1;
            name(&mut cases.stale, || {
                let missing = place + 1 - read.items.len();
                format!(
                    "{} read key {key} without {} ({missing} short), {}",
                    who(),
                    append.value,
                    whose(append)
                )
            });
        } else if let Some(before) =
            longest_before.filter(|before| before.items.len() > read.items.len())
        {
            figures.stale_reads += 1;
            name(&mut cases.stale, || {
                format!(
                    "{} read {} numbers in key {key} after process {} had read {} at {}",
                    who(),
                    read.items.len(),
                    before.event.process,
                    before.items.len(),
                    at(before.event)
                )
            });
        } else if !read.is_final
            && let Some(value) = read.items.iter().find(|value| {
                let append = list.appends.get(value);
                append.is_none_or(|append| append.invoked_at > read.completed_at)
            })
        {
            figures.phantom += 1;
            name(&mut cases.phantom, || {
                format!(
                    "{value} in key {key}, read by {} before anybody appended it",
                    who()
                )
            });
        }
    }
}

fn violations(figures: &LedgerFigures, lost: &[LostAppend], cases: &Cases) -> Vec<String> {
    let mut violations = Vec::new();
    if let Some(first) = lost.first() {
        violations.push(format!(
            "{} acknowledged {} missing from the final reads ({:.3} s of work); the first: process {} appended {} to key {}, acknowledged at {:.1} ms (index {})",
            figures.lost,
            if figures.lost == 1 { "append is" } else { "appends are" },
            figures.lost_seconds,
            first.process,
            first.value,
            first.key,
            first.acknowledged_ms,
            first.index,
        ));
    }
    let kinds = [
        (
            figures.failed_survived,
            "appends declared failed are there",
            &cases.failed_survived,
        ),
        (
            figures.phantom,
            "numbers are there that nobody had appended",
            &cases.phantom,
        ),
        (
            figures.duplicated,
            "numbers are there more than once",
            &cases.duplicated,
        ),
        (
            figures.out_of_order,
            "appends are out of order",
            &cases.out_of_order,
        ),
        (
            figures.contradicted_reads,
            "reads saw what the list did not keep",
            &cases.contradicted,
        ),
        (figures.stale_reads, "reads were stale", &cases.stale),
    ];
    for (count, what, cases) in kinds {
        if count > 0 {
            violations.push(format!("{what} ({count}): {}", cases.join("; ")));
        }
    }
    violations
}

fn name(cases: &mut Vec<String>, case: impl FnOnce() -> String) {
    if cases.len() < NAMED {
        cases.push(case());
    }
}

fn whose(append: &Append<'_>) -> String {
    let (what, event) = match append.outcome {
        AppendOutcome::Acknowledged { by, .. } => ("acknowledged to", by),
        AppendOutcome::Failed => ("declared failed to", append.invocation),
        AppendOutcome::Unknown => ("invoked by", append.invocation),
    };
    format!(
        "{what} process {} at {} (index {})",
        event.process,
        at(event),
        event.index
    )
}

fn at(event: &Event) -> String {
    format!("{:.1} ms", ms(event))
}

fn ms(event: &Event) -> f64 {
    event.time as f64 / 1e6
}
