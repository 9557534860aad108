//! Gates against empty success: a run in which nothing was really tested is unknown, never valid.

use super::faults::{FaultLife, FaultSummary};
use super::{Ops, returns};
use crate::recorded::Recorded;
use crate::table::count;
use checker::{Validity, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    pub passed: bool,
    /// What was found, whether passed or not.
    pub reason: String,
}

/// The verdict of the run: the worst of the checks; a gate that was not passed makes a valid run
/// unknown. An invalid run stays invalid: a proved violation needs no further evidence.
pub fn overall<'a>(
    verdicts: impl IntoIterator<Item = &'a Verdict>,
    gates: impl IntoIterator<Item = &'a Gate>,
) -> Validity {
    let checks = verdicts.into_iter().map(|verdict| verdict.valid).max();
    let gates = match gates.into_iter().all(|gate| gate.passed) {
        true => Validity::Valid,
        false => Validity::Unknown,
    };
    // No verdict at all: nothing was judged.
    checks.unwrap_or(Validity::Unknown).max(gates)
}

/// The verdict's reason in one sentence.
pub fn overall_reason(
    verdicts: &BTreeMap<String, Verdict>,
    gates: &BTreeMap<String, Gate>,
    faults: &[FaultSummary],
) -> String {
    for wanted in [Validity::Invalid, Validity::Unknown] {
        if let Some((name, verdict)) = verdicts.iter().find(|(_, v)| v.valid == wanted) {
            return format!("{name}: {}", verdict.reason);
        }
        if wanted == Validity::Unknown
            && let Some((name, gate)) = gates.iter().find(|(_, gate)| !gate.passed)
        {
            return format!("{name}: {}", gate.reason);
        }
    }
    if verdicts.is_empty() {
        return "no checker judged the run".into();
    }
    let effective = faults.iter().filter(|fault| fault.effective).count();
    let checks = counted(verdicts.len(), "check");
    match effective {
        0 => format!("{checks} passed; no fault was injected"),
        1 => format!("{checks} passed through 1 fault, shown to have taken effect"),
        n => format!("{checks} passed through {n} faults, each shown to have taken effect"),
    }
}

fn counted(n: usize, what: &str) -> String {
    format!(
        "{} {what}{}",
        count(n as u64),
        if n == 1 { "" } else { "s" }
    )
}

pub(super) fn gates(
    recorded: &Recorded,
    lives: &[FaultLife],
    faults: &[FaultSummary],
    ops: &Ops,
) -> BTreeMap<String, Gate> {
    let mut gates = BTreeMap::new();
    let mut gate = |name: &str, passed: bool, reason: String| {
        gates.insert(name.to_owned(), Gate { passed, reason });
    };

    let floor = recorded.run.operations_floor.max(1);
    gate(
        "enough-operations",
        ops.ok >= floor,
        format!(
            "{} operations succeeded, at least {} are asked for",
            count(ops.ok),
            count(floor)
        ),
    );

    let asked = recorded.run.faults_asked;
    let effective = lives.iter().filter(|life| life.effective.is_some()).count();
    gate(
        "faults-injected",
        asked == 0 || effective > 0,
        match asked {
            0 => "no fault was asked for".into(),
            _ => format!(
                "{effective} of {} asked for took effect",
                counted(asked as usize, "fault")
            ),
        },
    );

    let idle: Vec<String> = lives
        .iter()
        .filter(|life| life.effective.is_none())
        .map(|life| said(life, life.error.as_deref().unwrap_or("never confirmed")))
        .collect();
    gate(
        "every-fault-effective",
        idle.is_empty(),
        listed(&idle, "every fault injected has its proof"),
    );

    let broken: Vec<String> = lives
        .iter()
        .filter(|life| life.effective.is_some() && life.healed.is_none())
        .map(|life| {
            said(
                life,
                life.error.as_deref().unwrap_or("no heal was recorded"),
            )
        })
        .collect();
    gate(
        "every-fault-healed",
        broken.is_empty(),
        listed(&broken, "every fault was healed"),
    );

    let lags = || {
        lives
            .iter()
            .filter(|life| life.kind == "lag" && life.effective.is_some())
    };
    let plain: Vec<String> = lags()
        .filter(|life| returns::images(recorded, lives, life) == 0)
        .map(|life| said(life, "the server counted no InstallSnapshot"))
        .collect();
    let all_installed = match lags().count() {
        0 => "no lag fault was injected".to_owned(),
        n => format!(
            "{}, each ended in an InstallSnapshot",
            counted(n, "lag fault")
        ),
    };
    gate(
        "lag-installs-snapshot",
        plain.is_empty(),
        listed(&plain, &all_installed),
    );

    let expected = &recorded.run.expected_checks;
    let silent: Vec<String> = expected
        .iter()
        .filter(|name| !recorded.verdicts.contains_key(*name))
        .map(|name| format!("{name} did not run"))
        .collect();
    let judged = !recorded.verdicts.is_empty();
    gate(
        "checkers-ran",
        judged && silent.is_empty(),
        match judged {
            true => listed(&silent, "every checker gave its verdict"),
            false => "no checker judged the run".into(),
        },
    );

    let probes = recorded.probes.len();
    gate(
        "probes-recorded",
        probes > 0,
        format!("{} recorded", counted(probes, "probe")),
    );

    let unseen: Vec<String> = faults
        .iter()
        .filter_map(|fault| Some((fault, fault.rto.as_ref()?)))
        .filter(|(_, rto)| rto.due && rto.first_success_ms.is_none() && rto.censored.is_empty())
        .map(|(fault, _)| {
            format!(
                "fault {} ({}): no probe was sent after it",
                fault.id,
                fault.title()
            )
        })
        .collect();
    gate(
        "recovery-observed",
        unseen.is_empty(),
        listed(
            &unseen,
            "every fault that stopped the service was watched by probes",
        ),
    );
    gates
}

fn said(life: &FaultLife, what: &str) -> String {
    format!(
        "fault {} ({} {}): {what}",
        life.id,
        life.title(),
        life.targets.join(" ")
    )
}

/// The first few complaints in one line, or what holds when there is none.
fn listed(complaints: &[String], otherwise: &str) -> String {
    const SHOWN: usize = 3;
    match complaints.len() {
        0 => otherwise.to_owned(),
        n if n <= SHOWN => complaints.join("; "),
        n => format!("{}; and {} more", complaints[..SHOWN].join("; "), n - SHOWN),
    }
}
