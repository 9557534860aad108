//! The consensus core as stories: each file in `tests/raft` is a sequence of commands and what they lead to.
//!
//! A block is commands, then `---`, then the expected output, then an empty line. Commands:
//! `cluster N`, `tick nX T`, `elect nX` (tick until it asks for votes, then deliver), `deliver` (everything that is
//! under way, and what follows from it), `cut nX` / `cut nX->nY`, `mend`, `lose` (drop what is under way), `again`
//! (deliver what was delivered last once more), `propose nX TEXT`, `read nX ID`, `compact nX INDEX` (a checkpoint
//! there, nothing trailing), `hold nX` / `store nX` (its disk stops answering, answers), `status`.
//!
//! `STRATA_SCRIPTS=write cargo test -p cluster --test raft_scripts` writes what happens now into the files; read the
//! difference before you keep it.

use cluster::raft::{
    AppendResult, ChunkData, Config, Message, Raft, Restored, Role, TransferConfig, TransferResult,
};
use cluster::types::{EntryKind, Index, Membership, Root, ServerId, SnapshotMeta};
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
    /// Servers whose disk does not answer, and what it would.
    held: BTreeMap<ServerId, u64>,
    out: String,
}

impl Stage {
    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["cluster", count] => self.cluster(count.parse().unwrap()),
            ["tick", server, times] => {
                for _ in 0..times.parse::<u32>().unwrap() {
                    self.act(id(server), |raft| raft.tick().unwrap());
                }
            }
            ["elect", server] => {
                for _ in 0..50 {
                    if self.servers[&id(server)].role() != Role::Follower {
                        break;
                    }
                    self.act(id(server), |raft| raft.tick().unwrap());
                }
                self.deliver();
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
                let mut proposed = None;
                self.act(id(server), |raft| {
                    proposed = Some(raft.propose(text.as_bytes().into()).unwrap())
                });
                writeln!(self.out, "{server} {:?}", proposed.unwrap()).unwrap();
            }
            ["read", server, number] => {
                let mut sent = false;
                self.act(id(server), |raft| sent = raft.read(number.parse().unwrap()));
                writeln!(
                    self.out,
                    "{server} read {}",
                    if sent { "asked" } else { "refused" }
                )
                .unwrap();
            }
            ["compact", server, index] => {
                let index = index.parse().unwrap();
                self.act(id(server), |raft| {
                    let term = raft.term_at(index).expect("an entry that is kept");
                    let members = Membership::of(raft.members().iter().copied());
                    raft.checkpointed(
                        SnapshotMeta {
                            index,
                            term,
                            members,
                        },
                        index,
                    );
                });
            }
            ["hold", server] => drop(self.held.insert(id(server), 0)),
            ["store", server] => {
                let sequence = self.held.remove(&id(server)).unwrap();
                self.act(id(server), |raft| raft.stored(sequence).unwrap());
            }
            ["status"] => self.status(),
            _ => panic!("unknown command {line:?}"),
        }
    }

    fn cluster(&mut self, count: u64) {
        let members: BTreeSet<ServerId> = (1..=count).map(ServerId).collect();
        for &id in &members {
            let config = Config {
                id,
                members: members.clone(),
                election_ticks: 10,
                heartbeat_ticks: 2,
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
            self.servers
                .insert(id, Raft::new(config, Restored::default()).unwrap());
            self.applied.insert(id, BTreeMap::new());
        }
    }

    /// Lets a server do something, and carries out what follows from it.
    fn act(&mut self, id: ServerId, act: impl FnOnce(&mut Raft)) {
        act(self.servers.get_mut(&id).unwrap());
        loop {
            let raft = self.servers.get_mut(&id).unwrap();
            let ready = raft.ready();
            if ready == Default::default() {
                return;
            }
            for entry in &ready.apply {
                let text = match entry.kind {
                    EntryKind::Noop => "(noop)".to_owned(),
                    EntryKind::Config => "(config)".to_owned(),
                    EntryKind::Command => String::from_utf8_lossy(&entry.data).into_owned(),
                };
                writeln!(self.out, "{id} applies {} {text}", entry.index).unwrap();
                self.applied.get_mut(&id).unwrap().insert(entry.index, text);
            }
            for (number, index) in ready.reads {
                writeln!(self.out, "{id} read {number} at {index}").unwrap();
            }
            self.network.extend(
                ready
                    .send
                    .into_iter()
                    .map(|(to, message)| (id, to, message)),
            );
            for to in ready.offers {
                let index = *self.applied[&id].keys().last().expect("applied entries");
                let meta = SnapshotMeta {
                    index,
                    term: raft.term_at(index).expect("a term that is known"),
                    members: Membership::default(),
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
                self.applied
                    .get_mut(&id)
                    .unwrap()
                    .insert(meta.index, "(image)".to_owned());
                raft.installed(meta);
            }
            if let Some(batch) = ready.store {
                match self.held.get_mut(&id) {
                    Some(held) => *held = batch.sequence,
                    None => raft.stored(batch.sequence).unwrap(),
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
            let lost = self.cut.contains(&(from, to));
            writeln!(
                self.out,
                "{from}->{to} {}{}",
                describe(&message),
                if lost { "  LOST" } else { "" }
            )
            .unwrap();
            if !lost {
                self.delivered.push((from, to, message.clone()));
                self.act(to, |raft| raft.receive(from, message).unwrap());
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

fn describe(message: &Message) -> String {
    match message {
        Message::VoteRequest {
            term,
            pre,
            last_index,
            last_term,
        } => {
            let kind = if *pre { "pre-vote?" } else { "vote?" };
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
    assert!(scripts.len() >= 8, "{scripts:?}");
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
