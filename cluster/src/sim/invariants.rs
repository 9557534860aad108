//! What must hold at every step (Raft, figure 3), and at the end.

use crate::api::{Answer, ApiError, KvOp};
use crate::machine::{Command, Machine};
use crate::raft::Role;
use crate::replica::{Replica, Ticket};
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
pub struct Invariants {
    servers: u64,
    leaders: BTreeMap<Term, ServerId>,
    /// What each index held when it was first applied anywhere.
    applied: BTreeMap<Index, Command>,
    /// The term of each index that was committed anywhere.
    committed: BTreeMap<Index, Term>,
    /// The highest index that each server has committed, in this life.
    seen: BTreeMap<ServerId, Index>,
    invoked: BTreeMap<Ticket, KvOp>,
    acknowledged: BTreeMap<Ticket, Index>,
}

impl Invariants {
    pub fn new(servers: u64) -> Self {
        Self {
            servers,
            leaders: BTreeMap::new(),
            applied: BTreeMap::new(),
            committed: BTreeMap::new(),
            seen: BTreeMap::new(),
            invoked: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    pub fn invoked(&mut self, ticket: Ticket, op: KvOp) {
        self.invoked.insert(ticket, op);
    }

    pub fn answered(&mut self, ticket: Ticket, result: Result<Answer, ApiError>) {
        match result {
            Ok(answer) => {
                self.acknowledged.insert(ticket, answer.index);
            }
            // A definite error is final: the write must not appear.
            Err(error) if error.definite => {}
            Err(_) => {
                self.invoked.get(&ticket);
            }
        }
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

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

    /// After everything was healed: all servers hold the same state, and in it every acknowledged write.
    pub fn check_final<'a>(
        &self,
        machines: impl Iterator<Item = &'a Machine>,
    ) -> Result<(), Violation> {
        let machines: Vec<&Machine> = machines.collect();
        if machines.len() as u64 != self.servers {
            return Err(Violation("not every server came back".into()));
        }
        if machines.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(Violation(
                "servers that applied the same entries hold different states".into(),
            ));
        }
        let Some(machine) = machines.first() else {
            return Ok(());
        };
        for ticket in self.acknowledged.keys() {
            let (key, value) = match &self.invoked[ticket] {
                KvOp::Append { key, value } | KvOp::Put { key, value } => (key, value),
                _ => continue,
            };
            let found = machine.get(key).unwrap_or_default();
            match found
                .split_inclusive(' ')
                .filter(|part| part == value)
                .count()
            {
                1 => {}
                0 => {
                    return Err(Violation(format!(
                        "acknowledged write {ticket} of {key} is lost"
                    )));
                }
                times => {
                    return Err(Violation(format!(
                        "write {ticket} of {key} took effect {times} times"
                    )));
                }
            }
        }
        Ok(())
    }
}
