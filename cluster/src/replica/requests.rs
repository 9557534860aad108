//! Clients' requests, from arrival to answer. Each is answered exactly once, by its deadline at the latest.
//!
//! What was asked of a leader is asked again when another one leads, and after [`ASK_AGAIN_MS`] without an answer:
//! messages get lost and leaders die. A write that is proposed twice takes effect once, because the machine
//! admits each origin's sequence once.

use super::{Ack, Effect, Reads, Replica, Ticket, Waiting};
use crate::api::limits::MAX_ANSWER;
use crate::api::{Answer, ApiError, KvOp, Request};
use crate::machine::{Applied, Command, Origin, Refusal};
use crate::raft::{Impossible, Proposed, Role};
use crate::types::{Index, ServerId, Term};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Limit of a request that names none, and of those that name more.
pub const MAX_TIMEOUT_MS: u64 = 5_000;

/// Without an answer for so long, a request is asked again.
const ASK_AGAIN_MS: u64 = 1_000;

#[derive(Default)]
pub struct Requests {
    /// Whom the requests under way were asked of.
    asked: Option<(Term, ServerId)>,
    /// When it was last looked for requests that took too long.
    looked_ms: u64,
    /// Of the last write and the last read. Writes count for themselves, without gaps where possible: the machine
    /// remembers what is missing in an origin's sequence.
    last_write: u64,
    last_read: u64,
    /// Writes by the sequence of their command.
    writes: Waiting,
    /// Reads by id, until the leader names an index.
    reads: Waiting,
    /// Reads that wait for this index to be applied.
    admitted: BTreeMap<Index, Vec<Pending>>,
}

pub struct Pending {
    ticket: Ticket,
    deadline_ms: u64,
    asked_ms: u64,
    what: Asked,
}

enum Asked {
    /// What only reads.
    Read(KvOp),
    /// The encoded command.
    Write(Arc<[u8]>),
}

impl Requests {
    pub fn waiting(&self) -> usize {
        self.writes.len() + self.reads.len() + self.admitted.values().map(Vec::len).sum::<usize>()
    }
}

impl Replica {
    pub(super) fn take_request(
        &mut self,
        ticket: Ticket,
        request: Request,
    ) -> Result<(), Impossible> {
        let timeout_ms = request
            .timeout_ms
            .unwrap_or(MAX_TIMEOUT_MS)
            .min(MAX_TIMEOUT_MS);
        let deadline_ms = self.now_ms + timeout_ms;
        match request.op {
            op if op.is_read_only() => {
                if request.stale || self.config.reads == Reads::Local {
                    self.answer_read(ticket, &op);
                    return Ok(());
                }
                self.requests.last_read += 1;
                let id = self.read_id(self.requests.last_read);
                if self.raft.read(id) {
                    let pending = Pending {
                        ticket,
                        deadline_ms,
                        asked_ms: self.now_ms,
                        what: Asked::Read(op),
                    };
                    self.requests.reads.insert(id, pending);
                } else {
                    self.refuse(ticket);
                }
            }
            _ if self.raft.role() == Role::Leader
                && self.images.backlog() > self.config.backlog_bytes =>
            {
                let message = "checkpoints do not keep up with the writes";
                let error = self.error("overloaded", true, message);
                self.answer(ticket, Err(error));
            }
            op => {
                let sequence = self.requests.last_write + 1;
                let origin = Origin {
                    server: self.raft.id(),
                    boot: self.boot,
                    sequence,
                };
                let command = Command {
                    origin: Some(origin),
                    session: request.session,
                    op,
                };
                let data: Arc<[u8]> = command.encode().into();
                let proposed = self.raft.propose(data.clone())?;
                match proposed {
                    Proposed::NoLeader => self.refuse(ticket),
                    Proposed::Transferring => {
                        let message = "the leadership is being handed over";
                        let error = self.error("transferring", true, message);
                        self.answer(ticket, Err(error));
                    }
                    Proposed::Appended(index) if self.config.ack == Ack::Leader => {
                        self.requests.last_write = sequence;
                        let foreseen = self.machine.foresee(index, &command.op);
                        self.answer(ticket, result(foreseen));
                    }
                    Proposed::Appended(_) | Proposed::Forwarded => {
                        self.requests.last_write = sequence;
                        let pending = Pending {
                            ticket,
                            deadline_ms,
                            asked_ms: self.now_ms,
                            what: Asked::Write(data),
                        };
                        self.requests.writes.insert(sequence, pending);
                    }
                }
            }
        }
        Ok(())
    }

    /// Ids must differ from those of earlier boots, whose answers may still be under way.
    fn read_id(&self, sequence: u64) -> u64 {
        self.boot.wrapping_mul(1 << 24).wrapping_add(sequence)
    }

    /// A command was applied here: if it came from a client of this server, the client learns it.
    pub(super) fn answer_write(&mut self, command: &Command, applied: &Applied) {
        let Some(origin) = &command.origin else {
            return;
        };
        if origin.server != self.raft.id() || origin.boot != self.boot {
            return;
        }
        if let Some(pending) = self.requests.writes.remove(&origin.sequence) {
            self.answer(pending.ticket, result(applied.clone()));
        }
    }

    pub(super) fn admit_read(&mut self, id: u64, index: Index) {
        if let Some(pending) = self.requests.reads.remove(&id) {
            self.requests
                .admitted
                .entry(index)
                .or_default()
                .push(pending);
        }
    }

    pub(super) fn answer_reads(&mut self) {
        while let Some(entry) = self.requests.admitted.first_entry() {
            if *entry.key() > self.machine.applied() {
                return;
            }
            for pending in entry.remove() {
                if let Asked::Read(op) = &pending.what {
                    self.answer_read(pending.ticket, op);
                }
            }
        }
    }

    /// Answers from the state as it is.
    fn answer_read(&mut self, ticket: Ticket, op: &KvOp) {
        let index = self.machine.applied();
        let answer = match op {
            KvOp::Get { key } => Ok(Answer {
                value: self.machine.get(key).map(|value| value.into_owned()),
                index,
                ..Answer::default()
            }),
            KvOp::Scan(scan) => {
                let (entries, next) = self.machine.scan(scan, MAX_ANSWER);
                Ok(Answer {
                    index,
                    entries: Some(entries),
                    next,
                    ..Answer::default()
                })
            }
            // A transaction that only reads.
            op => result(self.machine.foresee(index, op)),
        };
        self.answer(ticket, answer);
    }

    pub(super) fn expire_requests(&mut self) {
        let now_ms = self.now_ms;
        let late = |pending: &Pending| pending.deadline_ms <= now_ms;
        let writes: Vec<_> = self
            .requests
            .writes
            .extract_if(.., |_, pending| late(pending))
            .collect();
        let reads: Vec<_> = self
            .requests
            .reads
            .extract_if(.., |_, pending| late(pending))
            .collect();
        let mut admitted = Vec::new();
        for waiting in self.requests.admitted.values_mut() {
            admitted.extend(waiting.extract_if(.., |pending| late(pending)));
        }
        self.requests
            .admitted
            .retain(|_, waiting| !waiting.is_empty());
        for (_, pending) in writes {
            let error = self.error("timeout", false, "not committed in time; it may yet be");
            self.answer(pending.ticket, Err(error));
        }
        for pending in reads
            .into_iter()
            .map(|(_, pending)| pending)
            .chain(admitted)
        {
            let error = self.error("timeout", true, "no leader confirmed the read in time");
            self.answer(pending.ticket, Err(error));
        }
    }

    /// Asks again what a leader that is gone, or a lost message, may have left unanswered.
    pub(super) fn ask_again(&mut self) -> Result<bool, Impossible> {
        let Some(leader) = self.raft.leader() else {
            return Ok(false);
        };
        let whom = Some((self.raft.term(), leader));
        let changed = self.requests.asked != whom;
        if !changed && self.now_ms < self.requests.looked_ms + ASK_AGAIN_MS / 10 {
            return Ok(false);
        }
        self.requests.looked_ms = self.now_ms;
        self.requests.asked = whom;
        let now_ms = self.now_ms;
        let waiting = self
            .requests
            .writes
            .iter_mut()
            .chain(self.requests.reads.iter_mut());
        let mut due = Vec::new();
        for (&id, pending) in waiting {
            if changed || now_ms.saturating_sub(pending.asked_ms) >= ASK_AGAIN_MS {
                pending.asked_ms = now_ms;
                due.push(match &pending.what {
                    Asked::Read(_) => (id, None),
                    Asked::Write(data) => (id, Some(data.clone())),
                });
            }
        }
        let again = !due.is_empty();
        for (id, write) in due {
            match write {
                // Whether it reaches the leader shows in the answer, or in the next turn here.
                Some(data) => {
                    self.raft.propose(data)?;
                }
                None => {
                    self.raft.read(id);
                }
            }
        }
        Ok(again)
    }

    fn refuse(&mut self, ticket: Ticket) {
        let error = self.error("no-leader", true, "no server is known to lead");
        self.answer(ticket, Err(error));
    }

    pub(super) fn error(&self, code: &str, definite: bool, message: &str) -> ApiError {
        let leader = self.raft.leader().map(|leader| leader.to_string());
        ApiError {
            code: code.into(),
            definite,
            message: message.into(),
            leader,
        }
    }

    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<Answer, ApiError>) {
        self.effects.push(Effect::Answer { ticket, result });
    }
}

fn result(applied: Applied) -> Result<Answer, ApiError> {
    let refused = |code: &str, definite, message: String| {
        Err(ApiError {
            code: code.into(),
            definite,
            message,
            leader: None,
        })
    };
    match applied {
        Applied::Done { index } => Ok(Answer {
            index,
            ..Answer::default()
        }),
        Applied::Sum { index, sum } => Ok(Answer {
            value: Some(sum.to_string()),
            index,
            ..Answer::default()
        }),
        Applied::Steps { index, given } => Ok(Answer {
            index,
            steps: Some(given),
            ..Answer::default()
        }),
        Applied::Mismatch { found } => {
            let message = match found {
                Some(_) => "the key holds another value",
                None => "the key is absent",
            };
            refused("cas-mismatch", true, message.into())
        }
        Applied::Unmet { condition } => {
            let message = format!("if[{condition}] does not hold");
            refused("condition-failed", true, message)
        }
        Applied::Refused { step, why } => {
            let code = match why {
                Refusal::NotANumber => "not-a-number",
                Refusal::Overflow => "overflow",
                Refusal::TooLong | Refusal::AnswerTooLong => "too-large",
            };
            let message = match step {
                Some(step) => format!("steps[{step}]: {why}"),
                None => why.to_string(),
            };
            refused(code, true, message)
        }
        Applied::Duplicate => {
            let message =
                "the session has gone on to a later request; this one may have been applied before";
            refused("superseded", false, message.into())
        }
    }
}
