//! Replication and commit (Raft, sections 5.3 and 5.4.2), batched and pipelined.

use super::{AppendResult, Flow, Impossible, Message, Raft, Role};
use crate::types::{Entry, EntryKind, Index, ServerId};
use std::sync::Arc;

impl Raft {
    pub(super) fn tick_leader(&mut self) -> Result<(), Impossible> {
        self.tick_transfer();
        self.tick_change()?;
        if self.role != Role::Leader {
            return Ok(());
        }
        self.ticks_since_election += 1;
        if self.ticks_since_election >= self.config.election_ticks {
            self.ticks_since_election = 0;
            self.check_quorum();
            if self.role != Role::Leader {
                return Ok(());
            }
        }
        self.ticks_since_heartbeat += 1;
        if self.ticks_since_heartbeat >= self.config.heartbeat_ticks {
            self.ticks_since_heartbeat = 0;
            self.broadcast_heartbeat();
            self.resume_transfers();
        }
        self.refill_transfers();
        Ok(())
    }

    pub(super) fn broadcast_heartbeat(&mut self) {
        self.note_round();
        let round = self.reads.round();
        for (&peer, follower) in &self.progress {
            // A follower must not commit what it may not have.
            let commit = self.log.commit.min(follower.matched);
            self.ready.send.push((
                peer,
                Message::Heartbeat {
                    term: self.term,
                    commit,
                    round,
                },
            ));
        }
    }

    pub(super) fn append_as_leader(
        &mut self,
        kind: EntryKind,
        data: Arc<[u8]>,
    ) -> Result<Index, Impossible> {
        let index = self.log.last() + 1;
        let entry = Entry {
            term: self.term,
            index,
            kind,
            data,
        };
        self.put(entry)?;
        for peer in self.peers() {
            self.send_entries(peer);
        }
        Ok(index)
    }

    /// Sends what a follower lacks, as far as its window allows.
    pub(super) fn send_entries(&mut self, to: ServerId) {
        let Some(follower) = self.progress.get_mut(&to) else {
            return;
        };
        while follower.is_open(
            self.config.max_inflight_messages,
            self.config.max_inflight_bytes,
        ) {
            let prev_index = follower.next - 1;
            let Some(prev_term) = self.log.term(prev_index) else {
                // What it needs is gone: the image has it (Raft, section 7).
                self.begin_transfer(to);
                return;
            };
            let entries =
                self.log
                    .read(follower.next, self.log.last(), self.config.max_append_bytes);
            let probing = matches!(follower.flow, Flow::Probe { .. });
            if entries.is_empty() && !probing {
                return;
            }
            let last = prev_index + entries.len() as u64;
            let bytes = entries.iter().map(|entry| entry.data.len()).sum();
            follower.sent(last, bytes);
            let commit = self.log.commit;
            follower.told = commit.min(last);
            self.ready.send.push((
                to,
                Message::Append {
                    term: self.term,
                    prev_index,
                    prev_term,
                    entries,
                    commit,
                },
            ));
            if probing {
                return;
            }
        }
    }

    /// Asks a follower whether it really has everything that was sent, and tells it what is committed.
    fn send_empty(&mut self, to: ServerId) {
        let Some(follower) = self.progress.get_mut(&to) else {
            return;
        };
        let prev_index = follower.next - 1;
        if let Some(prev_term) = self.log.term(prev_index) {
            let commit = self.log.commit;
            follower.told = commit.min(prev_index);
            let append = Message::Append {
                term: self.term,
                prev_index,
                prev_term,
                entries: Vec::new(),
                commit,
            };
            self.ready.send.push((to, append));
        }
    }

    /// Tells a follower at once of what it could apply: clients of its server wait for it. Nothing is sent
    /// where entries, which tell the same, are about to be.
    fn tell_commit(&mut self, to: ServerId) {
        let news = self.progress.get(&to).is_some_and(|follower| {
            matches!(follower.flow, Flow::Replicate { .. })
                && follower.next > self.log.last()
                && self.log.commit.min(follower.next - 1) > follower.told
        });
        if news {
            self.send_empty(to);
        }
    }

    pub(super) fn receive_append_reply(
        &mut self,
        from: ServerId,
        result: AppendResult,
    ) -> Result<(), Impossible> {
        if self.role != Role::Leader {
            return Ok(());
        }
        let last = self.log.last();
        let Some(follower) = self.progress.get_mut(&from) else {
            return Ok(());
        };
        follower.active = true;
        match result {
            AppendResult::Matched { index } => {
                if index > last {
                    return Err(Impossible(format!(
                        "{from} has entry {index}, this leader's last is {last}"
                    )));
                }
                let news = follower.acknowledge(index);
                match follower.flow {
                    Flow::Probe { .. } => follower.replicate(),
                    // It reconnects to the log that is still here, whatever brought it there.
                    Flow::Snapshot(_) if follower.matched + 1 >= self.log.first() => {
                        follower.replicate()
                    }
                    _ => {}
                }
                if news {
                    self.advance_commit()?;
                }
                self.send_entries(from);
                self.tell_commit(from);
                self.hand_over();
                if self.pending.is_some() {
                    self.follow_change()?;
                }
            }
            AppendResult::Conflict { at, last, term } => {
                match follower.flow {
                    // An answer to an older question.
                    Flow::Probe { .. } if at != follower.next - 1 => return Ok(()),
                    Flow::Replicate { .. } if at <= follower.matched => return Ok(()),
                    Flow::Snapshot(_) => return Ok(()),
                    _ => {}
                }
                // Skip in one step what can't agree: entries of terms that the follower does not have.
                let agree = self
                    .log
                    .last_not_after(last.min(at.saturating_sub(1)), term);
                if at <= follower.matched {
                    // It lost what it had acknowledged, which only a sync policy other than `always` allows.
                    // Counting less is safe; insisting would ask it the same for ever.
                    follower.matched = follower.matched.min(agree);
                }
                follower.probe();
                follower.next = (agree + 1).max(follower.matched + 1);
                self.send_entries(from);
            }
        }
        Ok(())
    }

    pub(super) fn receive_heartbeat_reply(
        &mut self,
        from: ServerId,
        round: u64,
    ) -> Result<(), Impossible> {
        if self.role != Role::Leader {
            return Ok(());
        }
        let last = self.log.last();
        let Some(follower) = self.progress.get_mut(&from) else {
            return Ok(());
        };
        follower.active = true;
        follower.round = follower.round.max(round);
        follower.unblock(self.config.max_inflight_messages);
        if follower.matched < last {
            // Entries or their acknowledgements may have been lost.
            match follower.flow {
                Flow::Replicate { .. } if follower.next > last => self.send_empty(from),
                _ => self.send_entries(from),
            }
        }
        self.confirm_reads();
        Ok(())
    }

    /// Commits what a majority has, if it is of this term (Raft, figure 8).
    pub(super) fn advance_commit(&mut self) -> Result<(), Impossible> {
        let index = self.members().agreed(|id| {
            if id == self.config.id {
                return self.log.stable;
            }
            self.progress
                .get(&id)
                .map_or(0, |follower| follower.matched)
        });
        if index > self.log.commit && self.log.term(index) == Some(self.term) {
            self.commit_to(index);
            self.admit_waiting_reads();
            // Those who were removed, too: so they learn of it.
            let told: Vec<ServerId> = self.progress.keys().copied().collect();
            for peer in told {
                self.tell_commit(peer);
            }
            self.follow_change()?;
        } else {
            // Committed before, but durable here only now.
            self.hand_out();
        }
        Ok(())
    }
}
