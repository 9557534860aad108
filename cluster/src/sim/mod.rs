//! A cluster in one thread: the real replicas on a simulated disk, network and clock.
//!
//! [`run`] plays one seed. Everything random comes from the seed and everything is ordered, so the same seed gives
//! the same trace ([`Report::trace`]). Messages are lost, doubled, delayed and reordered; links are cut, also in
//! one direction and for long enough that the log is compacted meanwhile; servers crash and lose what was not
//! synced. After each event the safety properties of Raft (figure 3) are checked by [`invariants`]; at the end
//! everything is healed and the cluster must make progress and hold every acknowledged write.

mod host;
mod invariants;

pub use invariants::Violation;

use crate::api::{KvOp, Request};
use crate::raft::Message;
use crate::replica::{Ack, Input};
use crate::types::ServerId;
use host::Host;
use invariants::Invariants;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Options {
    pub servers: u64,
    /// Simulated milliseconds with faults, before healing.
    pub faulty_ms: u64,
    /// Bound for recovery and progress after healing.
    pub heal_ms: u64,
    pub checkpoint_entries: u64,
    pub trailing: u64,
    /// Weaknesses that must be found.
    pub weakness: Weakness,
}

/// Deliberate errors, to show that the simulation would find them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    None,
    /// Writes are acknowledged before they are replicated.
    AckBeforeReplication,
    /// The disk says that it has synced and has not.
    SyncNever,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub seed: u64,
    pub violation: Option<Violation>,
    /// Hash over every event.
    pub trace: u64,
    pub events: u64,
    pub simulated_ms: u64,
    pub acknowledged: u64,
    pub coverage: Coverage,
}

/// How often the rare paths were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub crashes: u64,
    pub partitions: u64,
    pub leaders: u64,
    pub checkpoints: u64,
    pub installs: u64,
    pub truncations: u64,
    pub torn_tails: u64,
    pub lost: u64,
    pub doubled: u64,
}

impl Coverage {
    pub fn add(&mut self, other: &Coverage) {
        self.crashes += other.crashes;
        self.partitions += other.partitions;
        self.leaders += other.leaders;
        self.checkpoints += other.checkpoints;
        self.installs += other.installs;
        self.truncations += other.truncations;
        self.torn_tails += other.torn_tails;
        self.lost += other.lost;
        self.doubled += other.doubled;
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: 3,
            faulty_ms: 12_000,
            heal_ms: 20_000,
            checkpoint_entries: 25,
            trailing: 5,
            weakness: Weakness::None,
        }
    }
}

/// Milliseconds between two ticks of a replica.
const TICK_MS: u64 = 10;

enum Event {
    Tick(ServerId),
    Deliver {
        from: ServerId,
        to: ServerId,
        message: Message,
        link: u64,
    },
    /// Storage of a server finished something; `life` tells its starts apart.
    Done {
        to: ServerId,
        life: u64,
        input: Box<Input>,
    },
    Client,
    Fault,
    Restart(ServerId),
    Mend,
}

struct World {
    options: Options,
    rng: Pcg64Mcg,
    now_ms: u64,
    next: u64,
    /// By time, then by order of creation.
    queue: BTreeMap<(u64, u64), Event>,
    hosts: BTreeMap<ServerId, Host>,
    cut: BTreeSet<(ServerId, ServerId)>,
    invariants: Invariants,
    report: Report,
    healed: bool,
    writes: u64,
}

/// Plays one seed.
pub fn run(seed: u64, options: &Options) -> Report {
    let mut world = World::new(seed, options.clone());
    let result = world.play();
    let mut report = world.report;
    report.simulated_ms = world.now_ms;
    report.acknowledged = world.invariants.acknowledged();
    report.violation = result.err();
    report
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let members: BTreeSet<ServerId> = (1..=options.servers).map(ServerId).collect();
        let hosts = members
            .iter()
            .map(|&id| (id, Host::new(id, members.clone(), seed, &options)))
            .collect();
        Self {
            rng: Pcg64Mcg::seed_from_u64(seed),
            now_ms: 0,
            next: 0,
            queue: BTreeMap::new(),
            hosts,
            cut: BTreeSet::new(),
            invariants: Invariants::new(options.servers),
            report: Report {
                seed,
                ..Report::default()
            },
            healed: false,
            writes: 0,
            options,
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        for id in self.ids() {
            self.start(id)?;
        }
        self.schedule(50, Event::Client);
        self.schedule(500, Event::Fault);
        let faulty_ms = self.options.faulty_ms;
        self.until(faulty_ms, |_| false)?;
        self.heal()?;
        let target = self.invariants.acknowledged() + 10;
        let end = self.now_ms + self.options.heal_ms;
        self.until(end, move |world| {
            world.invariants.acknowledged() >= target && world.agree()
        })?;
        if self.invariants.acknowledged() < target || !self.agree() {
            return Err(Violation(format!(
                "no progress after everything was healed: {}",
                self.describe()
            )));
        }
        let machines = self
            .hosts
            .values()
            .filter_map(|host| host.replica.as_ref())
            .map(|replica| replica.machine());
        self.invariants.check_final(machines)
    }

    fn until(&mut self, end_ms: u64, stop: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        while !stop(self) {
            let Some(((time, _), event)) = self.queue.pop_first() else {
                return Ok(());
            };
            if time > end_ms {
                let order = self.next;
                self.next += 1;
                self.queue.insert((time, order), event);
                self.now_ms = end_ms;
                return Ok(());
            }
            self.now_ms = time;
            self.report.events += 1;
            self.happen(event)?;
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Tick(id) => {
                let now_ms = self.now_ms;
                if self.hosts[&id].replica.is_some() {
                    self.step(id, Input::Tick { now_ms })?;
                }
                self.schedule(TICK_MS, Event::Tick(id));
            }
            Event::Deliver {
                from,
                to,
                message,
                link,
            } => {
                // A message dies with the process at either end, as its connection would.
                if self.link(from, to) == link
                    && !self.cut.contains(&(from, to))
                    && self.hosts[&to].replica.is_some()
                {
                    self.note(&[1, from.0, to.0, message.term().unwrap_or(0)]);
                    self.step(to, Input::Message { from, message })?;
                }
            }
            Event::Done { to, life, input } => {
                if self.hosts[&to].life == life && self.hosts[&to].replica.is_some() {
                    self.step(to, *input)?;
                }
            }
            Event::Client => {
                self.write()?;
                let pause = 1 + self.random(60);
                self.schedule(pause, Event::Client);
            }
            Event::Fault => {
                if !self.healed {
                    self.fault();
                    let pause = 100 + self.random(1_500);
                    self.schedule(pause, Event::Fault);
                }
            }
            Event::Restart(id) => {
                if self.hosts[&id].replica.is_none() {
                    self.start(id)?;
                }
            }
            Event::Mend => self.cut.clear(),
        }
        Ok(())
    }

    /// A client writes a unique value through any server.
    fn write(&mut self) -> Result<(), Violation> {
        let ids = self.ids();
        let id = ids[self.random(ids.len() as u64) as usize];
        if self.hosts[&id].replica.is_none() {
            return Ok(());
        }
        self.writes += 1;
        let (ticket, value) = (self.writes, format!("{} ", self.writes));
        let op = match self.writes % 3 {
            0 => KvOp::Append {
                key: format!("list{}", self.writes % 7),
                value,
            },
            _ => KvOp::Put {
                key: format!("key{}", self.writes),
                value,
            },
        };
        self.invariants.invoked(ticket, op.clone());
        let request = Request {
            op,
            session: None,
            stale: false,
            timeout_ms: Some(2_000),
        };
        self.step(id, Input::Request { ticket, request })
    }

    fn fault(&mut self) {
        let ids = self.ids();
        match self.random(5) {
            0 | 1 => {
                let id = ids[self.random(ids.len() as u64) as usize];
                self.crash(id);
                let pause = 20 + self.random(2_000);
                self.schedule(pause, Event::Restart(id));
            }
            2 => {
                // One server is away, in one direction or both; often until the others have compacted.
                let id = ids[self.random(ids.len() as u64) as usize];
                let direction = self.random(3);
                for &other in ids.iter().filter(|&&other| other != id) {
                    if direction != 1 {
                        self.cut.insert((id, other));
                    }
                    if direction != 2 {
                        self.cut.insert((other, id));
                    }
                }
                self.partition(4_000);
            }
            3 => {
                let side: BTreeSet<ServerId> = ids
                    .iter()
                    .copied()
                    .filter(|_| self.rng.next_u64().is_multiple_of(2))
                    .collect();
                for &from in &ids {
                    for &to in &ids {
                        if side.contains(&from) != side.contains(&to) {
                            self.cut.insert((from, to));
                        }
                    }
                }
                self.partition(1_500);
            }
            _ => {
                // The power of the whole cluster goes.
                for id in ids {
                    self.crash(id);
                    let pause = 20 + self.random(500);
                    self.schedule(pause, Event::Restart(id));
                }
            }
        }
    }

    fn partition(&mut self, longest_ms: u64) {
        self.report.coverage.partitions += 1;
        let pause = 50 + self.random(longest_ms);
        self.schedule(pause, Event::Mend);
    }

    fn crash(&mut self, id: ServerId) {
        let seed = self.rng.next_u64();
        let host = self.hosts.get_mut(&id).expect("a member");
        if host.crash(seed) {
            self.report.coverage.crashes += 1;
            self.note(&[2, id.0]);
        }
    }

    fn heal(&mut self) -> Result<(), Violation> {
        self.healed = true;
        self.cut.clear();
        for id in self.ids() {
            if self.hosts[&id].replica.is_none() {
                self.start(id)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, id: ServerId) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a member");
        let torn = host
            .start()
            .map_err(|error| Violation(format!("{id} did not come back: {error}")))?;
        self.report.coverage.torn_tails += u64::from(torn > 0);
        self.note(&[3, id.0]);
        let first_start = self.hosts[&id].life == 1;
        if first_start {
            let offset = self.random(TICK_MS);
            self.schedule(offset, Event::Tick(id));
        }
        self.check(id)
    }

    /// One step of a replica, its effects, and the invariants after it.
    fn step(&mut self, id: ServerId, input: Input) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a member");
        let outcome = host
            .step(input)
            .map_err(|error| Violation(format!("{id} stopped: {error}")))?;
        let life = host.life;
        self.report.coverage.add(&outcome.coverage);
        for (to, message) in outcome.send {
            self.send(id, to, message);
        }
        for (delay_ms, input) in outcome.later {
            let delay = delay_ms + self.random(8);
            self.schedule(
                delay,
                Event::Done {
                    to: id,
                    life,
                    input: Box::new(input),
                },
            );
        }
        for (ticket, result) in outcome.answers {
            self.note(&[4, ticket, u64::from(result.is_ok())]);
            self.invariants.answered(ticket, result);
        }
        self.check(id)
    }

    fn check(&mut self, id: ServerId) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a member");
        let Some(replica) = host.replica.as_mut() else {
            return Ok(());
        };
        let led = self.invariants.leaders();
        self.invariants.check(replica)?;
        self.report.coverage.leaders += self.invariants.leaders() - led;
        Ok(())
    }

    fn send(&mut self, from: ServerId, to: ServerId, message: Message) {
        let link = self.link(from, to);
        let faulty = !self.healed;
        if faulty && self.random(100) < 4 {
            self.report.coverage.lost += 1;
            return;
        }
        let copies = if faulty && self.random(100) < 3 { 2 } else { 1 };
        self.report.coverage.doubled += copies - 1;
        for _ in 0..copies {
            let slow = faulty && self.random(100) < 5;
            let delay = 1 + self.random(if slow { 400 } else { 8 });
            self.schedule(
                delay,
                Event::Deliver {
                    from,
                    to,
                    message: message.clone(),
                    link,
                },
            );
        }
    }

    /// Changes when either end restarts.
    fn link(&self, from: ServerId, to: ServerId) -> u64 {
        self.hosts[&from].life * 1_000_000 + self.hosts[&to].life
    }

    /// Everybody runs and has applied the same.
    fn agree(&self) -> bool {
        let applied: BTreeSet<Option<u64>> = self
            .hosts
            .values()
            .map(|host| {
                host.replica
                    .as_ref()
                    .map(|replica| replica.machine().applied())
            })
            .collect();
        applied.len() == 1 && !applied.contains(&None)
    }

    /// Where every server stands.
    fn describe(&self) -> String {
        let hosts = self.hosts.iter().map(|(id, host)| match &host.replica {
            None => format!("{id} is down"),
            Some(replica) => {
                let status = replica.status();
                format!(
                    "{id} {} of term {}, log {}..={}, commit {}, applied {}, sends {:?}",
                    status.role,
                    status.term,
                    status.first_index,
                    status.last_index,
                    status.commit,
                    status.applied,
                    replica.raft().flows()
                )
            }
        });
        hosts.collect::<Vec<_>>().join("; ")
    }

    fn ids(&self) -> Vec<ServerId> {
        self.hosts.keys().copied().collect()
    }

    fn random(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below.max(1)
    }

    fn schedule(&mut self, delay_ms: u64, event: Event) {
        let order = self.next;
        self.next += 1;
        self.queue.insert((self.now_ms + delay_ms, order), event);
    }

    fn note(&mut self, words: &[u64]) {
        for word in words.iter().chain([&self.now_ms]) {
            self.report.trace = (self.report.trace ^ word)
                .wrapping_mul(0x0000_0100_0000_01b3)
                .rotate_left(7);
        }
    }
}

impl Weakness {
    fn ack(self) -> Ack {
        if self == Weakness::AckBeforeReplication {
            Ack::Leader
        } else {
            Ack::Quorum
        }
    }
}
