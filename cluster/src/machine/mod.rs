//! The key-value state machine: what the committed log computes.
//!
//! Deterministic: every server that applied the same entries holds the same state, to the byte. Everything that
//! decides an answer (keys, client sessions, the origins of commands) is part of the state and travels
//! with every image.
//!
//! Capturing the state must not stop writes: the key space is cut into [`SHARDS`] parts behind reference counts, so
//! a capture copies pointers, and the first write to a captured part copies that part. A table of
//! copy-on-write pages, which also knows what changed since when, is to take this place; the rest of the
//! server sees only [`Machine`]'s methods.

mod command;
mod image;
mod session;

pub use command::{Command, CommandError, Origin};
pub use image::{Builder, ImageError};
pub use session::{MAX_SESSIONS, Sessions};

use crate::api::KvOp;
use crate::types::Index;
use session::Origins;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parts of the key space that are captured and copied separately.
pub const SHARDS: usize = 256;

/// What applying a command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It took effect at this index.
    Done { index: Index },
    /// A cas found another value; nothing changed.
    Mismatch { found: Option<String> },
    /// The command had been applied before, or was overtaken: nothing changed and nobody waits for it.
    Duplicate,
}

/// The state. Cloning it is a capture: cheap, and independent of what happens later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    applied: Index,
    shards: Vec<Arc<BTreeMap<String, String>>>,
    sessions: Arc<Sessions>,
    origins: Arc<Origins>,
    keys: u64,
    bytes: u64,
}

impl Machine {
    pub fn new() -> Self {
        Self {
            shards: vec![Arc::default(); SHARDS],
            ..Self::default()
        }
    }

    /// The index of the last applied entry.
    pub fn applied(&self) -> Index {
        self.applied
    }

    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn get(&self, key: &str) -> Option<&String> {
        self.shards[shard(key)].get(key)
    }

    /// Passes over an entry that holds no command.
    pub fn skip(&mut self, index: Index) {
        self.applied = index;
    }

    /// Applies a committed command.
    pub fn apply(&mut self, index: Index, command: &Command) -> Applied {
        self.applied = index;
        if let Some(origin) = &command.origin
            && !Arc::make_mut(&mut self.origins).admit(origin)
        {
            return Applied::Duplicate;
        }
        if let Some(session) = &command.session
            && let Some(earlier) = self.sessions.answered(session)
        {
            return earlier.clone();
        }
        let applied = self.perform(index, &command.op);
        if let Some(session) = &command.session {
            Arc::make_mut(&mut self.sessions).remember(*session, index, applied.clone());
        }
        applied
    }

    /// What a command would give now, without applying it.
    pub fn foresee(&self, index: Index, op: &KvOp) -> Applied {
        match op {
            KvOp::Cas { key, from, .. } if self.get(key) != from.as_ref() => Applied::Mismatch {
                found: self.get(key).cloned(),
            },
            _ => Applied::Done { index },
        }
    }

    fn perform(&mut self, index: Index, op: &KvOp) -> Applied {
        let foreseen = self.foresee(index, op);
        if matches!(foreseen, Applied::Mismatch { .. }) {
            return foreseen;
        }
        match op {
            KvOp::Get { .. } => {}
            KvOp::Put { key, value } => self.set(key, value.clone()),
            KvOp::Cas { key, to, .. } => self.set(key, to.clone()),
            KvOp::Delete { key } => {
                let shard = &mut self.shards[shard(key)];
                if shard.contains_key(key)
                    && let Some(old) = Arc::make_mut(shard).remove(key)
                {
                    self.keys -= 1;
                    self.bytes -= (key.len() + old.len()) as u64;
                }
            }
            KvOp::Append { key, value } => {
                let shard = Arc::make_mut(&mut self.shards[shard(key)]);
                match shard.get_mut(key) {
                    Some(old) => {
                        old.push_str(value);
                        self.bytes += value.len() as u64;
                    }
                    None => self.set(key, value.clone()),
                }
            }
        }
        foreseen
    }

    fn set(&mut self, key: &str, value: String) {
        self.bytes += value.len() as u64;
        let shard = Arc::make_mut(&mut self.shards[shard(key)]);
        match shard.insert(key.to_owned(), value) {
            Some(old) => self.bytes -= old.len() as u64,
            None => {
                self.keys += 1;
                self.bytes += key.len() as u64;
            }
        }
    }
}

/// FNV-1a: the same on every server and in every version, unlike the standard library's hasher.
fn shard(key: &str) -> usize {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 32) as usize % SHARDS
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
        assert_eq!(image.get("a").map(String::as_str), Some("1"));
        assert_eq!(machine.get("a").map(String::as_str), Some("2"));
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
        assert_eq!(machine.get("a").map(String::as_str), Some("9"));
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
        assert_eq!(machine.get("a").map(String::as_str), Some("x"));
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
