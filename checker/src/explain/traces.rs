//! Which operations can only be left out together, so that what is left is wrong for a reason of the
//! whole history.
//!
//! Leave out a write and keep a read of it, and the rest is wrong in a new and trivial way: "nobody wrote
//! 5". So an operation *requires* others. Let an order of all operations be legal, and leave out some of
//! them so that nobody who stays requires one who goes: then what is left of the order is legal too. A
//! part that has no legal order therefore shows that the whole has none. The requirements that make it so:
//!
//! - a read (and a cas) requires everyone who may have written what it saw: those who began before it
//!   ended, except who was certainly overwritten before it began. Where all were overwritten it requires
//!   one of them, so that the reader sees where the value came from;
//! - a read of a list or a set requires who added its elements; one of a text, who wrote its pieces; one
//!   of a counter, all who added to it before it ended;
//! - an element of a queue, stack or set stays with those who took it out, a lock with who gave it back;
//!   one who may have taken anything stays with all elements.

use super::trace::{Texts, Trace, Who, counters, leave, meet};
use crate::history::Operation;
use crate::{Key, Mop, Op};
use std::collections::HashMap;

/// Requirements that are looked for and kept; with more, parts may be wrong for reasons of their own.
const WORK_MAX: usize = 30_000_000;
/// Of those who were all overwritten, so many are looked at, the last ones.
const SOURCES_MAX: usize = 16;

/// For each operation of a history, the others that it requires.
#[derive(Debug, Default)]
pub struct Traces {
    all: Vec<Vec<u32>>,
    /// Of each group at least one.
    one: Vec<Vec<Vec<u32>>>,
}

impl Traces {
    pub fn of(operations: &[Operation<'_>]) -> Self {
        let texts = Texts::of(operations);
        let counters = counters(operations);
        let mut left: HashMap<Trace<'_>, Vec<u32>> = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            leave(operation, &counters, &mut |trace| {
                left.entry(trace).or_default().push(at as u32);
            });
        }
        let overwritten = Overwritten::of(operations);
        let mut traces = Self::default();
        let mut work = WORK_MAX;
        for (at, operation) in operations.iter().enumerate() {
            let (mut all, mut one) = (Vec::new(), Vec::new());
            meet(operation, &counters, &texts, &mut |trace, who| {
                let Some(by) = left.get(&trace).filter(|_| work > 0) else {
                    // What nobody left requires nobody.
                    return;
                };
                let met = Met {
                    operations,
                    at,
                    trace,
                    by,
                    since: overwritten.since(operation, &trace),
                };
                met.require(who, &mut all, &mut one, &mut work);
            });
            all.sort_unstable();
            all.dedup();
            traces.all.push(all);
            traces.one.push(one);
        }
        traces
    }

    /// Takes out of `kept` whoever requires somebody who is not in it, again and again.
    pub fn close(&self, kept: &mut [bool]) {
        loop {
            let mut changed = false;
            for at in 0..self.all.len() {
                if kept[at] && !self.is_met(at, kept) {
                    kept[at] = false;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Adds to `kept` whom they require, and whom these require.
    pub fn open(&self, kept: &mut [bool]) {
        let mut todo: Vec<usize> = (0..kept.len()).filter(|at| kept[*at]).collect();
        while let Some(at) = todo.pop() {
            let groups = self.one[at].iter();
            let lasts = groups
                .filter(|group| !group.iter().any(|other| kept[*other as usize]))
                .filter_map(|group| group.last());
            let wanted: Vec<u32> = self.all[at].iter().chain(lasts).copied().collect();
            for other in wanted {
                if !std::mem::replace(&mut kept[other as usize], true) {
                    todo.push(other as usize);
                }
            }
        }
    }

    fn is_met(&self, at: usize, kept: &[bool]) -> bool {
        let is_kept = |other: &u32| kept[*other as usize];
        self.all[at].iter().all(is_kept)
            && self.one[at].iter().all(|group| group.iter().any(is_kept))
    }
}

/// An operation that meets a trace.
struct Met<'o, 'a> {
    operations: &'o [Operation<'a>],
    at: usize,
    trace: Trace<'a>,
    /// Who left it, in the order of their invocations.
    by: &'o [u32],
    /// Who had ended before this was certainly overwritten.
    since: usize,
}

impl Met<'_, '_> {
    fn require(&self, who: Who, all: &mut Vec<u32>, one: &mut Vec<Vec<u32>>, work: &mut usize) {
        *work = work.saturating_sub(self.by.len());
        let own = &self.operations[self.at];
        let happened = |other: &&u32| self.operations[**other as usize].failure().is_none();
        let others = || self.by.iter().filter(|other| **other as usize != self.at);
        match who {
            Who::All => all.extend(others().filter(happened)),
            Who::Last => {
                let before =
                    |other: &&u32| self.operations[**other as usize].invoked_at < own.invoked_at;
                all.extend(others().filter(before).rfind(|other| happened(other)));
            }
            Who::Next => {
                let after =
                    |other: &&u32| self.operations[**other as usize].invoked_at > own.invoked_at;
                all.extend(others().filter(after).find(|other| happened(other)));
            }
            Who::Possible => {
                let end = own.completed_at.unwrap_or(usize::MAX);
                let in_time = |other: &&u32| self.operations[**other as usize].invoked_at < end;
                let mut sources: Vec<u32> =
                    others().filter(in_time).filter(happened).copied().collect();
                if sources.is_empty() {
                    // One who failed is the next best answer to where it came from.
                    sources = others().filter(in_time).copied().collect();
                    one.extend((!sources.is_empty()).then_some(sources));
                    return;
                }
                let possible: Vec<u32> = sources
                    .iter()
                    .filter(|other| self.may_be_seen(&self.operations[**other as usize]))
                    .copied()
                    .collect();
                if possible.is_empty() {
                    sources.drain(..sources.len().saturating_sub(SOURCES_MAX));
                    one.push(sources);
                } else {
                    all.extend(possible);
                }
            }
        }
    }

    /// Whether what `source` left was not certainly overwritten before this operation began.
    fn may_be_seen(&self, source: &Operation<'_>) -> bool {
        match self.trace {
            Trace::Value(..) => {
                let end = source.completed_at.filter(|_| source.is_ok());
                end.is_none_or(|end| end >= self.since)
            }
            _ => true,
        }
    }
}

/// When registers were certainly written.
struct Overwritten<'a>(HashMap<&'a Key, Writes>);

/// Certain writes of one register, by their ends: each with the latest beginning so far.
type Writes = Vec<(usize, usize)>;

impl<'a> Overwritten<'a> {
    fn of(operations: &[Operation<'a>]) -> Self {
        let mut writes: HashMap<&Key, Writes> = HashMap::new();
        for operation in operations.iter().filter(|operation| operation.is_ok()) {
            let Some(end) = operation.completed_at else {
                continue;
            };
            let mut wrote = |key: &'a Key| {
                let of_key = writes.entry(key).or_default();
                of_key.push((end, operation.invoked_at));
            };
            match operation.op() {
                Op::Write { key, .. } | Op::Cas { key, .. } | Op::Delete { key } => wrote(key),
                Op::Txn { ops } => {
                    for op in &**ops {
                        if let Mop::Write { key, .. } = op {
                            wrote(key);
                        }
                    }
                }
                _ => {}
            }
        }
        for of_key in writes.values_mut() {
            of_key.sort_unstable();
            let mut latest = 0;
            for (_, begin) in of_key {
                latest = latest.max(*begin);
                *begin = latest;
            }
        }
        Self(writes)
    }

    /// The latest beginning of a write that had ended when the operation began: who had ended before
    /// that is overwritten.
    fn since(&self, operation: &Operation<'_>, trace: &Trace<'_>) -> usize {
        let Trace::Value(key, _) = trace else {
            return 0;
        };
        let Some(writes) = self.0.get(key) else {
            return 0;
        };
        let before = writes.partition_point(|(end, _)| *end < operation.invoked_at);
        match before {
            0 => 0,
            n => writes[n - 1].1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, History, Phase, ProcessId, Reason, Ret, Value};

    /// Operations one after the other; those with a phase `info` stay open.
    fn history(operations: &[(u64, Op, Phase)]) -> History {
        let mut history = History::default();
        for (process, op, phase) in operations {
            for phase in [Phase::Invoke, phase.clone()] {
                let index = history.events.len() as u64;
                history.events.push(Event {
                    index,
                    time: index,
                    process: ProcessId(*process),
                    phase,
                    op: op.clone(),
                });
            }
        }
        history
    }

    /// Who stays when one goes.
    fn without(history: &History, gone: usize) -> Vec<usize> {
        let operations = history.operations().unwrap();
        let mut kept = vec![true; operations.len()];
        kept[gone] = false;
        Traces::of(&operations).close(&mut kept);
        (0..kept.len()).filter(|at| kept[*at]).collect()
    }

    fn key() -> Key {
        Key::Int(1)
    }

    fn write(value: i64) -> Op {
        let (key, value) = (key(), value.into());
        Op::Write { key, value }
    }

    fn read() -> Op {
        Op::Read { key: key() }
    }

    fn saw(value: i64) -> Phase {
        Phase::Ok(Ret::Value(value.into()))
    }

    const DONE: Phase = Phase::Ok(Ret::Done);

    fn unknown() -> Phase {
        Phase::Info(Reason::new("timeout"))
    }

    #[test]
    fn a_read_goes_with_the_write_that_it_saw_and_with_no_other() {
        let history = history(&[
            (0, write(1), DONE),
            (1, write(2), DONE),
            (2, read(), saw(2)),
        ]);
        assert_eq!(without(&history, 0), [1, 2]);
        assert_eq!(without(&history, 1), [0]);
    }

    #[test]
    fn of_equal_writes_a_read_keeps_every_one_that_it_may_have_seen() {
        // The first is overwritten when the last reads begin; the one of unknown outcome never is.
        let history = history(&[
            (0, write(1), DONE),
            (1, write(1), unknown()),
            (2, write(2), DONE),
            (3, write(1), DONE),
            (4, read(), saw(1)),
        ]);
        assert_eq!(without(&history, 0), [1, 2, 3, 4]);
        assert_eq!(without(&history, 1), [0, 2, 3]);
        assert_eq!(without(&history, 3), [0, 1, 2]);
    }

    #[test]
    fn a_stale_read_keeps_one_of_the_overwritten_writes() {
        let stale = history(&[
            (0, write(1), DONE),
            (1, write(1), DONE),
            (2, write(2), DONE),
            (3, read(), saw(1)),
        ]);
        assert_eq!(without(&stale, 0), [1, 2, 3]);
        let operations = stale.operations().unwrap();
        let mut kept = vec![false, false, true, true];
        Traces::of(&operations).close(&mut kept);
        assert_eq!(kept, [false, false, true, false]);
        Traces::of(&operations).open(&mut kept);
        assert_eq!(kept, [false, false, true, false]);
        let mut only_the_read = vec![false, false, false, true];
        Traces::of(&operations).open(&mut only_the_read);
        assert_eq!(only_the_read, [false, true, false, true]);
    }

    #[test]
    fn a_cas_does_not_explain_what_it_found() {
        let cas = Op::Cas {
            key: key(),
            from: 1.into(),
            to: 1.into(),
        };
        let history = history(&[(0, write(1), DONE), (1, cas, DONE)]);
        assert_eq!(without(&history, 0), [0usize; 0]);
    }

    #[test]
    fn what_nobody_wrote_requires_nobody_and_what_was_refused_requires_the_refusal() {
        let refused = Phase::Fail(Reason::new("refused"));
        let history = history(&[
            (0, write(3), DONE),
            (1, read(), saw(9)),
            (2, write(4), refused),
            (3, read(), saw(4)),
        ]);
        assert_eq!(without(&history, 0), [1, 2, 3]);
        assert_eq!(without(&history, 2), [0, 1]);
    }

    #[test]
    fn a_lock_is_taken_and_given_back_together() {
        let acquire = || Op::Acquire {
            key: key(),
            owner: Value::Nil,
        };
        let release = || Op::Release {
            key: key(),
            owner: Value::Nil,
        };
        let history = history(&[
            (0, acquire(), DONE),
            (0, release(), DONE),
            (1, acquire(), DONE),
            (0, acquire(), DONE),
        ]);
        assert_eq!(without(&history, 1), [2, 3]);
        assert_eq!(without(&history, 0), [2, 3]);
        assert_eq!(without(&history, 2), [0, 1, 3]);
    }

    #[test]
    fn an_element_of_a_queue_stays_with_who_took_it_and_who_may_have() {
        let enqueue = |value: i64| Op::Enqueue {
            key: key(),
            value: value.into(),
        };
        let dequeue = || Op::Dequeue { key: key() };
        let certain = history(&[
            (0, enqueue(1), DONE),
            (0, enqueue(2), DONE),
            (1, dequeue(), saw(1)),
            (1, dequeue(), saw(2)),
        ]);
        assert_eq!(without(&certain, 2), [1, 3]);
        assert_eq!(without(&certain, 1), [0, 2]);
        let crashed = history(&[
            (0, enqueue(1), DONE),
            (1, dequeue(), unknown()),
            (2, dequeue(), saw(1)),
        ]);
        assert_eq!(without(&crashed, 1), [0usize; 0]);
    }

    #[test]
    fn a_counter_is_read_with_all_that_was_added() {
        let add = || Op::Add {
            key: key(),
            value: 1,
        };
        let history = history(&[
            (0, add(), DONE),
            (1, add(), DONE),
            (2, read(), saw(1)),
            (3, add(), DONE),
        ]);
        assert_eq!(without(&history, 0), [1, 3]);
        assert_eq!(without(&history, 3), [0, 1, 2]);
    }

    #[test]
    fn a_text_is_read_with_its_pieces() {
        let concat = |suffix: &str| Op::Concat {
            key: key(),
            suffix: suffix.into(),
        };
        let whole = Op::Write {
            key: key(),
            value: "a".into(),
        };
        let read_text = Phase::Ok(Ret::Value("ab".into()));
        let history = history(&[
            (0, whole, DONE),
            (0, concat("b"), DONE),
            (1, read(), read_text),
            (2, concat("c"), DONE),
        ]);
        assert_eq!(without(&history, 0), [1, 3]);
        assert_eq!(without(&history, 1), [0, 3]);
        assert_eq!(without(&history, 3), [0, 1, 2]);
    }
}
