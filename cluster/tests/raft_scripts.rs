//! The consensus core as stories: each file in `tests/raft` is a sequence of commands and what they lead to.
//!
//! A block is commands, then `---`, then the expected output, then an empty line. Commands:
//! `cluster N` / `cluster N lease` (leases of 70 ms), `join nX` (a server that waits to be added), `tick nX T` (ticks of
//! 10 ms), `elect nX` (tick until it asks for votes, then deliver), `deliver` (everything that is
//! under way, and what follows from it), `cut nX` / `cut nX->nY`, `mend`, `lose` (drop what is under way), `again`
//! (deliver what was delivered last once more), `propose nX TEXT`, `read nX ID`, `compact nX INDEX` (a checkpoint
//! there, nothing trailing), `hold nX` / `store nX` (its disk stops answering, answers), `status`,
//! `change nX add|learner|promote|remove nY` / `change nX replace nY nZ`, `transfer nX [nY]`, `members`, `pause nX MS`
//! (its clock goes on without ticks), `crash nX`, `restart nX` / `restart nX losing INDEX` (with what it stored, but
//! for the entries from there on), `append nX->nY term T after I@T I@T ... commit C` (a message from nowhere). A
//! server that meets an impossible state says so and is gone.
//!
//! `STRATA_SCRIPTS=write cargo test -p cluster --test raft_scripts` writes what happens now into the files; read the
//! difference before you keep it.

use cluster::raft::{
    AppendResult, Batch, Change, ChunkData, Config, Impossible, Message, Raft, Restored, Role,
    TransferConfig, TransferResult,
};
use cluster::types::{Entry, EntryKind, Index, Membership, Root, ServerId, SnapshotMeta, Term};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::Path;

type Sent = (ServerId, ServerId, Message);

#[derive(Default)]
struct Stage {
    servers: BTreeMap<ServerId, Raft>,
    /// What each server has applied, as text.
    applied: BTreeMap<ServerId, BTreeMap<Index, String>>,
    network: VecDeque<Sent>,
    delivered: Vec<Sent>,
    cut: BTreeSet<(ServerId, ServerId)>,
    /// Servers whose disk does not answer, and what it would write.
    held: BTreeMap<ServerId, Vec<Batch>>,
    disks: BTreeMap<ServerId, Restored>,
    /// What each server's clock says.
    clocks: BTreeMap<ServerId, u64>,
    lease_ms: Option<u64>,
    tickets: u64,
    out: String,
}

impl Stage {
    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["cluster", count] => self.cluster(count.parse().unwrap()),
            ["cluster", count, "lease"] => {
                self.lease_ms = Some(70);
                self.cluster(count.parse().unwrap());
            }
            ["join", server] => self.start(id(server), BTreeSet::new()),
            ["tick", server, times] => {
                for _ in 0..times.parse::<u32>().unwrap() {
                    self.tick(id(server));
                }
            }
            ["elect", server] => {
                for _ in 0..50 {
                    if self.servers[&id(server)].role() != Role::Follower {
                        break;
                    }
                    self.tick(id(server));
                }
                self.deliver();
            }
            ["pause", server, millis] => {
                *self.clocks.get_mut(&id(server)).unwrap() += millis.parse::<u64>().unwrap();
            }
            ["change", server, ref what @ ..] => self.change(id(server), what),
            ["transfer", server, ref to @ ..] => {
                self.tickets += 1;
                let ticket = self.tickets;
                let to = to.first().map(|to| id(to));
                self.act(id(server), |raft, out| {
                    match raft.transfer(ticket, to) {
                        Ok(to) => writeln!(out, "{server} hands over to {to}").unwrap(),
                        Err(refused) => writeln!(out, "{server} refused: {refused}").unwrap(),
                    }
                    Ok(())
                });
            }
            ["members"] => self.members(),
            ["crash", server] => {
                self.servers.remove(&id(server));
                self.held.remove(&id(server));
            }
            ["restart", server] => self.restart(id(server), Index::MAX),
            ["restart", server, "losing", index] => {
                self.restart(id(server), index.parse().unwrap());
            }
            [
                "append",
                link,
                "term",
                term,
                "after",
                prev,
                ref entries @ ..,
                "commit",
                commit,
            ] => {
                let (from, to) = link.split_once("->").unwrap();
                let entries = entries.iter().map(|entry| {
                    let (index, term) = position(entry);
                    Entry {
                        term,
                        index,
                        kind: EntryKind::Command,
                        data: [].into(),
                    }
                });
                let (prev_index, prev_term) = position(prev);
                let message = Message::Append {
                    term: term.parse().unwrap(),
                    prev_index,
                    prev_term,
                    entries: entries.collect(),
                    commit: commit.parse().unwrap(),
                };
                self.network.push_back((id(from), id(to), message));
            }
            ["deliver"] => self.deliver(),
            ["again"] => {
                self.network.extend(self.delivered.clone());
                self.deliver();
            }
            ["lose"] => self.network.clear(),
            ["mend"] => self.cut.clear(),
            ["cut", link] => match link.split_once("->") {
                Some((from, to)) => drop(self.cut.insert((id(from), id(to)))),
                None => {
                    for &other in self.servers.keys() {
                        self.cut.insert((id(link), other));
                        self.cut.insert((other, id(link)));
                    }
                }
            },
            ["propose", server, text] => {
                self.act(id(server), |raft, out| {
                    let proposed = raft.propose(text.as_bytes().into())?;
                    writeln!(out, "{server} {proposed:?}").unwrap();
                    Ok(())
                });
            }
            ["read", server, number] => self.act(id(server), |raft, out| {
                let sent = raft.read(number.parse().unwrap());
                let what = if sent { "asked" } else { "refused" };
                writeln!(out, "{server} read {what}").unwrap();
                Ok(())
            }),
            ["compact", server, index] => {
                let index = index.parse().unwrap();
                let raft = &self.servers[&id(server)];
                let meta = SnapshotMeta {
                    index,
                    term: raft.term_at(index).expect("an entry that is kept"),
                    members: raft.members_at(index),
                };
                self.disks.get_mut(&id(server)).unwrap().snapshot = meta.clone();
                self.act(id(server), |raft, _| {
                    raft.checkpointed(meta, index);
                    Ok(())
                });
            }
            ["hold", server] => drop(self.held.insert(id(server), Vec::new())),
            ["store", server] => {
                let batches = self.held.remove(&id(server)).unwrap();
                let sequence = batches.last().map_or(0, |batch| batch.sequence);
                for batch in batches {
                    store(self.disks.get_mut(&id(server)).unwrap(), batch);
                }
                self.act(id(server), |raft, _| raft.stored(sequence));
            }
            ["status"] => self.status(),
            _ => panic!("unknown command {line:?}"),
        }
    }

    fn cluster(&mut self, count: u64) {
        let members: BTreeSet<ServerId> = (1..=count).map(ServerId).collect();
        for &id in &members {
            self.start(id, members.clone());
        }
    }

    fn start(&mut self, id: ServerId, members: BTreeSet<ServerId>) {
        self.disks.insert(id, Restored::default());
        self.clocks.insert(id, 0);
        self.boot(id, members);
    }

    fn boot(&mut self, id: ServerId, members: BTreeSet<ServerId>) {
        let config = Config {
            id,
            members,
            election_ticks: 10,
            heartbeat_ticks: 2,
            lease_ms: self.lease_ms,
            seed: 1,
            max_append_bytes: 1_000,
            max_inflight_messages: 4,
            max_inflight_bytes: 10_000,
            transfer: TransferConfig {
                chunk_bytes: 10,
                window_bytes: 20,
                bytes_per_tick: None,
                delta: true,
            },
        };
        let raft = Raft::new(config, self.disks[&id].clone()).unwrap();
        self.servers.insert(id, raft);
        self.applied.insert(id, BTreeMap::new());
        self.act(id, |_, _| Ok(()));
    }

    /// What its command line says of the members is wrong by now, and must not matter.
    fn restart(&mut self, id: ServerId, losing: Index) {
        let disk = self.disks.get_mut(&id).unwrap();
        disk.entries.retain(|entry| entry.index < losing);
        self.boot(id, BTreeSet::from([id]));
    }

    fn tick(&mut self, id: ServerId) {
        let clock = self.clocks.get_mut(&id).unwrap();
        *clock += 10;
        let now_ms = *clock;
        self.act(id, |raft, _| raft.tick(now_ms));
    }

    fn change(&mut self, server: ServerId, what: &[&str]) {
        let change = match *what {
            ["add", who] => Change::Add {
                id: id(who),
                address: Some(format!("{who}:1")),
            },
            ["learner", who] => Change::AddLearner {
                id: id(who),
                address: None,
            },
            ["promote", who] => Change::Promote { id: id(who) },
            ["remove", who] => Change::Remove { id: id(who) },
            ["replace", remove, add] => Change::Replace {
                remove: id(remove),
                add: id(add),
                address: None,
            },
            _ => panic!("unknown change {what:?}"),
        };
        self.tickets += 1;
        let ticket = self.tickets;
        self.act(server, |raft, out| {
            match raft.change(ticket, change)? {
                Ok(()) => writeln!(out, "{server} begins change {ticket}").unwrap(),
                Err(refused) => writeln!(out, "{server} refused: {refused}").unwrap(),
            }
            Ok(())
        });
    }

    fn members(&mut self) {
        for (id, raft) in &self.servers {
            writeln!(self.out, "{id} {}", words(raft.members())).unwrap();
        }
    }

    /// Lets a server do something, and carries out what follows from it.
    fn act(
        &mut self,
        id: ServerId,
        act: impl FnOnce(&mut Raft, &mut String) -> Result<(), Impossible>,
    ) {
        let Some(raft) = self.servers.get_mut(&id) else {
            return;
        };
        let outcome = act(raft, &mut self.out).and_then(|()| self.carry_out(id));
        if let Err(impossible) = outcome {
            writeln!(self.out, "{id} stops: {impossible}").unwrap();
            self.servers.remove(&id);
        }
    }

    fn carry_out(&mut self, id: ServerId) -> Result<(), Impossible> {
        loop {
            let raft = self.servers.get_mut(&id).unwrap();
            let ready = raft.ready();
            if ready == Default::default() {
                return Ok(());
            }
            for entry in &ready.apply {
                let text = match entry.kind {
                    EntryKind::Noop => "(noop)".to_owned(),
                    EntryKind::Config => {
                        words(&postcard::from_bytes(&entry.data).expect("a membership"))
                    }
                    EntryKind::Command => String::from_utf8_lossy(&entry.data).into_owned(),
                };
                writeln!(self.out, "{id} applies {} {text}", entry.index).unwrap();
                self.applied.get_mut(&id).unwrap().insert(entry.index, text);
            }
            for (number, index) in ready.reads {
                writeln!(self.out, "{id} read {number} at {index}").unwrap();
            }
            for (ticket, outcome) in ready.outcomes {
                writeln!(self.out, "{id} change {ticket}: {outcome:?}").unwrap();
            }
            self.network.extend(
                ready
                    .send
                    .into_iter()
                    .map(|(to, message)| (id, to, message)),
            );
            for to in ready.offers {
                let index = raft.applied();
                let meta = SnapshotMeta {
                    index,
                    term: raft.term_at(index).expect("a term that is known"),
                    members: raft.members_at(index),
                };
                raft.offer(to, meta);
            }
            for request in ready.chunks {
                // An image is three pieces of ten bytes: up to key a, up to key b, and the rest.
                let reached = match request.from.as_slice() {
                    b"" => Some(b"a".to_vec()),
                    b"a" => Some(b"b".to_vec()),
                    _ => None,
                };
                let piece = ChunkData {
                    data: vec![0; 10],
                    reached,
                    root: Root(7),
                };
                raft.chunk_read(&request, Some(piece));
            }
            for piece in ready.stage {
                raft.staged(piece.meta.index, piece.base, piece.reached);
            }
            if let Some((meta, _)) = raft.installing().cloned() {
                writeln!(self.out, "{id} installs {}", meta.index).unwrap();
                self.disks.get_mut(&id).unwrap().snapshot = meta.clone();
                raft.installed(meta);
            }
            if let Some(batch) = ready.store {
                match self.held.get_mut(&id) {
                    Some(held) => held.push(batch),
                    None => {
                        let sequence = batch.sequence;
                        store(self.disks.get_mut(&id).unwrap(), batch);
                        raft.stored(sequence)?;
                    }
                }
            }
        }
    }

    fn deliver(&mut self) {
        self.delivered.clear();
        for _ in 0..1_000 {
            let Some((from, to, message)) = self.network.pop_front() else {
                return;
            };
            let lost = self.cut.contains(&(from, to)) || !self.servers.contains_key(&to);
            writeln!(
                self.out,
                "{from}->{to} {}{}",
                describe(&message),
                if lost { "  LOST" } else { "" }
            )
            .unwrap();
            if !lost {
                self.delivered.push((from, to, message.clone()));
                self.act(to, |raft, _| raft.receive(from, message));
            }
        }
        panic!("messages without end");
    }

    fn status(&mut self) {
        for (id, raft) in &self.servers {
            let leader = raft
                .leader()
                .map_or("nobody".to_owned(), |leader| leader.to_string());
            writeln!(
                self.out,
                "{id} {:?} of term {}, follows {leader}, log {}..={}, commit {}",
                raft.role(),
                raft.term(),
                raft.first_index(),
                raft.last_index(),
                raft.commit()
            )
            .unwrap();
        }
    }
}

fn id(name: &str) -> ServerId {
    ServerId(
        name.trim_start_matches('n')
            .parse()
            .unwrap_or_else(|_| panic!("no server {name:?}")),
    )
}

/// Reads `INDEX@TERM`.
fn position(text: &str) -> (Index, Term) {
    let (index, term) = text.split_once('@').unwrap();
    (index.parse().unwrap(), term.parse().unwrap())
}

fn words(members: &Membership) -> String {
    let set = |set: &BTreeSet<ServerId>| -> String {
        let names: Vec<String> = set.iter().map(ServerId::to_string).collect();
        names.join(" ")
    };
    let mut text = format!("voters [{}]", set(&members.voters));
    for (name, ids) in [
        ("outgoing", &members.outgoing),
        ("learners", &members.learners),
    ] {
        if !ids.is_empty() {
            write!(text, ", {name} [{}]", set(ids)).unwrap();
        }
    }
    text
}

/// Does to a disk what a batch asks for.
fn store(disk: &mut Restored, batch: Batch) {
    if let Some(base) = batch.mark {
        disk.entries.retain(|entry| entry.index > base.0);
        disk.base = base;
    }
    if let Some(first) = batch.entries.first() {
        disk.entries.retain(|entry| entry.index < first.index);
    }
    disk.entries.extend(batch.entries);
    disk.hard_state = batch.hard_state.unwrap_or(disk.hard_state);
}

fn describe(message: &Message) -> String {
    match message {
        Message::VoteRequest {
            term,
            pre,
            transfer,
            last_index,
            last_term,
        } => {
            let kind = match (pre, transfer) {
                (true, _) => "pre-vote?",
                (false, false) => "vote?",
                (false, true) => "vote, handed over?",
            };
            format!("{kind} term {term}, log ends {last_index}@{last_term}")
        }
        Message::VoteReply { term, pre, granted } => {
            let kind = if *pre { "pre-vote" } else { "vote" };
            format!("{kind} {} term {term}", if *granted { "yes" } else { "no" })
        }
        Message::Append {
            term,
            prev_index,
            prev_term,
            entries,
            commit,
        } => {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| format!("{}@{}", entry.index, entry.term))
                .collect();
            format!(
                "append term {term}, after {prev_index}@{prev_term} [{}], commit {commit}",
                entries.join(" ")
            )
        }
        Message::AppendReply {
            term,
            result: AppendResult::Matched { index },
        } => format!("matched {index} term {term}"),
        Message::AppendReply {
            term,
            result:
                AppendResult::Conflict {
                    at,
                    last,
                    term: hint,
                },
        } => {
            format!("conflict at {at}, try {last}@{hint} term {term}")
        }
        Message::Heartbeat {
            term,
            commit,
            round,
        } => format!("heartbeat term {term}, commit {commit}, round {round}"),
        Message::HeartbeatReply { term, round } => format!("heard term {term}, round {round}"),
        Message::Offer {
            term,
            transfer,
            meta,
            ..
        } => format!("image {transfer}: offer {} term {term}", meta.index),
        Message::Chunk {
            term,
            transfer,
            base,
            from,
            reached,
            ..
        } => format!(
            "image {transfer}: since {base}, keys {}..{} term {term}",
            text(from),
            reached.as_deref().map_or("end".to_owned(), text)
        ),
        Message::TransferReply {
            term,
            transfer,
            result,
        } => match result {
            TransferResult::Want { base, have } => {
                let have: Vec<String> = have
                    .iter()
                    .map(|(key, index)| format!("..{} at {index}", text(key)))
                    .collect();
                format!(
                    "image {transfer}: wanted since {base}, has [{}] term {term}",
                    have.join(", ")
                )
            }
            TransferResult::Reached { key } => format!(
                "image {transfer}: has ..{} term {term}",
                key.as_deref().map_or("end".to_owned(), text)
            ),
            TransferResult::Have { commit } => {
                format!("image {transfer}: has committed {commit} term {term}")
            }
        },
        Message::TimeoutNow { term } => format!("stand now term {term}"),
        Message::Propose { data } => format!("propose {}", String::from_utf8_lossy(data)),
        Message::ReadIndex { id } => format!("read {id}?"),
        Message::ReadIndexReply { id, index } => format!("read {id} at {index}"),
    }
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// Plays a script; returns it with the output of now.
fn play(script: &str) -> String {
    let mut stage = Stage::default();
    let mut now = String::new();
    for block in script.trim().split("\n\n") {
        let commands = block.split("\n---").next().unwrap_or_default();
        for line in commands.lines().filter(|line| !line.starts_with('#')) {
            stage.command(line);
        }
        let out = std::mem::take(&mut stage.out);
        now += &format!("{commands}\n---\n{out}\n");
    }
    now
}

#[test]
fn every_script_plays_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/raft");
    let mut scripts: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 20, "{scripts:?}");
    for path in scripts {
        let written = std::fs::read_to_string(&path).unwrap();
        let now = play(&written);
        if std::env::var("STRATA_SCRIPTS").is_ok_and(|mode| mode == "write") {
            std::fs::write(&path, &now).unwrap();
        } else {
            assert_eq!(written.trim(), now.trim(), "{}", path.display());
        }
    }
}
