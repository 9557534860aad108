//! What to try next: a pure function of how earlier candidates ended.
//!
//! This is delta debugging (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input"), over
//! the faults first and then over what loads the cluster. It is greedy: a candidate that fails takes the place of
//! what it was made from. The end is a spec of which no single step makes one that fails: every fault that is left
//! was tried without.

use crate::spec::{Size, Span, Spec};
use nemesis::PlannedFault;
use std::time::Duration;

/// A run is not made shorter than this: a cluster needs its time to elect and to serve.
const TIME_LEAST: Duration = Duration::from_secs(2);
/// Time before the first fault, so that there is something to lose.
const LEAD_MS: u64 = 1_000;
/// Time after the last fault was healed.
const TAIL_MS: u64 = 1_000;
/// Faults are moved only if this is won by it.
const WORTHWHILE_MS: u64 = 500;
const CLIENTS_LEAST: usize = 2;
const RATE_LEAST: u64 = 20;
const FAULT_LEAST_MS: u64 = 200;

/// The candidate whose end must be known before the search can go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Unanswered {
    pub candidate: Spec,
    /// The smallest so far that is known to fail.
    pub smallest: Spec,
    /// In words, what the candidate leaves out.
    pub trial: &'static str,
}

/// A kind of step: the candidates one step smaller than a spec, the most daring first.
struct Step {
    trial: &'static str,
    smaller: fn(&Spec) -> Vec<Spec>,
}

/// In the order of what they save for all that follow.
const STEPS: &[Step] = &[
    Step {
        trial: "less time",
        smaller: less_time,
    },
    Step {
        trial: "fewer faults",
        smaller: fewer_faults,
    },
    Step {
        trial: "faults closer together",
        smaller: closer,
    },
    Step {
        trial: "fewer workloads",
        smaller: fewer_workloads,
    },
    Step {
        trial: "nothing written before",
        smaller: no_prefill,
    },
    Step {
        trial: "fewer clients",
        smaller: fewer_clients,
    },
    Step {
        trial: "a lower rate",
        smaller: lower_rate,
    },
    Step {
        trial: "shorter faults",
        smaller: shorter_faults,
    },
];

/// The smallest spec that can be reached from `base`, which is known to fail. `fails` tells what is known of a
/// candidate.
pub fn reduce(base: &Spec, fails: impl Fn(&Spec) -> Option<bool>) -> Result<Spec, Box<Unanswered>> {
    let mut smallest = base.clone();
    loop {
        let before = smallest.clone();
        for step in STEPS {
            while let Some(smaller) = first_failing(step, &smallest, &fails)? {
                smallest = smaller;
            }
        }
        if smallest == before {
            return Ok(smallest);
        }
    }
}

fn first_failing(
    step: &Step,
    smallest: &Spec,
    fails: &impl Fn(&Spec) -> Option<bool>,
) -> Result<Option<Spec>, Box<Unanswered>> {
    for candidate in (step.smaller)(smallest) {
        match fails(&candidate) {
            Some(true) => return Ok(Some(candidate)),
            Some(false) => {}
            None => {
                return Err(Box::new(Unanswered {
                    candidate,
                    smallest: smallest.clone(),
                    trial: step.trial,
                }));
            }
        }
    }
    Ok(None)
}

/// A spec with these faults and no others. Without any, nothing may be drawn from the seed either.
fn with_faults(spec: &Spec, schedule: Vec<PlannedFault>) -> Spec {
    let nemesis = match schedule.is_empty() {
        true => Vec::new(),
        false => spec.nemesis.clone(),
    };
    let schedule = (1..)
        .zip(schedule)
        .map(|(number, fault)| PlannedFault { number, ..fault })
        .collect();
    Spec {
        nemesis,
        schedule,
        ..spec.clone()
    }
}

fn ends_ms(fault: &PlannedFault) -> u64 {
    fault.start_ms + fault.duration_ms
}

/// Half of the time, then three quarters, each with the faults that begin in it.
fn less_time(spec: &Spec) -> Vec<Spec> {
    [(1, 2), (3, 4)]
        .into_iter()
        .map(|(part, of)| whole_seconds(spec.time.0 * part / of))
        .filter(|time| *time >= TIME_LEAST && *time < spec.time.0)
        .map(|time| {
            let begun = |fault: &&PlannedFault| u128::from(fault.start_ms) < time.as_millis();
            let faults = spec.schedule.iter().filter(begun).cloned().collect();
            Spec {
                time: Span(time),
                ..with_faults(spec, faults)
            }
        })
        .collect()
}

/// None, then parts of the schedule, then the schedule without a part; parts of half its length first.
fn fewer_faults(spec: &Spec) -> Vec<Spec> {
    let count = spec.schedule.len();
    if count == 0 {
        return Vec::new();
    }
    let mut chosen = vec![Vec::new()];
    let mut parts = 2.min(count);
    loop {
        let length = count.div_ceil(parts);
        let part = |at: usize| at / length;
        for number in 0..count.div_ceil(length) {
            let only = (0..count).filter(|at| part(*at) == number).collect();
            let without = (0..count).filter(|at| part(*at) != number).collect();
            chosen.extend([only, without]);
        }
        if length == 1 {
            break;
        }
        parts = (parts * 2).min(count);
    }
    let mut seen: Vec<Vec<usize>> = Vec::new();
    for numbers in chosen {
        if numbers.len() < count && !seen.contains(&numbers) {
            seen.push(numbers);
        }
    }
    // The sort is stable: of equal length, the coarser cut stays first.
    seen.sort_by_key(Vec::len);
    seen.into_iter()
        .map(|numbers| {
            let faults = numbers.iter().map(|at| spec.schedule[*at].clone());
            with_faults(spec, faults.collect())
        })
        .collect()
}

/// Each fault as early as the one before it lets it be, and an end soon after the last.
fn closer(spec: &Spec) -> Vec<Spec> {
    let mut free_from = LEAD_MS;
    let moved: Vec<_> = spec
        .schedule
        .iter()
        .map(|fault| {
            let start_ms = fault.start_ms.min(free_from);
            let fault = PlannedFault {
                start_ms,
                ..fault.clone()
            };
            free_from = ends_ms(&fault) + fault.pause_ms;
            fault
        })
        .collect();
    let Some(last) = moved.iter().map(ends_ms).max() else {
        return Vec::new();
    };
    let time = whole_seconds(Duration::from_millis(last + TAIL_MS)).max(TIME_LEAST);
    let won = spec.time.0.saturating_sub(time);
    match won >= Duration::from_millis(WORTHWHILE_MS) {
        true => vec![Spec {
            time: Span(time),
            ..with_faults(spec, moved)
        }],
        false => Vec::new(),
    }
}

/// Each alone.
fn fewer_workloads(spec: &Spec) -> Vec<Spec> {
    if spec.workloads.len() < 2 {
        return Vec::new();
    }
    let alone = spec.workloads.iter().map(|workload| Spec {
        workloads: vec![workload.clone()],
        ..spec.clone()
    });
    let without = (0..spec.workloads.len()).map(|left_out| {
        let mut workloads = spec.workloads.clone();
        workloads.remove(left_out);
        Spec {
            workloads,
            ..spec.clone()
        }
    });
    match spec.workloads.len() {
        2 => alone.collect(),
        _ => alone.chain(without).collect(),
    }
}

fn no_prefill(spec: &Spec) -> Vec<Spec> {
    match spec.prefill.0 {
        0 => Vec::new(),
        _ => vec![Spec {
            prefill: Size(0),
            ..spec.clone()
        }],
    }
}

fn fewer_clients(spec: &Spec) -> Vec<Spec> {
    fractions(spec.clients as u64, CLIENTS_LEAST as u64)
        .map(|clients| Spec {
            clients: clients as usize,
            ..spec.clone()
        })
        .collect()
}

fn lower_rate(spec: &Spec) -> Vec<Spec> {
    fractions(spec.rate, RATE_LEAST)
        .map(|rate| Spec {
            rate,
            ..spec.clone()
        })
        .collect()
}

/// All of them half as long.
fn shorter_faults(spec: &Spec) -> Vec<Spec> {
    let faults: Vec<_> = spec
        .schedule
        .iter()
        .map(|fault| PlannedFault {
            duration_ms: (fault.duration_ms / 2)
                .max(FAULT_LEAST_MS)
                .min(fault.duration_ms),
            ..fault.clone()
        })
        .collect();
    match faults == spec.schedule {
        true => Vec::new(),
        false => vec![with_faults(spec, faults)],
    }
}

/// A quarter and a half of a number, where that is no less than `least`.
fn fractions(number: u64, least: u64) -> impl Iterator<Item = u64> {
    [number / 4, number / 2]
        .into_iter()
        .filter(move |smaller| *smaller >= least && *smaller < number)
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_millis().div_ceil(1_000) as u64)
}

#[cfg(test)]
mod tests;
