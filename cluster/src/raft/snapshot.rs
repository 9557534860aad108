//! InstallSnapshot (Raft, section 7), of everything or of what changed.
//!
//! A leader that no longer has the entries that a follower needs offers an image of its state now. The follower says
//! from which checkpoint of its own the image may start, and what it already has of earlier transfers that broke; the
//! leader sends the pages that differ, in the order of their keys, many pieces at a time within a window and a rate.
//! The log after the image is kept while it travels.
//!
//! What arrived stays: a broken connection, a follower that was slow, or a new leader with a later state all end in an
//! offer, and the answer to an offer says where to go on. An image that the follower has outgrown is answered with its
//! commit index, and the leader goes on with the log.

use super::{Flow, Impossible, Message, Raft, Role, TransferResult};
use crate::bugs::{Bug, planted};
use crate::types::{Index, Root, ServerId, SnapshotMeta};
use std::collections::VecDeque;

/// Heartbeats without progress after which the offer is made again.
const OFFER_AGAIN: u32 = 4;
/// Heartbeats without progress after which the image is let go. The follower's next sign of life begins anew.
const LET_GO: u32 = 200;
/// More pieces of what earlier transfers brought are not remembered.
const MAX_HAVE: usize = 64;

/// A part of an image that a follower needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkRequest {
    pub to: ServerId,
    pub transfer: u64,
    pub base: Index,
    pub have: Vec<(Vec<u8>, Index)>,
    pub from: Vec<u8>,
    pub bytes: usize,
}

/// The pages that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkData {
    pub data: Vec<u8>,
    pub reached: Option<Vec<u8>>,
    pub root: Root,
}

/// A piece of an image that came from the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub meta: SnapshotMeta,
    pub base: Index,
    pub reached: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

/// What went over the wire, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferStats {
    pub begun: u64,
    pub bytes: u64,
    /// Of these: sent again.
    pub resent: u64,
}

/// The leader's side, of all followers.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    last: u64,
    /// Bytes that may be sent now.
    tokens: u64,
    pub stats: TransferStats,
}

/// An image on its way to one follower.
#[derive(Clone, Debug)]
pub struct ImageFlow {
    number: u64,
    /// `None` until the state was captured.
    meta: Option<SnapshotMeta>,
    base: Index,
    have: Vec<(Vec<u8>, Index)>,
    /// Answered, and so to be sent.
    wanted: bool,
    /// Where reading goes on; `None`: everything was read.
    next: Option<Vec<u8>>,
    reading: bool,
    /// Everything up to here arrived.
    reached: Vec<u8>,
    /// What was sent since: where each piece ends, and its size.
    inflight: VecDeque<(Option<Vec<u8>>, usize)>,
    /// Sending went back to `reached`; once is enough.
    went_back: bool,
    idle: u32,
}

impl ImageFlow {
    fn new(number: u64) -> Self {
        Self {
            number,
            meta: None,
            base: 0,
            have: Vec::new(),
            wanted: false,
            next: None,
            reading: false,
            reached: Vec::new(),
            inflight: VecDeque::new(),
            went_back: false,
            idle: 0,
        }
    }

    /// In words, for reports.
    pub fn describe(&self) -> String {
        format!(
            "image {} of {:?} since {}, {} pieces under way, idle {}",
            self.number,
            self.meta.as_ref().map(|meta| meta.index),
            self.base,
            self.inflight.len(),
            self.idle
        )
    }

    fn inflight_bytes(&self) -> usize {
        self.inflight.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// The follower's side.
#[derive(Clone, Debug, Default)]
pub struct Receiving {
    /// From whom, its number, of what, since when.
    current: Option<(ServerId, u64, SnapshotMeta, Index)>,
    base: Index,
    /// What is there: up to each key, in order, the state at that index.
    have: Vec<(Vec<u8>, Index)>,
    /// Up to where pieces of the current transfer came in order.
    taken: Vec<u8>,
    /// All pieces came.
    whole: Option<Root>,
    /// An increment led to another state than the leader's: only everything will do.
    distrusts: bool,
    /// The whole image is there and about to replace the state.
    pub installing: Option<(SnapshotMeta, Root)>,
}

impl Receiving {
    /// Begins anew: what was received is based on a checkpoint that is not the newest any more.
    pub fn rebase(&mut self, newest: Index) {
        if self.installing.is_none() && self.base != newest {
            *self = Self {
                distrusts: self.distrusts,
                ..Self::default()
            };
        }
    }

    /// The state at `target` is there up to this key.
    fn reach(&mut self, key: &[u8], target: Index) {
        self.have.retain(|(end, _)| end.as_slice() > key);
        self.have.insert(0, (key.to_vec(), target));
        self.have.truncate(MAX_HAVE);
    }
}

impl Raft {
    pub(super) fn begin_transfer(&mut self, to: ServerId) {
        let Some(follower) = self.progress.get_mut(&to) else {
            return;
        };
        if self.log.applied == 0 || !follower.active {
            // Nothing to send, or nobody there: the next answer from it tries again.
            follower.flow = Flow::Probe { waiting: true };
            return;
        }
        self.sending.last += 1;
        self.sending.stats.begun += 1;
        follower.flow = Flow::Snapshot(Box::new(ImageFlow::new(self.sending.last)));
        self.ready.offers.push(to);
    }

    fn image_to(&mut self, to: ServerId) -> Option<&mut ImageFlow> {
        match &mut self.progress.get_mut(&to)?.flow {
            Flow::Snapshot(transfer) => Some(transfer),
            _ => None,
        }
    }

    /// The state was captured at `meta` for this follower; returns the number of the transfer.
    pub fn offer(&mut self, to: ServerId, meta: SnapshotMeta) -> Option<u64> {
        let transfer = self
            .image_to(to)
            .filter(|transfer| transfer.meta.is_none())?;
        transfer.meta = Some(meta);
        let number = transfer.number;
        self.send_offer(to);
        Some(number)
    }

    fn send_offer(&mut self, to: ServerId) {
        let (term, lineage, delta) = (self.term, self.lineage, self.config.transfer.delta);
        let Some(transfer) = self.image_to(to) else {
            return;
        };
        transfer.idle = 0;
        let number = transfer.number;
        if let Some(meta) = transfer.meta.clone() {
            let offer = Message::Offer {
                term,
                transfer: number,
                meta,
                lineage,
                delta,
            };
            self.ready.send.push((to, offer));
        }
    }

    /// The transfers whose captures are still needed, and the index of each.
    pub fn transfers(&self) -> Vec<(u64, Index)> {
        let flows = self
            .progress
            .values()
            .filter_map(|follower| match &follower.flow {
                Flow::Snapshot(transfer) => Some((transfer.number, transfer.meta.as_ref()?.index)),
                _ => None,
            });
        flows.collect()
    }

    pub fn transfer_stats(&self) -> TransferStats {
        self.sending.stats
    }

    /// Offers again what does not get on. Called with each heartbeat.
    pub(super) fn resume_transfers(&mut self) {
        let followers: Vec<ServerId> = self.progress.keys().copied().collect();
        for peer in followers {
            let Some(transfer) = self.image_to(peer) else {
                continue;
            };
            transfer.idle += 1;
            let idle = transfer.idle;
            if planted(Bug::OfferNeverRepeated) {
                continue;
            }
            if idle.is_multiple_of(OFFER_AGAIN) {
                self.send_offer(peer);
                if let Some(transfer) = self.image_to(peer) {
                    transfer.idle = idle;
                }
            }
            if idle >= LET_GO
                && let Some(follower) = self.progress.get_mut(&peer)
            {
                follower.probe();
            }
        }
    }

    /// More may be sent with every tick.
    pub(super) fn refill_transfers(&mut self) {
        if let Some(rate) = self.config.transfer.bytes_per_tick {
            let most = rate.max(self.config.transfer.chunk_bytes as u64);
            self.sending.tokens = (self.sending.tokens + rate).min(most);
            let followers: Vec<ServerId> = self.progress.keys().copied().collect();
            for peer in followers {
                self.read_on(peer);
            }
        }
    }

    /// Reads the next piece for a follower, if window and rate have room for it.
    fn read_on(&mut self, to: ServerId) {
        let limits = self.config.transfer;
        if limits.bytes_per_tick.is_some() && self.sending.tokens == 0 {
            return;
        }
        let Some(transfer) = self.image_to(to) else {
            return;
        };
        let Some(next) = transfer.next.clone() else {
            return;
        };
        if !transfer.wanted || transfer.reading || transfer.inflight_bytes() >= limits.window_bytes
        {
            return;
        }
        transfer.reading = true;
        let request = ChunkRequest {
            to,
            transfer: transfer.number,
            base: transfer.base,
            have: transfer.have.clone(),
            from: next,
            bytes: limits.chunk_bytes,
        };
        self.ready.chunks.push(request);
    }

    /// A piece was read. `None`: the capture is gone.
    pub fn chunk_read(&mut self, request: &ChunkRequest, piece: Option<ChunkData>) {
        let term = self.term;
        let Some(transfer) = self.image_to(request.to) else {
            return;
        };
        if transfer.number != request.transfer || !transfer.reading {
            return;
        }
        transfer.reading = false;
        let current = transfer.next.as_ref() == Some(&request.from)
            && (transfer.base, &transfer.have) == (request.base, &request.have);
        match piece {
            Some(piece) if current => {
                let bytes = piece.data.len();
                transfer.next = piece.reached.clone();
                transfer.inflight.push_back((piece.reached.clone(), bytes));
                let chunk = Message::Chunk {
                    term,
                    transfer: transfer.number,
                    base: transfer.base,
                    from: request.from.clone(),
                    reached: piece.reached,
                    root: piece.root,
                    data: piece.data,
                };
                self.sending.stats.bytes += bytes as u64;
                self.sending.tokens = self.sending.tokens.saturating_sub(bytes as u64);
                self.ready.send.push((request.to, chunk));
            }
            Some(_) => {}
            None => {
                if let Some(follower) = self.progress.get_mut(&request.to) {
                    follower.probe();
                }
                return;
            }
        }
        self.read_on(request.to);
    }

    pub(super) fn receive_transfer_reply(
        &mut self,
        from: ServerId,
        number: u64,
        result: TransferResult,
    ) -> Result<(), Impossible> {
        if self.role != Role::Leader {
            return Ok(());
        }
        let last = self.log.last();
        let Some(follower) = self.progress.get_mut(&from) else {
            return Ok(());
        };
        follower.active = true;
        if let TransferResult::Have { commit } = result {
            if commit > last {
                return Err(Impossible(format!(
                    "{from} has committed {commit}, this leader's last is {last}"
                )));
            }
            if !matches!(follower.flow, Flow::Snapshot(_)) {
                return Ok(());
            }
            // What it has committed agrees with this log.
            follower.acknowledge(commit);
            follower.probe();
            self.advance_commit()?;
            self.send_entries(from);
            return Ok(());
        }
        let Some(transfer) = self.image_to(from) else {
            return Ok(());
        };
        if transfer.number != number {
            return Ok(());
        }
        let mut resent = 0;
        match result {
            TransferResult::Want { base, have } => {
                let target = transfer.meta.as_ref().map_or(0, |meta| meta.index);
                // What was sent of this very state before goes on where it broke.
                let (reached, have) = match have.first() {
                    Some((key, index)) if *index == target => (key.clone(), have),
                    _ => (Vec::new(), have),
                };
                if base > target {
                    // It has more than this capture: take a new one.
                    follower_probe(self, from);
                    return Ok(());
                }
                // One that came twice; an answer to an offer that was made again comes after some idleness.
                let repeated = transfer.wanted
                    && transfer.idle < OFFER_AGAIN
                    && (transfer.base, &transfer.reached) == (base, &reached);
                if !repeated {
                    resent = transfer.inflight_bytes();
                    transfer.inflight.clear();
                    transfer.wanted = true;
                    transfer.base = base;
                    transfer.have = have;
                    transfer.next = Some(reached.clone());
                    transfer.reached = reached;
                    transfer.went_back = resent > 0;
                    transfer.idle = 0;
                }
            }
            TransferResult::Reached { key: None } => {
                transfer.inflight.clear();
                transfer.next = None;
                transfer.idle = 0;
            }
            TransferResult::Reached { key: Some(key) } => {
                let known = transfer
                    .inflight
                    .iter()
                    .position(|(end, _)| end.as_ref() == Some(&key));
                if let Some(at) = known {
                    transfer.inflight.drain(..=at);
                    transfer.reached = key;
                    transfer.went_back = false;
                    transfer.idle = 0;
                } else if key == transfer.reached && !transfer.went_back && transfer.wanted {
                    // Something between was lost. Said once for every piece that came after it: once is enough.
                    resent = transfer.inflight_bytes();
                    transfer.inflight.clear();
                    transfer.next = Some(key);
                    transfer.went_back = true;
                }
            }
            TransferResult::Have { .. } => {}
        }
        self.sending.stats.resent += resent as u64;
        self.read_on(from);
        Ok(())
    }

    fn reply_transfer(&mut self, to: ServerId, transfer: u64, result: TransferResult) {
        let reply = Message::TransferReply {
            term: self.term,
            transfer,
            result,
        };
        self.ready.send.push((to, reply));
    }

    fn promise_have(&mut self, to: ServerId, transfer: u64) {
        let result = TransferResult::Have {
            commit: self.log.commit,
        };
        let reply = Message::TransferReply {
            term: self.term,
            transfer,
            result,
        };
        self.promise(to, reply);
    }

    pub(super) fn receive_offer(
        &mut self,
        from: ServerId,
        transfer: u64,
        meta: SnapshotMeta,
        delta: bool,
    ) {
        if meta.index <= self.log.commit {
            self.promise_have(from, transfer);
            return;
        }
        let receiving = &mut self.receiving;
        if receiving.installing.is_some() || receiving.whole.is_some() {
            self.reply_transfer(from, transfer, TransferResult::Reached { key: None });
            return;
        }
        let base = if delta && !receiving.distrusts {
            self.snapshot.index
        } else {
            0
        };
        if receiving.base != base || receiving.have.iter().any(|(_, at)| *at > meta.index) {
            // Based otherwise, or newer than what this leader has: it can't be built upon.
            receiving.have.clear();
        }
        receiving.base = base;
        receiving.taken = match receiving.have.first() {
            Some((key, index)) if *index == meta.index => key.clone(),
            _ => Vec::new(),
        };
        receiving.current = Some((from, transfer, meta, base));
        let have = receiving.have.clone();
        self.reply_transfer(from, transfer, TransferResult::Want { base, have });
    }

    pub(super) fn receive_chunk(
        &mut self,
        from: ServerId,
        transfer: u64,
        base: Index,
        start: &[u8],
        root: Root,
        (reached, data): (Option<Vec<u8>>, Vec<u8>),
    ) {
        let receiving = &mut self.receiving;
        let Some((leader, number, meta, wanted)) = &receiving.current else {
            return;
        };
        if (*leader, *number, *wanted) != (from, transfer, base)
            || receiving.installing.is_some()
            || receiving.whole.is_some()
        {
            return;
        }
        if start != receiving.taken {
            // One before it is missing, or it came already.
            let key = match receiving.have.first() {
                Some((key, index)) if *index == meta.index => key.clone(),
                _ => Vec::new(),
            };
            self.reply_transfer(from, transfer, TransferResult::Reached { key: Some(key) });
            return;
        }
        let piece = Piece {
            meta: meta.clone(),
            base,
            reached: reached.clone(),
            data,
        };
        match reached {
            Some(reached) => receiving.taken = reached,
            None => receiving.whole = Some(root),
        }
        self.ready.stage.push(piece);
    }

    /// A piece was taken in. When the last one was, the caller installs the image and says [`Raft::installed`] or
    /// [`Raft::install_failed`].
    pub fn staged(&mut self, target: Index, base: Index, reached: Option<Vec<u8>>) {
        let receiving = &mut self.receiving;
        let Some((from, transfer, meta, wanted)) = receiving.current.clone() else {
            return;
        };
        if meta.index != target || wanted != base {
            return;
        }
        match &reached {
            Some(key) => receiving.reach(key, target),
            None => {
                if let Some(root) = receiving.whole
                    && meta.index > self.log.commit
                {
                    receiving.installing = Some((meta, root));
                }
            }
        }
        self.reply_transfer(from, transfer, TransferResult::Reached { key: reached });
    }

    /// Whether an image is being received: a checkpoint of one's own would take its base away.
    pub fn is_receiving(&self) -> bool {
        self.receiving.current.is_some()
    }

    /// Whether a whole image waits to replace the state.
    pub fn installing(&self) -> Option<&(SnapshotMeta, Root)> {
        self.receiving.installing.as_ref()
    }

    /// The leader goes on with the log: no image is needed.
    pub(super) fn stop_receiving(&mut self) {
        if self.receiving.installing.is_none() && self.receiving.current.is_some() {
            self.receiving = Receiving::default();
        }
    }

    /// The image is this server's durable state now.
    pub fn installed(&mut self, meta: SnapshotMeta) {
        let transfer = self
            .receiving
            .current
            .as_ref()
            .map_or(0, |(_, number, ..)| *number);
        self.receiving = Receiving::default();
        if meta.index > self.log.commit {
            self.unsaved.retain(|entry| entry.index > meta.index);
            let keeps = self.log.term(meta.index) == Some(meta.term);
            self.log.restore(meta.index, meta.term);
            self.configs
                .restore(meta.index, meta.members.clone(), self.log.last());
            self.unsaved_mark = Some((meta.index, meta.term));
            if !keeps {
                self.unsaved.clear();
            }
        }
        if meta.index > self.snapshot.index {
            self.snapshot = meta;
        }
        if let Some(leader) = self.leader.filter(|_| self.role == Role::Follower) {
            self.promise_have(leader, transfer);
        }
    }

    /// The image turned out not to be one: everything is asked for from the start.
    pub fn install_failed(&mut self) {
        self.receiving = Receiving {
            distrusts: true,
            ..Receiving::default()
        };
    }
}

/// Begins anew with a follower.
fn follower_probe(raft: &mut Raft, id: ServerId) {
    if let Some(follower) = raft.progress.get_mut(&id) {
        follower.probe();
    }
}
