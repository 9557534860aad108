//! Which runs go.
//!
//! A run stays if anything speaks for it: it goes on, it failed, something refers to it, or a rule keeps it. Of the
//! others all go, or with a limit of bytes only the oldest, until the store is within it.

use super::survey::{Claim, Found};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What is kept besides what is always kept.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// So many of the newest of each name.
    pub last: Option<usize>,
    /// What is younger.
    pub younger: Option<Duration>,
    /// As much as the store may hold.
    pub bytes: Option<u64>,
    /// Claims that keep nothing this time.
    pub waived: BTreeSet<Claim>,
}

/// What becomes of a run, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    pub goes: bool,
    pub because: String,
}

impl Decision {
    fn stays(because: impl fmt::Display) -> Self {
        Self {
            goes: false,
            because: because.to_string(),
        }
    }

    fn goes(because: impl fmt::Display) -> Self {
        Self {
            goes: true,
            because: because.to_string(),
        }
    }
}

/// One decision for each run, in their order.
pub fn decide(found: &[Found], rules: &Rules) -> Vec<Decision> {
    let newest_first = {
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_key(|at| found[*at].age);
        order
    };
    let mut decisions = vec![Decision::stays(""); found.len()];
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for at in &newest_first {
        let run = &found[*at];
        let place = seen.entry(&run.group).or_default();
        *place += 1;
        decisions[*at] = of_run(run, *place, rules);
    }
    if let Some(most) = rules.bytes {
        let mut held: u64 = found.iter().map(|run| run.bytes).sum();
        for at in newest_first.iter().rev().filter(|at| found[**at].bytes > 0) {
            if !decisions[*at].goes {
                continue;
            }
            match held > most {
                true => held -= found[*at].bytes,
                false => decisions[*at] = Decision::stays("the store is within its limit"),
            }
        }
    }
    decisions
}

/// `place`: 1 is the newest of its group.
fn of_run(run: &Found, place: usize, rules: &Rules) -> Decision {
    if let Some(claim) = run.claims.difference(&rules.waived).next() {
        return Decision::stays(claim);
    }
    match (rules.last, rules.younger) {
        (Some(last), _) if place <= last => {
            Decision::stays(format!("one of the newest {last} of its name"))
        }
        (_, Some(younger)) if run.age < younger => {
            Decision::stays(format!("younger than {} days", younger.as_secs() / 86_400))
        }
        _ => Decision::goes(match run.finished {
            true => "no rule keeps it",
            false => "no rule keeps it, and it did not finish",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const DAY: Duration = Duration::from_secs(86_400);

    fn run(group: &str, days: u32, claims: &[Claim]) -> Found {
        Found {
            path: PathBuf::from(format!("{group}/{days}")),
            group: group.into(),
            age: DAY * days,
            bytes: 100,
            finished: true,
            claims: claims.iter().copied().collect(),
        }
    }

    fn gone(found: &[Found], rules: &Rules) -> Vec<String> {
        let decisions = decide(found, rules);
        found
            .iter()
            .zip(decisions)
            .filter(|(_, decision)| decision.goes)
            .map(|(run, _)| run.path.display().to_string())
            .collect()
    }

    fn store() -> Vec<Found> {
        vec![
            run("a", 1, &[]),
            run("a", 5, &[]),
            run("a", 9, &[Claim::Failed]),
            run("a", 10, &[]),
            run("b", 7, &[]),
            run("b", 8, &[Claim::Suite]),
        ]
    }

    #[test]
    fn the_newest_of_each_name_and_what_failed_stay() {
        let rules = Rules {
            last: Some(1),
            ..Rules::default()
        };
        assert_eq!(gone(&store(), &rules), ["a/5", "a/10"]);
    }

    #[test]
    fn what_either_rule_keeps_stays() {
        let rules = Rules {
            last: Some(1),
            younger: Some(DAY * 6),
            ..Rules::default()
        };
        assert_eq!(gone(&store(), &rules), ["a/10"]);
        let rules = Rules {
            younger: Some(DAY * 6),
            ..Rules::default()
        };
        assert_eq!(gone(&store(), &rules), ["a/10", "b/7"]);
    }

    #[test]
    fn a_limit_takes_the_oldest_and_no_more_than_it_must() {
        let rules = |bytes| Rules {
            bytes: Some(bytes),
            ..Rules::default()
        };
        assert_eq!(gone(&store(), &rules(600)), [""; 0]);
        assert_eq!(gone(&store(), &rules(500)), ["a/10"]);
        assert_eq!(gone(&store(), &rules(350)), ["a/5", "a/10", "b/7"]);
        // What failed stays even if the limit can't be met.
        assert_eq!(gone(&store(), &rules(0)).len(), 4);
    }

    #[test]
    fn claims_are_waived_only_when_told() {
        let mut rules = Rules {
            younger: Some(DAY * 6),
            ..Rules::default()
        };
        rules.waived.insert(Claim::Suite);
        assert_eq!(gone(&store(), &rules), ["a/10", "b/7", "b/8"]);
        rules.waived.insert(Claim::Failed);
        assert_eq!(gone(&store(), &rules).len(), 4);
    }
}
