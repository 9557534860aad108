//! The consensus core under changes of the members, hand-overs and leases, with an unkind network: messages are lost,
//! doubled and reordered, servers crash, come back with what they had stored, or stand still for a while.
//!
//! What must hold at every step: one leader in a term, one entry at a committed index, no leader without what is
//! committed, no lease held by one who does not know what is committed. At the end, when everything is healed,
//! the members agree and commit.

use cluster::raft::{
    Batch, Change, ChunkData, Config, Message, Proposed, Raft, Restored, Role, TransferConfig,
};
use cluster::types::{Index, Membership, Root, ServerId, SnapshotMeta, Term};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};

const SERVERS: u64 = 5;
const TICK_MS: u64 = 10;

struct World {
    rng: Pcg64Mcg,
    now_ms: u64,
    /// None: crashed.
    servers: BTreeMap<ServerId, Option<Raft>>,
    disks: BTreeMap<ServerId, Restored>,
    /// Servers that stand still until then.
    paused: BTreeMap<ServerId, u64>,
    network: Vec<(ServerId, ServerId, Message)>,
    /// Links that lose everything.
    cut: BTreeSet<(ServerId, ServerId)>,
    leaders: BTreeMap<Term, ServerId>,
    committed: BTreeMap<Index, Term>,
    tickets: u64,
    seen: Seen,
    healed: bool,
}

/// How often what is rare happened.
#[derive(Debug, Default)]
struct Seen {
    leaders: usize,
    joint: u64,
    settled: BTreeSet<BTreeSet<ServerId>>,
    transfers: u64,
    lease_reads: u64,
    installs: u64,
    truncated: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: Pcg64Mcg::seed_from_u64(seed),
            now_ms: 0,
            servers: BTreeMap::new(),
            disks: BTreeMap::new(),
            paused: BTreeMap::new(),
            network: Vec::new(),
            cut: BTreeSet::new(),
            leaders: BTreeMap::new(),
            committed: BTreeMap::new(),
            tickets: 0,
            seen: Seen::default(),
            healed: false,
        };
        for id in (1..=SERVERS).map(ServerId) {
            world.disks.insert(id, Restored::default());
            world.start(id);
        }
        world
    }

    /// Three servers are a cluster; the others wait to be added.
    fn start(&mut self, id: ServerId) {
        let members = (1..=3).map(ServerId);
        let config = Config {
            id,
            members: if id.0 <= 3 {
                members.collect()
            } else {
                BTreeSet::new()
            },
            election_ticks: 10,
            heartbeat_ticks: 2,
            lease_ms: Some(70),
            seed: self.rng.next_u64(),
            max_append_bytes: 300,
            max_inflight_messages: 4,
            max_inflight_bytes: 1_000,
            transfer: TransferConfig {
                chunk_bytes: 10,
                window_bytes: 20,
                bytes_per_tick: None,
                delta: true,
            },
        };
        let raft = Raft::new(config, self.disks[&id].clone()).unwrap();
        self.servers.insert(id, Some(raft));
        self.carry_out(id);
    }

    fn random(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    fn anybody(&mut self) -> ServerId {
        ServerId(1 + self.random(SERVERS))
    }

    fn act(&mut self, id: ServerId, act: impl FnOnce(&mut Raft)) {
        if let Some(raft) = self.servers.get_mut(&id).and_then(Option::as_mut) {
            act(raft);
            self.carry_out(id);
        }
    }

    fn carry_out(&mut self, id: ServerId) {
        loop {
            let Some(raft) = self.servers.get_mut(&id).and_then(Option::as_mut) else {
                return;
            };
            let ready = raft.ready();
            if ready == Default::default() {
                break;
            }
            for to in ready.offers {
                let index = raft.applied();
                let meta = SnapshotMeta {
                    index,
                    term: raft.term_at(index).unwrap(),
                    members: raft.members_at(index),
                };
                raft.offer(to, meta);
            }
            for request in ready.chunks {
                let piece = ChunkData {
                    data: vec![0; 10],
                    reached: request.from.is_empty().then(|| b"middle".to_vec()),
                    root: Root(1),
                };
                raft.chunk_read(&request, Some(piece));
            }
            for piece in ready.stage {
                raft.staged(piece.meta.index, piece.base, piece.reached);
            }
            let disk = self.disks.get_mut(&id).unwrap();
            if let Some((meta, _)) = raft.installing().cloned() {
                self.seen.installs += 1;
                disk.snapshot = meta.clone();
                raft.installed(meta);
            }
            if let Some(batch) = ready.store {
                let sequence = batch.sequence;
                self.seen.truncated += u64::from(store(disk, batch));
                raft.stored(sequence).unwrap();
            }
            let send = ready.send.into_iter();
            self.network
                .extend(send.map(|(to, message)| (id, to, message)));
        }
        self.check(id);
    }

    fn check(&mut self, id: ServerId) {
        let Some(raft) = &self.servers[&id] else {
            return;
        };
        if raft.role() == Role::Leader {
            let leader = *self.leaders.entry(raft.term()).or_insert(id);
            assert_eq!(leader, id, "two leaders of term {}", raft.term());
            if let Some((&index, &term)) = self.committed.last_key_value()
                && term < raft.term()
                && index >= raft.first_index()
            {
                assert_eq!(
                    raft.term_at(index),
                    Some(term),
                    "{id} leads without {index}"
                );
            }
        }
        for index in raft.first_index()..=raft.commit() {
            let term = raft.term_at(index).unwrap();
            let known = *self.committed.entry(index).or_insert(term);
            assert_eq!(known, term, "{id} committed another entry {index}");
        }
        let members = raft.members();
        if members.is_joint() {
            self.seen.joint += 1;
        } else {
            self.seen.settled.insert(members.voters.clone());
        }
    }

    /// A leader that may answer reads by itself knows everything that is committed anywhere.
    fn check_lease(&mut self, id: ServerId) {
        if let Some(raft) = &self.servers[&id]
            && raft.holds_lease()
            && raft.term_at(raft.commit()) == Some(raft.term())
        {
            self.seen.lease_reads += 1;
            let newest = self
                .committed
                .last_key_value()
                .map_or(0, |(&index, _)| index);
            assert!(
                raft.commit() >= newest,
                "{id} of term {} holds a lease at {} and {newest} is committed",
                raft.term(),
                raft.commit()
            );
        }
    }

    fn step(&mut self) {
        self.now_ms += TICK_MS;
        let now_ms = self.now_ms;
        for id in (1..=SERVERS).map(ServerId) {
            if self.paused.get(&id).is_some_and(|&until| until > now_ms) {
                continue;
            }
            self.act(id, |raft| raft.tick(now_ms).unwrap());
            self.check_lease(id);
        }
        for _ in 0..40 {
            self.deliver();
        }
        if !self.healed {
            self.trouble();
        }
        if self.random(4) == 0 {
            let id = self.anybody();
            self.act(id, |raft| {
                let proposed = raft.propose([7; 20].into()).unwrap();
                assert!(!matches!(proposed, Proposed::Appended(0)));
            });
        }
    }

    fn deliver(&mut self) {
        if self.network.is_empty() {
            return;
        }
        // Mostly the oldest, sometimes any.
        let at = match self.random(5) {
            0 if !self.healed => self.random(self.network.len() as u64) as usize,
            _ => 0,
        };
        let (from, to, message) = match self.random(40) {
            0 if !self.healed => self.network[at].clone(),
            _ => self.network.remove(at),
        };
        let still = self
            .paused
            .get(&to)
            .is_some_and(|&until| until > self.now_ms);
        let lost = !self.healed && self.random(30) == 0;
        if still || lost || self.cut.contains(&(from, to)) {
            return;
        }
        self.act(to, |raft| raft.receive(from, message).unwrap());
    }

    fn trouble(&mut self) {
        let id = self.anybody();
        match self.random(250) {
            0..4 => {
                self.servers.insert(id, None);
            }
            4..12 if self.servers[&id].is_none() => self.start(id),
            // It has forgotten at once what it had heard.
            54..64 if self.servers[&id].is_some() => self.start(id),
            12..17 => self.partition(),
            17..22 => self.cut.clear(),
            22..25 => {
                let millis = 50 + self.random(300);
                self.paused.insert(id, self.now_ms + millis);
            }
            25..45 => self.change(id),
            45..50 => {
                self.tickets += 1;
                let (ticket, to) = (self.tickets, self.anybody());
                for leader in (1..=SERVERS).map(ServerId) {
                    let mut begun = false;
                    self.act(leader, |raft| {
                        begun = raft.transfer(ticket, Some(to)).is_ok();
                    });
                    self.seen.transfers += u64::from(begun);
                }
            }
            50..54 => {
                let disk = self.disks.get_mut(&id).unwrap();
                if let Some(raft) = self.servers.get_mut(&id).and_then(Option::as_mut)
                    && raft.commit() > raft.first_index()
                    && raft.installing().is_none()
                {
                    // What is durable and committed is applied in this test.
                    let index = raft.commit().min(raft.last_index()) - 1;
                    let meta = SnapshotMeta {
                        index,
                        term: raft.term_at(index).unwrap(),
                        members: raft.members_at(index),
                    };
                    disk.snapshot = meta.clone();
                    raft.checkpointed(meta.clone(), index);
                    disk.entries.retain(|entry| entry.index > index);
                    disk.base = (index, meta.term);
                }
            }
            _ => {}
        }
    }

    /// Two sides, or links at random, or one server away.
    fn partition(&mut self) {
        let (kind, side, away) = (self.random(3), self.rng.next_u64(), self.anybody());
        let pairs = (1..=SERVERS).flat_map(|from| (1..=SERVERS).map(move |to| (from, to)));
        for (from, to) in pairs {
            let apart = match kind {
                0 => (side >> from) & 1 != (side >> to) & 1,
                1 => (side >> (from * 8 + to)) & 1 == 1,
                _ => (from == away.0) != (to == away.0),
            };
            if apart {
                self.cut.insert((ServerId(from), ServerId(to)));
            }
        }
    }

    fn change(&mut self, id: ServerId) {
        self.tickets += 1;
        let ticket = self.tickets;
        let other = self.anybody();
        let address = None;
        let change = match self.random(5) {
            0 => Change::Remove { id },
            1 => Change::Promote { id },
            2 => Change::AddLearner { id, address },
            3 => Change::Replace {
                remove: other,
                add: id,
                address,
            },
            _ => Change::Add { id, address },
        };
        for leader in (1..=SERVERS).map(ServerId) {
            let change = change.clone();
            self.act(leader, |raft| drop(raft.change(ticket, change).unwrap()));
        }
    }

    fn heal(&mut self) {
        self.healed = true;
        self.cut.clear();
        self.paused.clear();
        for id in (1..=SERVERS).map(ServerId) {
            if self.servers[&id].is_none() {
                self.start(id);
            }
        }
    }

    /// The membership that the leader of the highest term goes by, if it is settled and everybody in it has
    /// committed what it has.
    fn agreed(&self) -> Option<Membership> {
        let servers = self.servers.values().flatten();
        let leader = servers
            .filter(|raft| raft.role() == Role::Leader)
            .max_by_key(|raft| raft.term())?;
        let members = leader.members();
        let everyone = members.everyone();
        let all = everyone.iter().all(|id| {
            let raft = self.servers[id].as_ref().expect("everybody runs");
            raft.members() == members && raft.commit() + 30 >= leader.last_index()
        });
        let own = leader.term_at(leader.commit()) == Some(leader.term());
        (all && own && !members.is_joint()).then(|| members.clone())
    }
}

/// Does to a disk what a batch asks for; true if entries were replaced.
fn store(disk: &mut Restored, batch: Batch) -> bool {
    if let Some(base) = batch.mark {
        let keeps = disk.entries.iter().any(|e| (e.index, e.term) == base);
        disk.entries.retain(|entry| keeps && entry.index > base.0);
        disk.base = base;
    }
    let before = disk.entries.len();
    if let Some(first) = batch.entries.first() {
        disk.entries.retain(|entry| entry.index < first.index);
    }
    let replaced = disk.entries.len() < before;
    disk.entries.extend(batch.entries);
    disk.hard_state = batch.hard_state.unwrap_or(disk.hard_state);
    replaced
}

fn play(seed: u64) -> Seen {
    let mut world = World::new(seed);
    for _ in 0..3_000 {
        world.step();
    }
    world.heal();
    let mut patience = 3_000;
    while world.agreed().is_none() {
        patience -= 1;
        if patience == 0 {
            let servers = world.servers.values().flatten();
            let told: Vec<String> = servers
                .map(|raft| {
                    let (id, role, term) = (raft.id(), raft.role(), raft.term());
                    let (last, commit) = (raft.last_index(), raft.commit());
                    let flows = raft.flows();
                    format!(
                        "{id} {role:?} of {term}, {last}/{commit}, {:?} {flows:?}",
                        raft.members()
                    )
                })
                .collect();
            panic!(
                "seed {seed}: no agreement after healing:\n{}",
                told.join("\n")
            );
        }
        world.step();
    }
    world.seen.leaders = world.leaders.len();
    world.seen
}

#[test]
fn members_change_under_faults_and_nothing_that_must_hold_breaks() {
    let seeds = std::env::var("STRATA_SEEDS").map_or(20, |seeds| seeds.parse().expect("a number"));
    let mut total = Seen::default();
    for seed in 0..seeds {
        let seen = std::panic::catch_unwind(|| play(seed))
            .unwrap_or_else(|_| panic!("seed {seed} failed"));
        total.leaders += seen.leaders;
        total.joint += seen.joint;
        total.settled.extend(seen.settled);
        total.transfers += seen.transfers;
        total.lease_reads += seen.lease_reads;
        total.installs += seen.installs;
        total.truncated += seen.truncated;
    }
    println!("{total:?}");
    assert!(total.settled.len() > 5 && total.joint > 0, "{total:?}");
    assert!(total.transfers > 0 && total.lease_reads > 0, "{total:?}");
    assert!(total.installs > 0 && total.truncated > 0, "{total:?}");
}
