//! The decisions of one server: consensus, the machine, clients' requests, checkpoints and images.
//!
//! Pure: [`Replica::step`] takes one [`Input`] and returns the [`Effect`]s to be carried out. The program
//! ([`crate::server`]) carries them out on threads and sockets, the simulator ([`crate::sim`]) on a simulated
//! disk, network and clock; both run this code.
//!
//! Any server takes any request. A write is forwarded to the leader as a command that names its origin, and the
//! origin answers when it applies that command itself; a read asks the leader for an index and is answered
//! from the own state once that index is applied.

mod images;
mod members;
mod requests;
mod status;
#[cfg(test)]
mod tests;

pub use members::{Admin, MAX_ADMIN_TIMEOUT_MS};

use crate::api::{Answer, ApiError, Request};
use crate::checkpoint::chain::{Mode, Plan};
use crate::checkpoint::{Captured, FileRef};
use crate::machine::{Applied, Capture, Command, Machine};
use crate::raft::{self, Batch, ChunkData, ChunkRequest, Impossible, Message, Piece, Raft, Role};
use crate::types::{EntryKind, Index, Membership, Root, ServerId, SnapshotMeta};
use std::collections::{BTreeMap, BTreeSet};

/// Settings of a replica besides those of consensus.
#[derive(Clone, Debug)]
pub struct Config {
    pub raft: raft::Config,
    pub checkpoint: Trigger,
    pub mode: Mode,
    pub capture: CaptureBy,
    pub retention: Retention,
    /// Bytes of the log after the last checkpoint beyond which a leader takes no more writes.
    pub backlog_bytes: u64,
    /// Bytes of the log that are kept for an image under way, so that it is of use when it arrives.
    pub pinned_bytes: u64,
    pub reads: Reads,
    pub ack: Ack,
}

/// How the state at an index is held while it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureBy {
    /// By a reference to all of it; changed pages are picked while writing.
    Cow,
    /// By references to the changed pages, picked at once.
    DirtyFlush,
    /// Not at all: nothing is applied until it is written. For comparison.
    Stop,
}

/// What of the log before a checkpoint stays for followers that are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    Discard,
    /// So many entries.
    Trailing(u64),
    /// What a follower lacks, up to so many bytes.
    KeepForFollowers(u64),
}

/// When a checkpoint is due: as soon as one of these is reached. All absent: only by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trigger {
    pub entries: Option<u64>,
    /// Bytes of commands since the last one.
    pub bytes: Option<u64>,
    pub millis: Option<u64>,
}

/// What a read promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Linearizable,
    /// Linearizable as long as clocks run at about the same pace: the leader answers by itself while it holds a
    /// lease ([`raft::Config::lease_ms`]).
    Lease,
    /// Unsafe, for experiments: any server answers from its own state, however old.
    Local,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// When a majority has it and this server applied it.
    Quorum,
    /// Unsafe, for experiments: as soon as the leader has taken it, before anybody else has it.
    Leader,
}

/// Names a client's request until it is answered.
pub type Ticket = u64;

#[derive(Debug)]
pub enum Input {
    /// Time passed; `now_ms` counts from any fixed moment.
    Tick {
        now_ms: u64,
    },
    Message {
        from: ServerId,
        message: Message,
    },
    Request {
        ticket: Ticket,
        request: Request,
    },
    /// An operator's request; answered like a client's.
    Admin {
        ticket: Ticket,
        request: Admin,
        timeout_ms: u64,
    },
    /// All batches up to this one are durable.
    Stored {
        sequence: u64,
    },
    /// Answers [`Effect::WriteCheckpoint`], with the chain as it is now.
    CheckpointWritten {
        meta: SnapshotMeta,
        file: Option<FileRef>,
        chain: Vec<FileRef>,
        /// Index of the oldest restore point.
        oldest: Index,
        millis: f64,
    },
    /// A checkpoint is wanted now.
    Checkpoint,
    /// Answers [`Effect::ReadChunk`]; `None`: that capture is gone.
    ChunkRead {
        request: ChunkRequest,
        piece: Option<ChunkData>,
    },
    /// Answers [`Effect::Stage`].
    Staged {
        target: Index,
        base: Index,
        reached: Option<Vec<u8>>,
    },
    /// Answers [`Effect::Install`], with the chain as it is now.
    Installed {
        meta: SnapshotMeta,
        machine: Box<Machine>,
        chain: Vec<FileRef>,
    },
    /// The staged image was no image; the text goes to the log of the server.
    InstallFailed {
        meta: SnapshotMeta,
        why: String,
    },
}

#[derive(Debug)]
pub enum Effect {
    Send {
        to: ServerId,
        message: Message,
    },
    /// To be stored in order and answered by [`Input::Stored`].
    Store(Batch),
    Answer {
        ticket: Ticket,
        result: Result<Answer, ApiError>,
    },
    /// These servers may have to be reached, and others not any more. `addresses` has those that the members
    /// agreed on; the others are known by configuration.
    Peers {
        keep: BTreeSet<ServerId>,
        addresses: BTreeMap<ServerId, String>,
    },
    /// Write this state as a checkpoint. With `wait`, nothing may be applied before it is written.
    WriteCheckpoint {
        meta: SnapshotMeta,
        captured: Box<Captured>,
        plan: Plan,
        wait: bool,
    },
    /// Entries before `first` are not needed any more, and archived ones up to `oldest` neither.
    TruncateLog {
        first: Index,
        oldest: Index,
    },
    /// Hold this state for a transfer.
    HoldCapture {
        transfer: u64,
        capture: Box<Capture>,
    },
    /// Of the captures held for transfers, only these are still needed.
    KeepCaptures(Vec<u64>),
    ReadChunk(ChunkRequest),
    Stage(Piece),
    /// Lay the staged image over this state, verify it, and make it the state to restart from.
    Install {
        meta: SnapshotMeta,
        root: Root,
        live: Box<Capture>,
    },
}

/// One server.
pub struct Replica {
    config: Config,
    raft: Raft,
    machine: Machine,
    boot: u64,
    now_ms: u64,
    requests: requests::Requests,
    images: images::Images,
    members: members::Members,
    join: status::Join,
    replayed: u64,
    effects: Vec<Effect>,
    applied_log: Option<Vec<(Index, Command)>>,
}

impl Replica {
    /// A server that comes back with what it had. What was known to be committed is applied before this returns.
    pub fn new(
        config: Config,
        restored: raft::Restored,
        machine: Machine,
        chain: Vec<FileRef>,
        boot: u64,
    ) -> Result<Self, Impossible> {
        if machine.applied() != restored.snapshot.index {
            return Err(Impossible(format!(
                "the machine has applied {}, its checkpoint says {}",
                machine.applied(),
                restored.snapshot.index
            )));
        }
        let checkpoint = restored.snapshot.index;
        let raft = Raft::new(config.raft.clone(), restored)?;
        let mut replica = Self {
            raft,
            boot,
            now_ms: 0,
            requests: requests::Requests::default(),
            images: images::Images::new(chain),
            members: members::Members::default(),
            join: status::Join::default(),
            replayed: 0,
            effects: Vec::new(),
            applied_log: None,
            machine,
            config,
        };
        replica.pump()?;
        replica.replayed = replica.machine.applied() - checkpoint;
        Ok(replica)
    }

    /// Takes what happened; returns what is to be done, in order.
    pub fn step(&mut self, input: Input) -> Result<Vec<Effect>, Impossible> {
        match input {
            Input::Tick { now_ms } => {
                self.now_ms = now_ms;
                self.raft.tick(now_ms)?;
                self.expire_requests();
                self.expire_admin();
            }
            Input::Message { from, message } => {
                self.join.observe(&message);
                self.raft.receive(from, message)?;
            }
            Input::Request { ticket, request } => self.take_request(ticket, request)?,
            Input::Admin {
                ticket,
                request,
                timeout_ms,
            } => self.take_admin(ticket, request, timeout_ms)?,
            Input::Stored { sequence } => self.raft.stored(sequence)?,
            Input::CheckpointWritten {
                meta,
                file,
                chain,
                oldest,
                millis,
            } => {
                self.images.oldest = oldest;
                self.checkpoint_written(meta, file, chain, millis)
            }
            Input::Checkpoint => self.images.wanted = true,
            Input::ChunkRead { request, piece } => self.raft.chunk_read(&request, piece),
            Input::Staged {
                target,
                base,
                reached,
            } => self.raft.staged(target, base, reached),
            Input::Installed {
                meta,
                machine,
                chain,
            } => self.image_installed(meta, *machine, chain)?,
            Input::InstallFailed { .. } => self.image_refused(),
        }
        self.pump()?;
        if self.ask_again()? {
            self.pump()?;
        }
        self.begin_install_if_whole();
        self.let_captures_go();
        Ok(std::mem::take(&mut self.effects))
    }

    /// Captures the state for a checkpoint if one is due. To be called after each step; apart from it, so that the
    /// caller can tell how long it took.
    pub fn checkpoint_if_due(&mut self) -> Vec<Effect> {
        self.begin_checkpoint_if_due();
        std::mem::take(&mut self.effects)
    }

    /// How long the last capture stopped this server, as the caller measured; for the status.
    pub fn paused(&mut self, micros: f64) {
        self.images.paused(micros);
    }

    /// Whether so much waits to be checkpointed that writing it should not take its time: half of what may wait.
    pub fn checkpoints_fall_behind(&self) -> bool {
        self.images.backlog() > self.config.backlog_bytes / 2
    }

    /// Carries over what consensus decided.
    fn pump(&mut self) -> Result<(), Impossible> {
        let ready = self.raft.ready();
        if let Some(batch) = ready.store {
            self.effects.push(Effect::Store(batch));
        }
        self.effects.extend(
            ready
                .send
                .into_iter()
                .map(|(to, message)| Effect::Send { to, message }),
        );
        for entry in ready.apply {
            self.images.count(entry.data.len() as u64);
            match entry.kind {
                EntryKind::Noop => self.machine.skip(entry.index),
                EntryKind::Config => {
                    let members: Membership = postcard::from_bytes(&entry.data)
                        .map_err(|error| Impossible(format!("entry {}: {error}", entry.index)))?;
                    self.machine.apply_members(entry.index, &members);
                    self.members.left = true;
                }
                EntryKind::Command => {
                    let command = Command::decode(&entry.data)
                        .map_err(|error| Impossible(format!("entry {}: {error}", entry.index)))?;
                    let applied = self.machine.apply(entry.index, &command);
                    self.answer_write(&command, &applied);
                    if let Some(log) = &mut self.applied_log
                        && applied != Applied::Duplicate
                    {
                        log.push((entry.index, command));
                    }
                }
            }
        }
        for (id, index) in ready.reads {
            self.admit_read(id, index);
        }
        self.answer_reads();
        for follower in ready.offers {
            self.capture_for(follower);
        }
        for (ticket, outcome) in ready.outcomes {
            self.answer_admin(ticket, outcome);
        }
        self.name_peers();
        self.effects
            .extend(ready.chunks.into_iter().map(Effect::ReadChunk));
        for piece in ready.stage {
            self.images.received(&piece);
            self.effects.push(Effect::Stage(piece));
        }
        let caught_up = self.raft.role() == Role::Leader
            && self.raft.term_at(self.raft.commit()) == Some(self.raft.term());
        self.join.advance(self.machine.applied(), caught_up);
        Ok(())
    }

    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Keeps a record of applied commands from now on, for [`Replica::take_applied`]; simulation only needs it.
    pub fn record_applied(&mut self) {
        self.applied_log = Some(Vec::new());
    }

    /// Commands applied since the last call, without duplicates.
    pub fn take_applied(&mut self) -> Vec<(Index, Command)> {
        self.applied_log
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }
}

/// Requests under way, by what they wait for.
type Waiting = BTreeMap<u64, requests::Pending>;
