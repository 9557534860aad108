//! Makes a plan from the seed.
//!
//! Faults follow one another, with a gap in which the cluster can recover and be measured. The time is
//! filled with whole rounds of the chosen kinds; each kind goes through a deck of its targets (a partition
//! through its variants), reshuffled when it is used up. So everything chosen appears when there is room
//! for it, leaders are hit often, and no two runs of different seeds look alike.

use crate::links::Shape;
use crate::members::Change;
use crate::plan::Variant;
use crate::stream::Stream;
use crate::{Error, Kind, Plan, PlannedFault, Result, Target};
use std::time::Duration;

/// Before the first fault: the baseline that recoveries are compared with.
const LEAD_MS: u64 = 2_500;
/// After the last one.
const TAIL_MS: u64 = 1_000;
const ACTIVE_MS: (u64, u64) = (800, 1_300);
const PAUSE_MS: (u64, u64) = (800, 1_100);
/// Aiming, verifying and healing, on the average.
const OVERHEAD_MS: u64 = 200;
/// How long it takes until a leader has compacted its log past a follower, and until that one is back.
const LAG_ACTIVE_MS: u64 = 3_500;
const LAG_RETURN_MS: u64 = 1_500;
/// Removing, adding and catching up.
const MEMBERS_MS: u64 = 2_000;
/// One lag per so much time, but at least two where there is room.
const LAG_EVERY_MS: u64 = 30_000;

/// What a plan is made for.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub nodes: usize,
    pub duration: Duration,
    pub kinds: Vec<Kind>,
    /// Of partitions.
    pub shapes: Vec<Shape>,
    /// Replaces the targets of every fault that has a choice.
    pub target: Option<Target>,
}

impl Schedule {
    /// Every shape, targets as the decks have them.
    pub fn new(nodes: usize, duration: Duration, kinds: &[Kind]) -> Self {
        Self {
            nodes,
            duration,
            kinds: kinds.to_vec(),
            shapes: Shape::ALL.to_vec(),
            target: None,
        }
    }

    /// The plan of this seed. An error when not even one fault fits into the time.
    pub fn plan(&self, seed: u64) -> Result<Plan> {
        let mut plan = Plan::quiet(seed, self.nodes, self.duration);
        let fits = |shape: &Shape| shape.least_nodes() <= self.nodes;
        let (shapes, left_out) = self.shapes.iter().copied().partition(fits);
        plan.left_out = left_out;
        let mut kinds = self.kinds.clone();
        kinds.sort();
        kinds.dedup();
        if kinds.is_empty() {
            return Ok(plan);
        }
        let room = plan.duration_ms.saturating_sub(LEAD_MS + TAIL_MS);
        let sequence = sequence(&kinds, room, &mut Stream::derive(seed, "nemesis/kinds"));
        if sequence.is_empty() {
            return Err(Error::Refused(format!(
                "no fault fits into {:?}: it takes {} ms at least",
                self.duration,
                LEAD_MS + TAIL_MS + kinds.iter().map(|kind| longest(*kind)).min().unwrap_or(0)
            )));
        }
        let mut decks = Decks::new(seed, shapes, self.target.clone());
        let mut times = Stream::derive(seed, "nemesis/times");
        let mut start_ms = LEAD_MS;
        for (kind, number) in sequence.into_iter().zip(1..) {
            let (variant, target) = decks.draw(kind);
            let duration_ms = match kind {
                Kind::Lag => LAG_ACTIVE_MS,
                _ => times.between(ACTIVE_MS.0, ACTIVE_MS.1),
            };
            let pause_ms = times.between(PAUSE_MS.0, PAUSE_MS.1);
            plan.faults.push(PlannedFault {
                number,
                kind,
                variant,
                target,
                start_ms,
                duration_ms,
                pause_ms,
            });
            start_ms += duration_ms + pause_ms + overhead(kind);
        }
        Ok(plan)
    }
}

fn overhead(kind: Kind) -> u64 {
    match kind {
        Kind::Lag => LAG_RETURN_MS,
        Kind::Members => MEMBERS_MS,
        _ => OVERHEAD_MS,
    }
}

/// The time to reserve for a fault of this kind, its pause included.
fn longest(kind: Kind) -> u64 {
    let active = match kind {
        Kind::Lag => LAG_ACTIVE_MS,
        _ => mean(ACTIVE_MS),
    };
    active + overhead(kind) + mean(PAUSE_MS)
}

fn mean((least, most): (u64, u64)) -> u64 {
    (least + most) / 2
}

/// How often a kind comes in one round. Partitions have six variants to show.
fn weight(kind: Kind) -> usize {
    match kind {
        Kind::Kill => 2,
        Kind::Partition => 2,
        Kind::Pause | Kind::Lag | Kind::PowerLoss | Kind::Transfer | Kind::Members => 1,
    }
}

/// The kinds in the order in which they come.
fn sequence(kinds: &[Kind], mut room: u64, stream: &mut Stream) -> Vec<Kind> {
    let mut lags = 0;
    if kinds.contains(&Kind::Lag) {
        let alone = kinds.len() == 1;
        let wanted = if alone {
            u64::MAX
        } else {
            (room / LAG_EVERY_MS).max(2)
        };
        // Where there is little room, at most half of it, but one in any case.
        let share = if alone { room } else { room / 2 };
        let possible = (share / longest(Kind::Lag)).max(u64::from(room >= longest(Kind::Lag)));
        lags = wanted.min(possible);
        room -= lags * longest(Kind::Lag);
    }
    let round: Vec<Kind> = kinds
        .iter()
        .filter(|kind| **kind != Kind::Lag)
        .flat_map(|kind| vec![*kind; weight(*kind)])
        .collect();
    let mut order: Vec<Kind> = Vec::new();
    let mut deck: Vec<Kind> = Vec::new();
    while !round.is_empty() {
        if deck.is_empty() {
            deck = round.clone();
            stream.shuffle(&mut deck);
        }
        let Some(kind) = deck.pop() else { break };
        if longest(kind) > room {
            break;
        }
        room -= longest(kind);
        order.push(kind);
    }
    // Lags are spread evenly: the k-th of L stands after k/(L+1) of the others.
    let others = order.len() as u64;
    for k in (1..=lags).rev() {
        order.insert((others * k / (lags + 1)) as usize, Kind::Lag);
    }
    order
}

/// A shuffled deck that is shuffled again when it is used up.
struct Deck<T> {
    cards: Vec<T>,
    left: Vec<T>,
    stream: Stream,
}

impl<T: Clone> Deck<T> {
    fn new(seed: u64, name: &str, cards: Vec<T>) -> Self {
        Self {
            cards,
            left: Vec::new(),
            stream: Stream::derive(seed, name),
        }
    }

    fn draw(&mut self) -> Option<T> {
        if self.left.is_empty() {
            self.left = self.cards.clone();
            self.stream.shuffle(&mut self.left);
        }
        self.left.pop()
    }
}

struct Decks {
    kill: Deck<Target>,
    pause: Deck<Target>,
    shapes: Deck<Shape>,
    one_way: Deck<Target>,
    members: Deck<(Change, Target)>,
    target: Option<Target>,
}

impl Decks {
    fn new(seed: u64, shapes: Vec<Shape>, target: Option<Target>) -> Self {
        use Target::*;
        let kill = vec![Leader, Leader, Leader, Follower, Minority, Majority, All];
        let pause = vec![Leader, Leader, Follower, Minority, Majority];
        let members = vec![
            (Change::RemoveAdd, Follower),
            (Change::RemoveAdd, Leader),
            (Change::Replace, Follower),
        ];
        Self {
            kill: Deck::new(seed, "nemesis/kill", kill),
            pause: Deck::new(seed, "nemesis/pause", pause),
            shapes: Deck::new(seed, "nemesis/variants", shapes),
            one_way: Deck::new(seed, "nemesis/one-way", vec![Leader, One]),
            members: Deck::new(seed, "nemesis/members", members),
            target,
        }
    }

    fn draw(&mut self, kind: Kind) -> (Option<Variant>, Target) {
        let chosen = |drawn: Option<Target>| self.target.clone().or(drawn).unwrap_or(Target::One);
        match kind {
            Kind::Kill => {
                let drawn = self.kill.draw();
                (None, chosen(drawn))
            }
            Kind::Pause => {
                let drawn = self.pause.draw();
                (None, chosen(drawn))
            }
            Kind::Lag => (None, Target::Follower),
            Kind::PowerLoss => (None, Target::All),
            Kind::Transfer => (None, Target::Leader),
            Kind::Members => {
                let (change, target) = self.members.draw().unzip();
                (change.map(Variant::Members), chosen(target))
            }
            Kind::Partition => {
                let shape = self.shapes.draw();
                let target = match shape {
                    Some(Shape::LeaderAlone) => Target::Leader,
                    Some(Shape::Halves) => Target::Minority,
                    Some(Shape::MajorityRing) => Target::All,
                    Some(Shape::OneWay) => {
                        let drawn = self.one_way.draw();
                        chosen(drawn)
                    }
                    _ => chosen(Some(Target::One)),
                };
                (shape.map(Variant::Partition), target)
            }
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
