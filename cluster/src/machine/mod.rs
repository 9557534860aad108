//! The key-value state machine: what the committed log computes.
//!
//! Deterministic: every server that applied the same entries holds the same content. Everything that decides an
//! answer (keys, client sessions, the origins of commands, who the members are) is in the pages
//! ([`crate::pages`]) and travels with every image and every increment. The first byte of a key in the pages tells
//! what it is; see [`stored`].

mod command;
mod session;
mod stored;
mod transaction;

pub use command::{Command, CommandError, Origin};
pub use session::MAX_SESSIONS;
pub use stored::ImageError;

use crate::api::limits::MAX_STORED;
use crate::api::{Entry, KvOp, Scan};
use crate::bugs::{Bug, planted};
use crate::pages::{Counters, Page, Pages};
use crate::types::{Index, Membership};
use session::Origins;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// What applying a command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It took effect at this index.
    Done { index: Index },
    /// An addition took effect and made this of it.
    Sum { index: Index, sum: i64 },
    /// A transaction took effect; by step, what it gave.
    Steps {
        index: Index,
        given: Vec<Option<String>>,
    },
    /// The condition at this place of a transaction did not hold; nothing changed.
    Unmet { condition: u32 },
    /// Nothing changed, as what the keys hold does not allow it.
    Refused { step: Option<u32>, why: Refusal },
    /// A cas found another value; nothing changed.
    Mismatch { found: Option<String> },
    /// The command had been applied before, or was overtaken: nothing changed and nobody waits for it.
    Duplicate,
}

/// Why what a key holds does not allow an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the key holds no decimal number of 64 bits")]
    NotANumber,
    #[error("the sum is no number of 64 bits")]
    Overflow,
    #[error("the value would have more than {MAX_STORED} bytes")]
    TooLong,
    #[error("the values that are read have more bytes than an answer may have")]
    AnswerTooLong,
}

/// The state.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    applied: Index,
    pages: Pages,
    /// What the pages say of origins, with what happened since the last capture.
    origins: Origins,
    totals: Totals,
    /// Nothing was applied since the last capture: it may hold any page.
    captured: bool,
}

/// Kept beside the pages while they change, in them when captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    keys: u64,
    bytes: u64,
    sessions: u64,
}

/// A state at one index that later changes do not touch.
#[derive(Clone, Debug)]
pub struct Capture {
    pub applied: Index,
    pub pages: Pages,
    pub keys: u64,
    pub bytes: u64,
}

impl Machine {
    pub fn new() -> Self {
        Self::default()
    }

    /// The index of the last applied entry.
    pub fn applied(&self) -> Index {
        self.applied
    }

    pub fn keys(&self) -> u64 {
        self.totals.keys
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> u64 {
        self.totals.bytes
    }

    /// Sizes of the pages.
    pub fn counters(&self) -> &Counters {
        self.pages.counters()
    }

    /// The state as it is now, for reading while it goes on changing. Takes the same time for any size.
    pub fn capture(&mut self) -> Capture {
        self.settle();
        Capture {
            applied: self.applied,
            pages: self.pages.clone(),
            keys: self.totals.keys,
            bytes: self.totals.bytes,
        }
    }

    /// The pages changed after `base`, held as they are now; for strategies that hold nothing else.
    pub fn capture_changed(&mut self, base: Index) -> Vec<Page> {
        self.settle();
        self.pages.changed_since(base, base == 0)
    }

    /// Counts changed pages anew: a capture up to here is about to be kept.
    pub fn mark_captured(&mut self) {
        self.pages.mark_captured(self.applied);
    }

    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        let value = self.pages.get(&stored::user(key))?;
        Some(String::from_utf8_lossy(value))
    }

    /// The keys of a scan with their values, in order, up to `bytes` of them but one at the least; and the first
    /// key that was left out.
    pub fn scan(&self, scan: &Scan, bytes: usize) -> (Vec<Entry>, Option<String>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let end = match &scan.to {
            Some(to) => stored::user(to),
            None => vec![stored::USER + 1],
        };
        let (mut found, mut taken) = (Vec::new(), 0);
        let next = self.pages.scan(&stored::user(&scan.from), |key, value| {
            if key >= end.as_slice() {
                return ControlFlow::Break(None);
            }
            taken += key.len() + value.len();
            if found.len() as u64 >= scan.limit || (taken > bytes && !found.is_empty()) {
                return ControlFlow::Break(Some(text(&key[1..])));
            }
            found.push(Entry {
                key: text(&key[1..]),
                value: text(value),
            });
            ControlFlow::Continue(())
        });
        (found, next.flatten())
    }

    /// Passes over an entry that holds no command.
    pub fn skip(&mut self, index: Index) {
        self.applied = index;
    }

    /// Applies a committed change of the members.
    pub fn apply_members(&mut self, index: Index, members: &Membership) {
        self.applied = index;
        self.pages
            .put(index, stored::MEMBERS, &stored::members(members));
    }

    /// The members as the state knows them; `None` before the first change.
    pub fn members(&self) -> Option<Membership> {
        stored::members_from(self.pages.get(stored::MEMBERS)?).ok()
    }

    /// Applies a committed command.
    pub fn apply(&mut self, index: Index, command: &Command) -> Applied {
        self.applied = index;
        self.prepare_to_settle();
        if let Some(origin) = &command.origin
            && !self.origins.admit(origin)
            && !planted(Bug::RetryAppliedTwice)
        {
            return Applied::Duplicate;
        }
        if let Some(session) = &command.session
            && let Some(earlier) = self.answered(session)
        {
            return earlier;
        }
        let applied = self.perform(index, &command.op);
        if let Some(session) = &command.session {
            self.remember(*session, index, &applied);
        }
        applied
    }

    /// What a command would give now, without applying it.
    pub fn foresee(&self, index: Index, op: &KvOp) -> Applied {
        match op {
            KvOp::Cas { key, from, .. } => {
                let found = self.get(key);
                if found.as_deref() == from.as_deref() {
                    return Applied::Done { index };
                }
                Applied::Mismatch {
                    found: found.map(Cow::into_owned),
                }
            }
            KvOp::Append { key, value } => {
                let held = self.get(key).map_or(0, |held| held.len());
                match held + value.len() {
                    0..=MAX_STORED => Applied::Done { index },
                    _ => Applied::Refused {
                        step: None,
                        why: Refusal::TooLong,
                    },
                }
            }
            KvOp::Add { key, amount } => {
                match transaction::sum(self.get(key).as_deref(), *amount) {
                    Ok(sum) => Applied::Sum { index, sum },
                    Err(why) => Applied::Refused { step: None, why },
                }
            }
            KvOp::Txn(transaction) => self.attempt(index, transaction).0,
            KvOp::Get { .. } | KvOp::Put { .. } | KvOp::Delete { .. } | KvOp::Scan(_) => {
                Applied::Done { index }
            }
        }
    }

    fn perform(&mut self, index: Index, op: &KvOp) -> Applied {
        if let KvOp::Txn(transaction) = op {
            let (applied, writes) = self.attempt(index, transaction);
            self.write(index, writes);
            return applied;
        }
        let foreseen = self.foresee(index, op);
        match (&foreseen, op) {
            (Applied::Done { .. }, KvOp::Put { key, value }) => {
                self.set(index, key, value.as_bytes());
            }
            (Applied::Done { .. }, KvOp::Cas { key, to, .. }) => {
                self.set(index, key, to.as_bytes());
            }
            (Applied::Done { .. }, KvOp::Delete { key }) => self.remove(index, key),
            (Applied::Done { .. }, KvOp::Append { key, value }) => {
                let mut whole = self
                    .pages
                    .get(&stored::user(key))
                    .map_or_else(Vec::new, <[u8]>::to_vec);
                whole.extend_from_slice(value.as_bytes());
                self.set(index, key, &whole);
            }
            (Applied::Sum { sum, .. }, KvOp::Add { key, .. }) => {
                self.set(index, key, sum.to_string().as_bytes());
            }
            _ => {}
        }
        foreseen
    }

    fn remove(&mut self, index: Index, key: &str) {
        if let Some(old) = self.pages.remove(index, &stored::user(key)) {
            self.totals.keys -= 1;
            self.totals.bytes -= (key.len() + old) as u64;
        }
    }

    fn set(&mut self, index: Index, key: &str, value: &[u8]) {
        let totals = &mut self.totals;
        totals.bytes += value.len() as u64;
        match self.pages.put(index, &stored::user(key), value) {
            Some(old) => totals.bytes -= old as u64,
            None => {
                totals.keys += 1;
                totals.bytes += key.len() as u64;
            }
        }
    }
}

/// Equal if they hold the same content after the same index.
impl PartialEq for Machine {
    fn eq(&self, other: &Self) -> bool {
        let settled = |machine: &Machine| {
            let capture = machine.clone().capture();
            (capture.applied, capture.pages.sum())
        };
        settled(self) == settled(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Session;

    fn put(key: &str, value: &str) -> Command {
        Command {
            origin: None,
            session: None,
            op: KvOp::Put {
                key: key.into(),
                value: value.into(),
            },
        }
    }

    #[test]
    fn a_capture_does_not_see_later_writes() {
        let mut machine = Machine::new();
        machine.apply(1, &put("a", "1"));
        let image = machine.clone();
        machine.apply(2, &put("a", "2"));
        assert_eq!(image.get("a").as_deref(), Some("1"));
        assert_eq!(machine.get("a").as_deref(), Some("2"));
        assert_eq!((image.applied(), machine.applied()), (1, 2));
    }

    #[test]
    fn a_cas_that_finds_another_value_changes_nothing() {
        let mut machine = Machine::new();
        machine.apply(1, &put("a", "1"));
        let cas = |from: Option<&str>| Command {
            origin: None,
            session: None,
            op: KvOp::Cas {
                key: "a".into(),
                from: from.map(Into::into),
                to: "9".into(),
            },
        };
        assert_eq!(
            machine.apply(2, &cas(None)),
            Applied::Mismatch {
                found: Some("1".into())
            }
        );
        assert_eq!(
            machine.apply(3, &cas(Some("1"))),
            Applied::Done { index: 3 }
        );
        assert_eq!(machine.get("a").as_deref(), Some("9"));
    }

    #[test]
    fn a_repeated_session_request_is_answered_and_not_applied() {
        let mut machine = Machine::new();
        let append = Command {
            origin: None,
            session: Some(Session {
                client: 1,
                sequence: 1,
            }),
            op: KvOp::Append {
                key: "a".into(),
                value: "x".into(),
            },
        };
        assert_eq!(machine.apply(1, &append), Applied::Done { index: 1 });
        assert_eq!(machine.apply(2, &append), Applied::Done { index: 1 });
        assert_eq!(machine.get("a").as_deref(), Some("x"));
    }

    #[test]
    fn sizes_follow_every_change() {
        let mut machine = Machine::new();
        machine.apply(1, &put("key", "12345"));
        machine.apply(2, &put("key", "1"));
        let append = KvOp::Append {
            key: "key".into(),
            value: "23".into(),
        };
        machine.apply(
            3,
            &Command {
                origin: None,
                session: None,
                op: append,
            },
        );
        assert_eq!((machine.keys(), machine.bytes()), (1, 6));
        let delete = KvOp::Delete { key: "key".into() };
        machine.apply(
            4,
            &Command {
                origin: None,
                session: None,
                op: delete,
            },
        );
        assert_eq!((machine.keys(), machine.bytes()), (0, 0));
    }
}
