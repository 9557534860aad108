//! The one thread in which everything happens: events by time, hosts, network and clients.

use super::Report;
use super::host::{Host, TICK_MS};
use super::invariants::{Invariants, Violation};
use super::load::Load;
use super::network::{Network, STORM};
use super::options::Options;
use crate::raft::{Message, Role, TransferResult};
use crate::replica::Input;
use crate::types::ServerId;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};

/// Progress that must be made after everything was healed, in acknowledged requests.
const PROGRESS: u64 = 20;
/// One crash within so many pieces of work of a disk, while there are faults.
const CRASH_IN_IMAGE_WORK: u64 = 12;
const CRASH_IN_SYNC: u64 = 400;

pub enum Event {
    Tick(ServerId),
    Deliver {
        from: ServerId,
        to: ServerId,
        message: Message,
        link: (u64, u64),
    },
    /// Storage of a server finished something; `life` tells its starts apart.
    Done {
        to: ServerId,
        life: u64,
        input: Box<Input>,
    },
    /// A client's request arrives.
    Request {
        to: ServerId,
        life: u64,
        input: Box<Input>,
    },
    /// The thread for images of a server finished something.
    ImageWork {
        to: ServerId,
        life: u64,
    },
    Client(usize),
    Fault,
    Restart(ServerId),
    Mend,
}

pub struct World {
    pub options: Options,
    pub rng: Pcg64Mcg,
    pub now_ms: u64,
    next: u64,
    /// By time, then by order of creation.
    queue: BTreeMap<(u64, u64), Event>,
    pub hosts: BTreeMap<ServerId, Host>,
    pub network: Network,
    load: Box<dyn Load>,
    invariants: Invariants,
    pub report: Report,
    pub admin_tickets: u64,
    /// Who sent the last piece that each server has of a transfer.
    transfers: BTreeMap<ServerId, ServerId>,
}

impl World {
    pub fn new(seed: u64, options: Options, load: Box<dyn Load>) -> Self {
        let members: BTreeSet<ServerId> = (1..=options.servers).map(ServerId).collect();
        let all = (1..=options.servers + options.spares).map(ServerId);
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let hosts = all
            .map(|id| {
                let members = if members.contains(&id) {
                    members.clone()
                } else {
                    BTreeSet::new()
                };
                let mut host = Host::new(id, members, seed, &options);
                host.drift = (rng.next_u64() % 61) as i64 - 30;
                (id, host)
            })
            .collect();
        Self {
            rng,
            now_ms: 0,
            next: 0,
            queue: BTreeMap::new(),
            hosts,
            network: Network::default(),
            load,
            invariants: Invariants::default(),
            report: Report {
                seed,
                ..Report::default()
            },
            admin_tickets: 0,
            transfers: BTreeMap::new(),
            options,
        }
    }

    pub fn play(&mut self) -> Result<(), Violation> {
        if self.options.lease {
            self.report.coverage.count("lease-run");
        }
        for id in self.ids() {
            self.start(id)?;
        }
        for client in 0..self.load.clients() {
            self.schedule(50 + client as u64, Event::Client(client));
        }
        self.schedule(500, Event::Fault);
        let faulty_ms = self.options.faulty_ms;
        self.until(faulty_ms, |_| false)?;
        self.heal()?;
        let target = self.load.acknowledged() + PROGRESS;
        let end = self.now_ms + self.options.heal_ms;
        self.until(end, move |world| {
            world.load.acknowledged() >= target && world.agree()
        })?;
        self.report.acknowledged = self.load.acknowledged();
        if self.load.acknowledged() < target || !self.agree() {
            return Err(Violation(format!(
                "no progress after everything was healed: {}",
                self.describe()
            )));
        }
        self.load.wind_up();
        let end = self.now_ms + self.options.heal_ms;
        self.until(end, |world| world.load.is_done() && world.agree())?;
        if !self.load.is_done() || !self.agree() {
            return Err(Violation(format!(
                "what was asked in the end found no end: {}",
                self.describe()
            )));
        }
        self.report.acknowledged = self.load.acknowledged();
        self.check_end()
    }

    fn check_end(&mut self) -> Result<(), Violation> {
        for host in self.hosts.values() {
            host.count_resent(&mut self.report.coverage);
        }
        let members = self.membership().unwrap_or_default().everyone();
        let machines: Vec<_> = self
            .hosts
            .iter()
            .filter(|(id, _)| members.contains(id))
            .filter_map(|(_, host)| host.replica.as_ref())
            .map(|replica| replica.machine())
            .collect();
        if machines.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(Violation(
                "servers that applied the same entries hold different states".into(),
            ));
        }
        let Some(machine) = machines.first() else {
            return Err(Violation("no server holds the state".into()));
        };
        match self.load.judge(machine) {
            Some(result) => result,
            None => {
                self.report.undecided = true;
                Ok(())
            }
        }
    }

    fn until(&mut self, end_ms: u64, stop: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        while !stop(self) {
            let Some(((time, order), event)) = self.queue.pop_first() else {
                return Ok(());
            };
            if time > end_ms {
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
        // A server that stands still takes what came meanwhile when it goes on.
        if let Event::Tick(id)
        | Event::Deliver { to: id, .. }
        | Event::Done { to: id, .. }
        | Event::Request { to: id, .. }
        | Event::ImageWork { to: id, .. } = &event
        {
            let id = *id;
            let until = self.hosts[&id].paused_until;
            if until > self.now_ms {
                self.schedule(until - self.now_ms, event);
                return Ok(());
            }
            self.tell_time(id)?;
        }
        match event {
            Event::Tick(id) => {
                self.tell_time(id)?;
                self.schedule(1, Event::Tick(id));
            }
            Event::Deliver {
                from,
                to,
                message,
                link,
            } => {
                // A message dies with the process at either end, as its connection would.
                if self.link(from, to) == link
                    && !self.network.is_cut(from, to)
                    && self.hosts[&to].replica.is_some()
                {
                    self.note(&[1, from.0, to.0, message.term().unwrap_or(0)]);
                    self.watch(from, to, &message);
                    self.step(to, Input::Message { from, message })?;
                }
            }
            Event::Done { to, life, input } => {
                if self.hosts[&to].life == life && self.hosts[&to].replica.is_some() {
                    self.done(to, *input)?;
                }
            }
            Event::Request { to, life, input } => {
                if self.hosts[&to].life == life && self.hosts[&to].replica.is_some() {
                    self.step(to, *input)?;
                }
            }
            Event::ImageWork { to, life } => {
                if self.hosts[&to].life == life && self.hosts[&to].replica.is_some() {
                    self.image_work(to)?;
                }
            }
            Event::Client(client) => {
                if self.load.is_idle(client) {
                    self.ask(client)?;
                }
                let pause = 1 + self.random(50);
                self.schedule(pause, Event::Client(client));
            }
            Event::Fault => {
                if !self.network.healed {
                    self.fault()?;
                    let pause = 100 + self.random(1_200);
                    self.schedule(pause, Event::Fault);
                }
            }
            Event::Restart(id) => {
                if self.hosts[&id].replica.is_none() {
                    self.start(id)?;
                }
            }
            Event::Mend => self.network.mend(),
        }
        Ok(())
    }

    fn ask(&mut self, client: usize) -> Result<(), Violation> {
        let ids = self.ids();
        let rng = &mut self.rng;
        let mut draw = |below: u64| rng.next_u64() % below;
        let asked = self.load.ask(client, &ids, self.now_ms, &mut draw);
        let Some((server, ticket, request)) = asked else {
            return Ok(());
        };
        if self.hosts[&server].replica.is_none() {
            // Nobody listens: certainly not done.
            let error = crate::api::ApiError {
                code: "refused".into(),
                definite: true,
                message: String::new(),
                leader: None,
            };
            self.load.answered(ticket, Err(error), self.now_ms);
            return Ok(());
        }
        let life = self.hosts[&server].life;
        let delay = self.random(3);
        let input = Box::new(Input::Request { ticket, request });
        let to = server;
        self.schedule(delay, Event::Request { to, life, input });
        Ok(())
    }

    /// A server takes the time of its clock before it takes anything else, as the program does.
    fn tell_time(&mut self, id: ServerId) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a server");
        let now_ms = host.clock(self.now_ms);
        if host.replica.is_none() || now_ms < host.ticked_ms + TICK_MS {
            return Ok(());
        }
        host.ticked_ms = now_ms;
        self.step(id, Input::Tick { now_ms })
    }

    /// Storage finished something; a crash may come within.
    fn done(&mut self, id: ServerId, input: Input) -> Result<(), Violation> {
        if !matches!(input, Input::Stored { .. })
            || self.network.healed
            || self.random(CRASH_IN_SYNC) > 0
        {
            return self.step(id, input);
        }
        self.report.coverage.count("crash-in-sync");
        let after = 1 + self.random(2);
        self.host(id).fail_disk(Some(after));
        self.step(id, input)
    }

    fn image_work(&mut self, id: ServerId) -> Result<(), Violation> {
        let faulty = !self.network.healed && self.random(CRASH_IN_IMAGE_WORK) == 0;
        let dangerous = self.hosts[&id].image_work().filter(|_| faulty);
        if let Some(name) = dangerous {
            self.report.coverage.count(name);
            let after = 1 + self.random(14);
            self.host(id).fail_disk(Some(after));
        }
        let coverage = &mut self.report.coverage;
        let host = self.hosts.get_mut(&id).expect("a server");
        match host.finish_image_work(coverage) {
            Ok(Some((input, next))) => {
                if dangerous.is_some() {
                    host.fail_disk(None);
                }
                if let Some(takes_ms) = next {
                    let life = host.life;
                    self.schedule(takes_ms, Event::ImageWork { to: id, life });
                }
                // The answer takes its way: a crash may come before it.
                let life = self.hosts[&id].life;
                let delay = 1 + self.random(10);
                self.schedule(
                    delay,
                    Event::Done {
                        to: id,
                        life,
                        input: Box::new(input),
                    },
                );
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.stopped_by(id, error, true),
        }
    }

    /// The process of a server ends; with `power`, its machine's power goes.
    pub fn stop(&mut self, id: ServerId, power: bool) {
        let seed = self.rng.next_u64();
        let coverage = &mut self.report.coverage;
        let host = self.hosts.get_mut(&id).expect("a server");
        if host.stop(power, seed, coverage) {
            self.note(&[2, id.0]);
            self.load.server_gone(id, self.now_ms);
        }
    }

    fn heal(&mut self) -> Result<(), Violation> {
        self.network.healed = true;
        self.network.mend();
        for id in self.ids() {
            let host = self.host(id);
            host.fail_disk(None);
            host.paused_until = 0;
            if host.replica.is_none() {
                self.start(id)?;
            }
        }
        Ok(())
    }

    pub fn start(&mut self, id: ServerId) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a server");
        let torn = match host.start(self.now_ms) {
            Ok(torn) => torn,
            Err(error) if error.is_disk() && !self.network.healed => {
                host.stop(false, 0, &mut self.report.coverage);
                host.fail_disk(None);
                let pause = 20 + self.random(500);
                self.schedule(pause, Event::Restart(id));
                return Ok(());
            }
            Err(error) => return Err(Violation(format!("{id} did not come back: {error}"))),
        };
        let first_start = host.life == 1;
        if torn > 0 {
            self.report.coverage.count("torn-tail");
        }
        self.note(&[3, id.0]);
        if first_start {
            self.schedule(0, Event::Tick(id));
        }
        self.check(id)
    }

    /// One step of a replica, its effects, and the invariants after it.
    pub fn step(&mut self, id: ServerId, input: Input) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a server");
        let outcome = match host.step(input) {
            Ok(outcome) => outcome,
            Err(error) => {
                let power = self.random(2) == 0;
                return self.stopped_by(id, error, power);
            }
        };
        let life = host.life;
        self.report.coverage.add(&outcome.coverage);
        for (to, message) in outcome.send {
            self.send(id, to, message)?;
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
        if let Some(takes_ms) = outcome.image_work {
            self.schedule(takes_ms, Event::ImageWork { to: id, life });
        }
        for (ticket, result) in outcome.answers {
            self.note(&[4, ticket, u64::from(result.is_ok())]);
            self.load.answered(ticket, result, self.now_ms);
        }
        self.check(id)
    }

    fn check(&mut self, id: ServerId) -> Result<(), Violation> {
        let host = self.hosts.get_mut(&id).expect("a server");
        let Some(replica) = host.replica.as_mut() else {
            return Ok(());
        };
        let led = self.invariants.leaders();
        self.invariants.check(replica)?;
        let new = self.invariants.leaders() - led;
        self.report.coverage.add_to("leader", new);
        Ok(())
    }

    fn send(&mut self, from: ServerId, to: ServerId, message: Message) -> Result<(), Violation> {
        if !self.hosts.contains_key(&to) {
            return Ok(());
        }
        let link = self.link(from, to);
        let delivery = self.network.send(self.now_ms, &mut self.rng);
        if delivery.storm {
            return Err(Violation(format!(
                "more than {STORM} messages within a second; the last one {from} to {to}: {message:?}"
            )));
        }
        match delivery.delays.len() {
            0 => self.report.coverage.count("lost"),
            1 => {}
            _ => self.report.coverage.count("doubled"),
        }
        for delay in delivery.delays {
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
        Ok(())
    }

    /// Counts what the transfers of images go through.
    fn watch(&mut self, from: ServerId, to: ServerId, message: &Message) {
        match message {
            Message::Offer { .. } if self.hosts[&to].writes_checkpoint() => {
                self.report.coverage.count("offer-during-checkpoint");
            }
            Message::TransferReply {
                result: TransferResult::Want { have, .. },
                ..
            } if !have.is_empty() => {
                let before = self.transfers.insert(from, to);
                self.report.coverage.count(match before {
                    Some(other) if other != to => "transfer-continued",
                    _ => "transfer-resumed",
                });
            }
            Message::Chunk { .. } => {
                let before = self.transfers.insert(to, from);
                if before.is_some_and(|other| other != from) {
                    self.transfers.insert(to, from);
                }
            }
            _ => {}
        }
    }

    /// Changes when either end restarts.
    fn link(&self, from: ServerId, to: ServerId) -> (u64, u64) {
        (self.hosts[&from].life, self.hosts[&to].life)
    }

    /// All members run and have applied the same.
    fn agree(&self) -> bool {
        let Some(members) = self.membership() else {
            return false;
        };
        let applied: BTreeSet<Option<u64>> = members
            .everyone()
            .iter()
            .map(|id| {
                let replica = self.hosts.get(id)?.replica.as_ref()?;
                Some(replica.machine().applied())
            })
            .collect();
        applied.len() == 1 && !applied.contains(&None)
    }

    /// Who leads the highest term.
    pub fn leader(&self) -> Option<ServerId> {
        let leaders = self.hosts.iter().filter_map(|(&id, host)| {
            let raft = host.replica.as_ref()?.raft();
            (raft.role() == Role::Leader).then_some((raft.term(), id))
        });
        leaders.max().map(|(_, id)| id)
    }

    /// Where every server stands.
    fn describe(&self) -> String {
        let hosts = self.hosts.iter().map(|(id, host)| match &host.replica {
            None => format!("{id} is down"),
            Some(replica) => {
                let status = replica.status();
                format!(
                    "{id} {} of term {}, log {}..={}, commit {}, applied {}, voters {:?}, sends {:?}",
                    status.role,
                    status.term,
                    status.first_index,
                    status.last_index,
                    status.commit,
                    status.applied,
                    status.members.voters,
                    replica.raft().flows()
                )
            }
        });
        hosts.collect::<Vec<_>>().join("; ")
    }

    pub fn host(&mut self, id: ServerId) -> &mut Host {
        self.hosts.get_mut(&id).expect("a server")
    }

    pub fn ids(&self) -> Vec<ServerId> {
        self.hosts.keys().copied().collect()
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below.max(1)
    }

    pub fn schedule(&mut self, delay_ms: u64, event: Event) {
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
