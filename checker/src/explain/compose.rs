//! Puts an explanation together from its parts.

use super::explanation::{Anomaly, Core, Explanation, Fate, Place, Shown, Taken, Witness};
use super::sequential::Sequential;
use super::shrink::{Hints, Shrunk, shrink};
use super::verify::{Limits, Refutation};
use super::{cycles, faults, words};
use crate::history::{Header, Operation, jsonl};
use crate::verdict::{Budget, Checker, Verdict};
use crate::{Event, History, Key, Op, Phase, Ret, Validity};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// More operations are not drawn.
pub const OPERATIONS_MAX: usize = 40;
/// With more operations than this, those that the sentence does not name are not drawn.
const PREMISES_MAX: usize = 8;
/// Anomalies that are drawn, one of each name.
const ANOMALIES_MAX: usize = 4;
/// Elements that are told to be missing.
const MISSED_MAX: usize = 3;
/// Steps of a cycle that are drawn; of a longer one no picture helps.
const STEPS_MAX: usize = 24;
/// Of the time, this share is for shrinking.
const SHRINKING: f64 = 0.7;
/// Of one judgement while shrinking.
const JUDGEMENT: Duration = Duration::from_secs(2);
const JUDGEMENT_MEMORY: usize = 512 << 20;
/// Configurations that the second search may remember.
const CONFIGURATIONS: usize = 300_000;
/// Bytes of the core as a history file.
const FILE_MAX: usize = 64 << 10;

/// Explains an invalid verdict that `checker` gave of `history`, within about `time`; `None` if the
/// verdict is not invalid or the history is none.
pub fn explain(
    history: &History,
    checker: &dyn Checker,
    verdict: &Verdict,
    time: Duration,
) -> Option<Explanation> {
    if verdict.valid != Validity::Invalid {
        return None;
    }
    let started = Instant::now();
    let operations = history.operations().ok()?;
    let hints = hints(verdict, &operations);
    let decide = |history: &History| {
        let left = time.saturating_sub(started.elapsed());
        let budget = Budget {
            time: left.min(JUDGEMENT),
            memory: JUDGEMENT_MEMORY,
        };
        checker.decide(history, budget)
    };
    let shrunk = shrink(history, &hints, &decide, time.mul_f64(SHRINKING)).ok()?;
    let mut remarks = Vec::new();
    let (part, core) = match shrunk {
        Some(shrunk) => part_of(shrunk, operations.len(), &mut remarks),
        None => {
            remarks.push("a smaller part that is wrong by itself was not found in time".to_owned());
            let named = super::shrink::only(history, &hints.operations).ok()?;
            let core = Core {
                operations: 0,
                of: operations.len(),
                ..Core::default()
            };
            (named, core)
        }
    };
    let core_operations = part.operations().ok()?;
    let witness = witness(checker, &core_operations, &decide, &part, started + time);
    let drawn_history = with_named(history, &part, &hints, &decide);
    let drawn_operations = drawn_history.operations().ok()?;
    let stuck = stuck(&drawn_history, &drawn_operations, &decide);
    let object = checker.object();
    let window = match object {
        Some(_) => window(&drawn_operations, stuck, &hints, &mut remarks),
        None => without_premises(&drawn_operations, stuck, &hints, &mut remarks),
    };
    let (mut drawn, moments) = draw(&drawn_operations, &window, stuck);
    for one in &mut drawn {
        one.beside = !core_operations
            .iter()
            .any(|core| core.invocation.index == one.index);
    }
    let place = stuck
        .zip(object)
        .and_then(|(stuck, object)| place(object, &drawn_operations, stuck, &window));
    let (faults, more_faults) = faults::active(history, &moments);
    if more_faults > 0 {
        remarks.push(format!(
            "{more_faults} more faults were active and are not shown"
        ));
    }
    let anomalies = anomalies(verdict, history, &mut remarks);
    if !anomalies.is_empty() {
        // All of a circle are wrong together; the pictures name them alike.
        for one in &mut drawn {
            one.stuck = false;
            one.label = format!("T{}: {}", one.index, one.label);
        }
    }
    let witness = match anomalies.first() {
        Some(anomaly) => anomaly.witness.clone(),
        None => witness,
    };
    Some(Explanation {
        sentence: verdict.reason.clone(),
        object: hints
            .key
            .as_ref()
            .map(|key| format!("key {key}"))
            .unwrap_or_default(),
        core: Core { remarks, ..core },
        operations: drawn,
        place,
        anomalies,
        faults,
        witness,
        history: file(&part),
    })
}

fn part_of(shrunk: Shrunk, of: usize, remarks: &mut Vec<String>) -> (History, Core) {
    remarks.extend(shrunk.stopped);
    let core = Core {
        operations: shrunk.operations.len(),
        of,
        minimal: shrunk.minimal,
        remarks: Vec::new(),
    };
    (shrunk.core, core)
}

/// The core together with the operations that the verdict names, if these are invalid too: a picture
/// should show what its sentence tells. What came after the core is left out.
fn with_named(
    history: &History,
    core: &History,
    hints: &Hints,
    decide: &dyn Fn(&History) -> Validity,
) -> History {
    let mut indices = hints.operations.clone();
    indices.extend(core.events.iter().map(|event| event.index));
    let end = core.events.iter().map(|event| event.index).max();
    let Ok(mut both) = super::shrink::only(history, &indices) else {
        return core.clone();
    };
    both.events.retain(|event| Some(event.index) <= end);
    match both.events.len() > core.events.len() && decide(&both) == Validity::Invalid {
        true => both,
        false => core.clone(),
    }
}

/// What the verdict's details tell of the place to look at.
fn hints(verdict: &Verdict, operations: &[Operation<'_>]) -> Hints {
    let mut named: BTreeSet<u64> = numbers(verdict.details.get("operations")).collect();
    if named.is_empty() {
        let steps = verdict.details.get("anomalies").and_then(|all| all.get(0));
        let steps = steps.and_then(|anomaly| anomaly.get("steps"));
        for step in steps.and_then(Json::as_array).into_iter().flatten() {
            named.extend(step.get("index").and_then(Json::as_u64));
        }
    }
    let key = verdict.details.get("key").and_then(|key| match key {
        Json::Number(number) => number.as_i64().map(Key::Int),
        Json::String(text) => Some(Key::from(text.as_str())),
        _ => None,
    });
    // A key is only a hint if some operation has it.
    let key = key.filter(|key| {
        operations
            .iter()
            .any(|operation| operation.op().key() == Some(key))
    });
    Hints {
        key,
        operations: named.into_iter().collect(),
    }
}

fn numbers(list: Option<&Json>) -> impl Iterator<Item = u64> {
    let list = list.and_then(Json::as_array).into_iter().flatten();
    list.filter_map(Json::as_u64)
}

/// The operation by whose completion the part became invalid: the first completion up to which the judge
/// calls it so. As a position in the operations.
fn stuck(
    part: &History,
    operations: &[Operation<'_>],
    decide: &dyn Fn(&History) -> Validity,
) -> Option<usize> {
    let mut completions: Vec<(usize, usize)> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.is_ok())
        .filter_map(|(position, operation)| Some((operation.completed_at?, position)))
        .collect();
    completions.sort_unstable();
    let refuted = |(end, _): &(usize, usize)| {
        let beginning = History {
            header: part.header.clone(),
            events: part.events[..=*end].to_vec(),
            ..History::default()
        };
        decide(&beginning) == Validity::Invalid
    };
    // From the end: in a minimal part it is one of the last.
    let mut found = None;
    for completion in completions.iter().rev().take(OPERATIONS_MAX) {
        if !refuted(completion) {
            break;
        }
        found = Some(completion.1);
    }
    found
}

/// A second look at the part, by other means than the checker's where there are any.
fn witness(
    checker: &dyn Checker,
    operations: &[Operation<'_>],
    decide: &dyn Fn(&History) -> Validity,
    part: &History,
    deadline: Instant,
) -> Witness {
    let Some(object) = checker.object() else {
        return match decide(part) {
            Validity::Invalid => Witness {
                confirmed: true,
                independent: false,
                text: format!(
                    "{} judges these operations alone invalid too",
                    checker.name()
                ),
            },
            _ => Witness {
                confirmed: false,
                independent: false,
                text: "these operations alone were not judged again".to_owned(),
            },
        };
    };
    let mut objects: BTreeMap<Option<Key>, Vec<Operation<'_>>> = BTreeMap::new();
    for operation in operations.iter().filter(|one| object.owns(one.op())) {
        let key = object.partition(operation.op());
        objects.entry(key).or_default().push(*operation);
    }
    let limits = Limits {
        deadline,
        configurations: CONFIGURATIONS,
    };
    let mut open = "no operation of the object is among them".to_owned();
    for operations in objects.values() {
        match object.refute(operations, limits) {
            Refutation::Proven(text) => {
                return Witness {
                    confirmed: true,
                    independent: true,
                    text,
                };
            }
            Refutation::Found(_) => {
                open = "a second search found an order of these operations: the checker and it \
                        disagree, please report this"
                    .to_owned();
            }
            Refutation::Open(text) => open = text,
        }
    }
    Witness {
        confirmed: false,
        independent: true,
        text: open,
    }
}

/// The positions of the operations to draw, where no order of them is to be shown: of many, only those
/// that the sentence names, if the rest is there just because these saw it.
fn without_premises(
    operations: &[Operation<'_>],
    stuck: Option<usize>,
    hints: &Hints,
    remarks: &mut Vec<String>,
) -> Vec<usize> {
    let is_named = |at: &usize| hints.operations.contains(&operations[*at].invocation.index);
    let mut named: BTreeSet<usize> = (0..operations.len()).filter(is_named).collect();
    if operations.len() <= PREMISES_MAX || named.is_empty() || named.len() >= OPERATIONS_MAX {
        return window(operations, stuck, hints, remarks);
    }
    named.extend(stuck);
    let others = operations.len() - named.len();
    if others > 0 {
        remarks.push(format!(
            "{others} of these operations are not drawn: the others saw what they had left"
        ));
    }
    named.into_iter().collect()
}

/// The positions of the operations to draw: all, or those that matter most.
fn window(
    operations: &[Operation<'_>],
    stuck: Option<usize>,
    hints: &Hints,
    remarks: &mut Vec<String>,
) -> Vec<usize> {
    if operations.len() <= OPERATIONS_MAX {
        return (0..operations.len()).collect();
    }
    let end = stuck.map_or(usize::MAX, |stuck| {
        operations[stuck].completed_at.unwrap_or(usize::MAX)
    });
    let mut chosen: BTreeSet<usize> = stuck.into_iter().collect();
    let named = |at: &usize| hints.operations.contains(&operations[*at].invocation.index);
    chosen.extend((0..operations.len()).filter(named).take(OPERATIONS_MAX / 2));
    // The others that came last before it.
    for at in (0..operations.len()).rev() {
        if chosen.len() >= OPERATIONS_MAX {
            break;
        }
        if operations[at].invoked_at < end {
            chosen.insert(at);
        }
    }
    remarks.push(format!(
        "{} of these {} operations are not drawn",
        operations.len() - chosen.len(),
        operations.len()
    ));
    chosen.into_iter().collect()
}

/// The operations of the window, and index and time of each of their events in order.
fn draw(
    operations: &[Operation<'_>],
    window: &[usize],
    stuck: Option<usize>,
) -> (Vec<Shown>, Vec<(u64, u64)>) {
    let events = |operation: &Operation<'_>| {
        let end =
            known_end(operation).map(|event| (operation.completed_at, event.index, event.time));
        let begin = operation.invocation;
        [
            Some((Some(operation.invoked_at), begin.index, begin.time)),
            end,
        ]
    };
    let mut moments: Vec<_> = window
        .iter()
        .flat_map(|at| events(&operations[*at]))
        .flatten()
        .collect();
    moments.sort_unstable();
    let place = |at: Option<usize>| moments.partition_point(|(other, ..)| *other < at);
    let keys: BTreeSet<Option<&Key>> = window.iter().map(|at| operations[*at].op().key()).collect();
    let shown = window
        .iter()
        .map(|at| {
            let operation = &operations[*at];
            let label = match missed(operation, operations, window) {
                missed if missed.is_empty() => words::label(operation),
                missed => format!("without {}: {}", missed.join(", "), words::label(operation)),
            };
            Shown {
                index: operation.invocation.index,
                process: operation.invocation.process.0,
                label: match operation.op().key() {
                    Some(key) if keys.len() > 1 => format!("{key}: {label}"),
                    _ => label,
                },
                told: words::told(operation),
                from: operation.invocation.time,
                to: known_end(operation).map(|event| event.time),
                invoked_at: place(Some(operation.invoked_at)),
                completed_at: known_end(operation).map(|_| place(operation.completed_at)),
                fate: match operation.failure() {
                    Some(_) => Fate::Failed,
                    None if operation.is_ok() => Fate::Happened,
                    None => Fate::Unknown,
                },
                stuck: Some(*at) == stuck,
                beside: false,
            }
        })
        .collect();
    let moments = moments
        .into_iter()
        .map(|(_, index, time)| (index, time))
        .collect();
    (shown, moments)
}

/// Elements that the drawn operations had added before a read began, and that it does not show.
fn missed(read: &Operation<'_>, operations: &[Operation<'_>], window: &[usize]) -> Vec<String> {
    let (Op::List { key }, Some(Ret::List(items))) = (read.op(), read.ret()) else {
        return Vec::new();
    };
    let before = window.iter().map(|at| &operations[*at]).filter(|other| {
        other.is_ok() && other.completed_at.is_some_and(|end| end < read.invoked_at)
    });
    before
        .filter_map(|other| match other.op() {
            Op::Add { key: to, value } | Op::Append { key: to, value } => {
                (to == key && !items.contains(value)).then(|| value.to_string())
            }
            _ => None,
        })
        .take(MISSED_MAX)
        .collect()
}

/// The completion of an operation, if it says how it ended.
fn known_end<'a>(operation: &Operation<'a>) -> Option<&'a Event> {
    operation
        .completion
        .filter(|event| !matches!(event.phase, Phase::Info(_)))
}

/// Where the order of the stuck operation's object ends; positions are those in the window.
fn place(
    object: &dyn Sequential,
    operations: &[Operation<'_>],
    stuck: usize,
    window: &[usize],
) -> Option<Place> {
    let of = |op: &Op| object.owns(op).then(|| object.partition(op));
    let wanted = of(operations[stuck].op())?;
    let positions: Vec<usize> = (0..operations.len())
        .filter(|at| of(operations[*at].op()).as_ref() == Some(&wanted))
        .collect();
    let own: Vec<Operation<'_>> = positions.iter().map(|at| operations[*at]).collect();
    let culprit = positions.iter().position(|at| *at == stuck)?;
    let frontier = object.frontier(&own, culprit)?;
    let drawn = |own: usize| window.iter().position(|at| *at == positions[own]);
    let mut states = frontier.after.into_iter();
    let initial = states.next()?;
    let order = frontier
        .order
        .iter()
        .zip(states)
        .map(|(own, after)| {
            let operation = drawn(*own)?;
            Some(Taken { operation, after })
        })
        .collect::<Option<Vec<Taken>>>()?;
    Some(Place {
        stuck: drawn(culprit)?,
        initial,
        order,
        before: frontier.before,
        states: frontier.states,
        fitting: frontier.fitting,
        complete: frontier.complete,
    })
}

/// The first anomaly of each name, checked again.
fn anomalies(verdict: &Verdict, history: &History, remarks: &mut Vec<String>) -> Vec<Anomaly> {
    let Some(listed) = verdict.details.get("anomalies").and_then(Json::as_array) else {
        return Vec::new();
    };
    let mut anomalies: Vec<Anomaly> = Vec::new();
    let mut unshown = 0;
    for json in listed {
        let Ok(mut anomaly) = serde_json::from_value::<Anomaly>(json.clone()) else {
            continue;
        };
        let known = anomalies.iter().any(|other| other.name == anomaly.name);
        if known || anomalies.len() == ANOMALIES_MAX || anomaly.steps.len() > STEPS_MAX {
            unshown += 1;
            continue;
        }
        anomaly.witness = match cycles::verify(history, &anomaly) {
            Ok(text) => Witness {
                confirmed: true,
                independent: true,
                text,
            },
            Err(flaw) => Witness {
                confirmed: false,
                independent: true,
                text: flaw.to_string(),
            },
        };
        anomalies.push(anomaly);
    }
    if unshown > 0 {
        remarks.push(format!("{unshown} more anomalies are listed and not drawn"));
    }
    anomalies
}

/// The part as a history file, if it is short.
fn file(part: &History) -> String {
    let header = part.header.clone().unwrap_or_else(|| Header {
        version: jsonl::VERSION,
        workload: String::new(),
        model: String::new(),
    });
    let Ok(mut writer) = jsonl::Writer::new(Vec::new(), &header) else {
        return String::new();
    };
    if part
        .events
        .iter()
        .any(|event| writer.append(event).is_err())
    {
        return String::new();
    }
    let text = String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default();
    match (&part.header, text.split_once('\n')) {
        _ if text.len() > FILE_MAX => String::new(),
        // Whoever left the header out names the model when the file is judged.
        (None, Some((_, events))) => events.to_owned(),
        _ => text,
    }
}
