//! What must hold at every step (Raft, figure 3).

use crate::machine::Command;
use crate::raft::Role;
use crate::replica::Replica;
use crate::types::{Index, ServerId, Term};
use std::collections::BTreeMap;
use std::fmt;

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was seen so far, over all servers and all their lives.
#[derive(Default)]
pub struct Invariants {
    leaders: BTreeMap<Term, ServerId>,
    /// What each index held when it was first applied anywhere.
    applied: BTreeMap<Index, Command>,
    /// The term of each index that was committed anywhere.
    committed: BTreeMap<Index, Term>,
    /// The highest index that each server has committed, in this life.
    seen: BTreeMap<ServerId, Index>,
}

impl Invariants {
    pub fn leaders(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// After a step of this server.
    pub fn check(&mut self, replica: &mut Replica) -> Result<(), Violation> {
        let raft = replica.raft();
        let (id, term, commit) = (raft.id(), raft.term(), raft.commit());
        if raft.role() == Role::Leader {
            // Election safety: at most one leader in a term.
            let leader = *self.leaders.entry(term).or_insert(id);
            if leader != id {
                return Err(Violation(format!(
                    "{leader} and {id} both lead term {term}"
                )));
            }
            // Leader completeness: it has every entry that was committed in earlier terms.
            if let Some((&index, &committed)) =
                self.committed.range(raft.first_index()..).next_back()
                && committed < term
                && raft.term_at(index) != Some(committed)
            {
                return Err(Violation(format!(
                    "{id} leads term {term} without entry {index}, committed in {committed}"
                )));
            }
        }
        // Log matching, on what is committed: everywhere the same term.
        let from = self.seen.get(&id).copied().unwrap_or(0).min(commit) + 1;
        for index in from.max(raft.first_index())..=commit {
            let Some(found) = raft.term_at(index) else {
                continue;
            };
            let first = *self.committed.entry(index).or_insert(found);
            if first != found {
                return Err(Violation(format!(
                    "{id} committed {index} of term {found}, another server of term {first}"
                )));
            }
        }
        self.seen.insert(id, commit);
        // State machine safety: the same command at the same index everywhere.
        for (index, command) in replica.take_applied() {
            let first = self.applied.entry(index).or_insert_with(|| command.clone());
            if *first != command {
                return Err(Violation(format!(
                    "{id} applied {command:?} at {index}, another server {first:?}"
                )));
            }
        }
        Ok(())
    }
}
