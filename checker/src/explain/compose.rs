//! Puts an explanation together from its parts.

use super::drawing::{Located, OPERATIONS_MAX, choose, draw};
use super::explanation::{Anomaly, Core, Explanation, Witness};
use super::shrink::{Hints, shrink};
use super::verify::{Limits, Refutation};
use super::{claims, cycles, faults};
use crate::history::{Header, Operation, jsonl};
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Validity};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Anomalies that are drawn, one of each name.
const ANOMALIES_MAX: usize = 4;
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
    let core = Core {
        operations: shrunk.as_ref().map_or(0, |shrunk| shrunk.operations.len()),
        of: operations.len(),
        minimal: shrunk.as_ref().is_some_and(|shrunk| shrunk.minimal),
        remarks: Vec::new(),
    };
    let (part, drawn_history) = match shrunk {
        Some(shrunk) => {
            remarks.extend(shrunk.stopped);
            // A picture should show what its sentence tells.
            match decide(&shrunk.with_named) {
                Validity::Invalid => (shrunk.core, shrunk.with_named),
                _ => (shrunk.core.clone(), shrunk.core),
            }
        }
        None => {
            remarks.push("a smaller part that is wrong by itself was not found in time".to_owned());
            let named = super::shrink::only(history, &hints.operations).ok()?;
            (named.clone(), named)
        }
    };
    let core_operations = part.operations().ok()?;
    let deadline = started + time;
    let witness = witness(
        checker,
        &core_operations,
        &operations,
        &decide,
        &part,
        deadline,
    );
    let drawn_operations = drawn_history.operations().ok()?;
    let stuck = stuck(&drawn_history, &drawn_operations, &decide);
    let located = stuck
        .zip(checker.object())
        .and_then(|(stuck, object)| Located::at(object, &drawn_operations, stuck));
    let window = choose(
        &drawn_operations,
        located.as_ref(),
        stuck,
        &hints,
        &mut remarks,
    );
    let (mut drawn, moments) = draw(&drawn_operations, &window, stuck);
    for one in &mut drawn {
        one.beside = !core_operations
            .iter()
            .any(|core| core.invocation.index == one.index);
    }
    let place = located.and_then(|located| located.place(&window));
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
    all: &[Operation<'_>],
    decide: &dyn Fn(&History) -> Validity,
    part: &History,
    deadline: Instant,
) -> Witness {
    let Some(object) = checker.object() else {
        if let Some(text) = claims::shown(checker.name(), operations, all) {
            return Witness {
                confirmed: true,
                independent: true,
                text,
            };
        }
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
            Refutation::Open(text) => {
                open = text;
                if let Some(text) = claims::of_lists(operations, all) {
                    return Witness {
                        confirmed: true,
                        independent: true,
                        text,
                    };
                }
            }
        }
    }
    Witness {
        confirmed: false,
        independent: true,
        text: open,
    }
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
