//! Accepting a leader's entries (Raft, section 5.3).

use super::{AppendResult, Impossible, Message, Raft};
use crate::bugs::{Bug, planted};
use crate::types::{Entry, Index, ServerId, Term};

impl Raft {
    pub(super) fn receive_append(
        &mut self,
        from: ServerId,
        prev_index: Index,
        prev_term: Term,
        entries: Vec<Entry>,
        commit: Index,
    ) -> Result<(), Impossible> {
        if self.receiving.installing.is_some() {
            // The log is about to be replaced; the leader will ask again.
            return Ok(());
        }
        self.refuse_contradiction(from, (prev_index, prev_term), &entries)?;
        let mut prev_index = prev_index;
        let mut entries = entries;
        if prev_index < self.log.commit {
            // What is committed agrees with the leader's log: only what follows is of interest.
            let known = (self.log.commit - prev_index).min(entries.len() as u64);
            entries.drain(..known as usize);
            if known == 0 || entries.is_empty() {
                return self.acknowledge(from, self.log.commit, commit);
            }
            prev_index += known;
        } else if self.log.term(prev_index) != Some(prev_term)
            && !(planted(Bug::UnknownTermMatches) && self.log.term(prev_index).is_none())
        {
            let last = self
                .log
                .last_not_after(prev_index.saturating_sub(1), prev_term);
            let term = self.log.term(last).unwrap_or(0);
            let result = AppendResult::Conflict {
                at: prev_index,
                last,
                term,
            };
            self.promise(
                from,
                Message::AppendReply {
                    term: self.term,
                    result,
                },
            );
            return Ok(());
        }
        let matched = prev_index + entries.len() as u64;
        for entry in entries {
            match self.log.term(entry.index) {
                Some(term) if term == entry.term && !planted(Bug::TruncateWithoutConflict) => {}
                Some(_) => {
                    self.take_back(entry.index)?;
                    self.put(entry)?;
                }
                None if entry.index == self.log.last() + 1 => self.put(entry)?,
                None => {
                    return Err(Impossible(format!(
                        "entry {} after the log's last {}",
                        entry.index,
                        self.log.last()
                    )));
                }
            }
        }
        self.acknowledge(from, matched, commit)
    }

    /// No leader lacks what is committed (Raft, 5.4). One that sends something else in its place would, sooner or
    /// later, spread it; as long as the terms are known here, that is noticed.
    fn refuse_contradiction(
        &self,
        from: ServerId,
        prev: (Index, Term),
        entries: &[Entry],
    ) -> Result<(), Impossible> {
        let sent = entries.iter().map(|entry| (entry.index, entry.term));
        for (index, term) in std::iter::once(prev).chain(sent) {
            if index > self.log.commit {
                break;
            }
            let Some(own) = self.log.term(index) else {
                continue;
            };
            // The term before the first entry of a log may be unknown; it is 0 then.
            if own != term && own != 0 && term != 0 {
                return Err(Impossible(format!(
                    "{from} leads term {} with entry {index} of term {term}, committed here in term {own}",
                    self.term
                )));
            }
        }
        Ok(())
    }

    /// Promises that the log agrees up to `matched`, and commits as far as the leader has.
    fn acknowledge(
        &mut self,
        from: ServerId,
        matched: Index,
        commit: Index,
    ) -> Result<(), Impossible> {
        self.stop_receiving();
        let result = AppendResult::Matched { index: matched };
        self.promise(
            from,
            Message::AppendReply {
                term: self.term,
                result,
            },
        );
        self.commit_to(commit.min(matched));
        Ok(())
    }

    pub(super) fn receive_heartbeat(&mut self, from: ServerId, commit: Index, round: u64) {
        if self.receiving.installing.is_none() {
            self.commit_to(commit);
        }
        self.ready.send.push((
            from,
            Message::HeartbeatReply {
                term: self.term,
                round,
            },
        ));
    }
}
