//! What a leader knows of one follower.

use super::snapshot::ImageFlow;
use crate::types::Index;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub struct Progress {
    /// The follower's log agrees with the leader's up to here.
    pub matched: Index,
    /// The next entry to send.
    pub next: Index,
    pub flow: Flow,
    /// Heard from since the last check of the quorum.
    pub active: bool,
    /// The newest heartbeat round that it answered.
    pub round: u64,
    /// The highest commit index that it was told of with entries, if that arrived.
    pub told: Index,
}

/// How entries go to a follower.
#[derive(Clone, Debug)]
pub enum Flow {
    /// Where its log ends is not known: one message at a time.
    Probe { waiting: bool },
    /// Known: messages follow each other without waiting, within a window.
    Replicate { inflight: VecDeque<Inflight> },
    /// It needs entries that are gone: an image travels, piece by piece.
    Snapshot(Box<ImageFlow>),
}

#[derive(Clone, Copy, Debug)]
pub struct Inflight {
    last: Index,
    bytes: usize,
}

impl Progress {
    pub fn new(next: Index) -> Self {
        Self {
            matched: 0,
            next,
            flow: Flow::Probe { waiting: false },
            active: true,
            round: 0,
            told: 0,
        }
    }

    pub fn probe(&mut self) {
        self.next = self.matched + 1;
        self.flow = Flow::Probe { waiting: false };
    }

    pub fn replicate(&mut self) {
        self.next = self.matched + 1;
        self.flow = Flow::Replicate {
            inflight: VecDeque::new(),
        };
    }

    /// Whether entries may be sent now.
    pub fn is_open(&self, max_messages: usize, max_bytes: usize) -> bool {
        match &self.flow {
            Flow::Probe { waiting } => !waiting,
            Flow::Replicate { inflight } => {
                inflight.len() < max_messages
                    && inflight.iter().map(|sent| sent.bytes).sum::<usize>() < max_bytes
            }
            Flow::Snapshot(_) => false,
        }
    }

    /// Notes that entries up to `last` were sent.
    pub fn sent(&mut self, last: Index, bytes: usize) {
        match &mut self.flow {
            Flow::Probe { waiting } => *waiting = true,
            Flow::Replicate { inflight } => {
                if last >= self.next {
                    inflight.push_back(Inflight { last, bytes });
                    self.next = last + 1;
                }
            }
            Flow::Snapshot(_) => {}
        }
    }

    /// Notes that the logs agree up to `index`; true if that is news.
    pub fn acknowledge(&mut self, index: Index) -> bool {
        let news = index > self.matched;
        self.matched = self.matched.max(index);
        self.next = self.next.max(index + 1);
        if let Flow::Replicate { inflight } = &mut self.flow {
            while inflight.front().is_some_and(|sent| sent.last <= index) {
                inflight.pop_front();
            }
        }
        news
    }

    /// A heartbeat was answered: the link works, so what seemed stuck may be tried again.
    pub fn unblock(&mut self, max_messages: usize) {
        match &mut self.flow {
            Flow::Probe { waiting } => *waiting = false,
            Flow::Replicate { inflight } if inflight.len() >= max_messages => {
                inflight.pop_front();
            }
            _ => {}
        }
    }
}
