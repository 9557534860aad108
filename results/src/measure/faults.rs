//! The faults of a run: their lives from the journal's steps, and the summary of each.

use super::ms;
use super::returns::{self, Return};
use super::rto::{self, Rto};
use crate::recorded::Recorded;
use checker::history::faults::{FaultRecord, Step, UNEXPECTED_EXIT};
use serde::{Deserialize, Serialize};

/// One fault from its first step to its last. Times are nanoseconds since the start.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultLife {
    pub id: u32,
    pub kind: String,
    pub variant: String,
    pub targets: Vec<String>,
    pub leader: Option<String>,
    pub hit_leader: bool,
    pub hit_majority: bool,
    pub intend: u64,
    /// The fault's t0.
    pub effective: Option<u64>,
    pub heal: Option<u64>,
    pub healed: Option<u64>,
    pub error: Option<String>,
    pub proof: serde_json::Map<String, serde_json::Value>,
    pub healed_proof: serde_json::Map<String, serde_json::Value>,
    /// What follows is attributed to this fault until here: the next fault's t0, or the end.
    pub window_end: u64,
    /// The fault whose t0 ends the window.
    pub next: Option<u32>,
}

/// A fault's entry in `results.json`. Times are since the start of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultSummary {
    pub id: u32,
    pub kind: String,
    pub variant: String,
    pub targets: Vec<String>,
    /// Who led when the fault was injected.
    pub leader: Option<String>,
    /// `leader`, `majority`, `leader+majority`, or `minority`.
    pub role: String,
    pub effective: bool,
    pub healed: bool,
    pub error: Option<String>,
    pub intend_ms: f64,
    pub effective_ms: Option<f64>,
    pub heal_ms: Option<f64>,
    pub healed_ms: Option<f64>,
    pub proof: serde_json::Map<String, serde_json::Value>,
    pub healed_proof: serde_json::Map<String, serde_json::Value>,
    /// Images that the targets received between this fault's start and the next one on the same node.
    pub snapshots_installed: u64,
    /// How the nodes that were hit got the others' state: after faults that keep a server away for long, and
    /// wherever an image was installed.
    #[serde(default)]
    pub returns: Vec<Return>,
    /// Null for a fault that never took effect.
    pub rto: Option<Rto>,
}

impl FaultLife {
    /// Whether an RTO is due: the leader or the majority was taken away.
    pub fn rto_due(&self) -> bool {
        self.hit_leader || self.hit_majority
    }

    pub fn role(&self) -> &'static str {
        match (self.hit_leader, self.hit_majority) {
            (true, true) => "leader+majority",
            (true, false) => "leader",
            (false, true) => "majority",
            (false, false) => "minority",
        }
    }

    /// Kind and variant as one word.
    pub fn title(&self) -> String {
        title(&self.kind, &self.variant)
    }

    fn begin(record: &FaultRecord) -> Self {
        Self {
            id: record.fault,
            kind: record.kind.clone(),
            variant: record.variant.clone(),
            targets: record.targets.clone(),
            leader: record.leader.clone(),
            hit_leader: false,
            hit_majority: false,
            intend: record.time,
            effective: None,
            heal: None,
            healed: None,
            error: None,
            proof: Default::default(),
            healed_proof: Default::default(),
            window_end: 0,
            next: None,
        }
    }

    fn take(&mut self, record: &FaultRecord) {
        match record.step {
            Step::Intend => {}
            Step::Effective => {
                self.effective = Some(record.time);
                self.proof = record.proof.clone();
                self.targets = record.targets.clone();
            }
            Step::Heal => self.heal = Some(record.time),
            Step::Healed => {
                self.healed = Some(record.time);
                self.healed_proof = record.proof.clone();
            }
            Step::Failed => {
                let unsaid = || "no reason given".to_owned();
                self.error = Some(record.error.clone().unwrap_or_else(unsaid));
            }
        }
        self.hit_leader |= record.hit_leader;
        self.hit_majority |= record.hit_majority;
        if self.leader.is_none() {
            self.leader = record.leader.clone();
        }
    }
}

impl FaultSummary {
    pub fn title(&self) -> String {
        title(&self.kind, &self.variant)
    }
}

fn title(kind: &str, variant: &str) -> String {
    if variant.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind} {variant}")
    }
}

/// The faults in the order of their first step, each with the window that is attributed to it.
pub fn lives(recorded: &Recorded) -> Vec<FaultLife> {
    let mut lives: Vec<FaultLife> = Vec::new();
    let injected = |record: &&FaultRecord| record.kind != UNEXPECTED_EXIT;
    for record in recorded.faults.iter().filter(injected) {
        let at = match lives.iter().position(|life| life.id == record.fault) {
            Some(at) => at,
            None => {
                lives.push(FaultLife::begin(record));
                lives.len() - 1
            }
        };
        lives[at].take(record);
    }
    let starts: Vec<(u64, u32)> = lives
        .iter()
        .filter_map(|life| Some((life.effective?, life.id)))
        .collect();
    for life in &mut lives {
        let from = life.effective.unwrap_or(life.intend);
        let next = starts.iter().filter(|(time, _)| *time > from).min();
        life.next = next.map(|(_, id)| *id);
        life.window_end = next.map_or(recorded.marks.end, |(time, _)| *time);
    }
    lives
}

pub(super) fn summaries(recorded: &Recorded, lives: &[FaultLife]) -> Vec<FaultSummary> {
    let rtos = rto::of_each(recorded, lives);
    lives
        .iter()
        .zip(rtos)
        .map(|(life, rto)| FaultSummary {
            id: life.id,
            kind: life.kind.clone(),
            variant: life.variant.clone(),
            targets: life.targets.clone(),
            leader: life.leader.clone(),
            role: life.role().to_owned(),
            effective: life.effective.is_some(),
            healed: life.healed.is_some(),
            error: life.error.clone(),
            intend_ms: ms(life.intend),
            effective_ms: life.effective.map(ms),
            heal_ms: life.heal.map(ms),
            healed_ms: life.healed.map(ms),
            proof: life.proof.clone(),
            healed_proof: life.healed_proof.clone(),
            snapshots_installed: returns::images(recorded, lives, life),
            returns: returns::returns(recorded, lives, life),
            rto,
        })
        .collect()
}
