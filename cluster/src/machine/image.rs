//! The state as bytes: what checkpoints store and InstallSnapshot carries.
//!
//! A sequence of records, each small, so that writing one never needs the whole state in memory twice. The same
//! state gives the same records on every server.

use super::command::{Input, put_option, put_text, put_u64};
use super::session::{Origins, Remembered, Seen, Sessions};
use super::{Applied, CommandError, Machine, SHARDS, shard};
use crate::types::{Index, ServerId};
use std::sync::Arc;

const APPLIED: u8 = 1;
const PAIR: u8 = 2;
const SESSION: u8 = 3;
const ORIGIN: u8 = 4;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("record {number} of the image: {source}")]
    Record { number: u64, source: CommandError },
    #[error("record {number} of the image is of unknown kind {kind}")]
    Kind { number: u64, kind: u8 },
}

impl Machine {
    /// Calls `write` with each record of the state.
    pub fn records<E>(&self, mut write: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut record = vec![APPLIED];
        put_u64(&mut record, self.applied);
        write(&record)?;
        for (key, value) in self.shards.iter().flat_map(|shard| shard.iter()) {
            record.clear();
            record.push(PAIR);
            put_text(&mut record, key);
            put_text(&mut record, value);
            write(&record)?;
        }
        for (&client, session) in &self.sessions.last {
            record.clear();
            record.push(SESSION);
            put_u64(&mut record, client);
            put_u64(&mut record, session.sequence);
            put_u64(&mut record, session.used);
            match &session.answer {
                Applied::Done { index } => {
                    record.push(0);
                    put_u64(&mut record, *index);
                }
                Applied::Mismatch { found } => {
                    record.push(1);
                    put_option(&mut record, found.as_deref());
                }
                Applied::Duplicate => record.push(2),
            }
            write(&record)?;
        }
        for (&server, seen) in &self.origins.seen {
            record.clear();
            record.push(ORIGIN);
            for number in [server.0, seen.boot, seen.floor, seen.after.len() as u64] {
                put_u64(&mut record, number);
            }
            for &sequence in &seen.after {
                put_u64(&mut record, sequence);
            }
            write(&record)?;
        }
        Ok(())
    }

    /// Puts a state together from its records.
    pub fn from_records<'a>(records: impl Iterator<Item = &'a [u8]>) -> Result<Self, ImageError> {
        let mut builder = Builder::default();
        for record in records {
            builder.add(record)?;
        }
        Ok(builder.finish())
    }
}

/// Puts a state together record by record.
#[derive(Default)]
pub struct Builder {
    applied: Index,
    shards: Vec<std::collections::BTreeMap<String, String>>,
    sessions: Sessions,
    origins: Origins,
    keys: u64,
    bytes: u64,
    number: u64,
}

impl Builder {
    pub fn add(&mut self, record: &[u8]) -> Result<(), ImageError> {
        let number = self.number;
        self.number += 1;
        self.shards.resize_with(SHARDS, Default::default);
        let mut input = Input(record);
        self.take(&mut input).map_err(|error| match error {
            Fault::Record(source) => ImageError::Record { number, source },
            Fault::Kind(kind) => ImageError::Kind { number, kind },
        })
    }

    fn take(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        match input.u8()? {
            APPLIED => self.applied = input.u64()?,
            PAIR => {
                let (key, value) = (input.text()?, input.text()?);
                self.keys += 1;
                self.bytes += (key.len() + value.len()) as u64;
                self.shards[shard(&key)].insert(key, value);
            }
            SESSION => {
                let (client, sequence, used) = (input.u64()?, input.u64()?, input.u64()?);
                let answer = match input.u8()? {
                    0 => Applied::Done {
                        index: input.u64()?,
                    },
                    1 => Applied::Mismatch {
                        found: input.option()?,
                    },
                    _ => Applied::Duplicate,
                };
                self.sessions.last.insert(
                    client,
                    Remembered {
                        sequence,
                        used,
                        answer,
                    },
                );
            }
            ORIGIN => {
                let (server, boot, floor, count) =
                    (input.u64()?, input.u64()?, input.u64()?, input.u64()?);
                let mut seen = Seen {
                    boot,
                    floor,
                    ..Seen::default()
                };
                for _ in 0..count {
                    seen.after.insert(input.u64()?);
                }
                self.origins.seen.insert(ServerId(server), seen);
            }
            kind => return Err(Fault::Kind(kind)),
        }
        Ok(())
    }

    pub fn finish(mut self) -> Machine {
        self.shards.resize_with(SHARDS, Default::default);
        Machine {
            applied: self.applied,
            shards: self.shards.into_iter().map(Arc::new).collect(),
            sessions: Arc::new(self.sessions),
            origins: Arc::new(self.origins),
            keys: self.keys,
            bytes: self.bytes,
        }
    }
}

enum Fault {
    Record(CommandError),
    Kind(u8),
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        Fault::Record(error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Origin};
    use super::*;
    use crate::api::{KvOp, Session};

    #[test]
    fn a_state_survives_a_round_trip_with_sessions_and_origins() {
        let mut machine = Machine::new();
        for n in 1..500u64 {
            let origin = Some(Origin {
                server: ServerId(n % 3 + 1),
                boot: 1,
                sequence: n,
            });
            let session = (n % 7 == 0).then_some(Session {
                client: n % 5,
                sequence: n,
            });
            let op = match n % 4 {
                0 => KvOp::Append {
                    key: format!("k{}", n % 50),
                    value: format!("{n} "),
                },
                1 => KvOp::Cas {
                    key: format!("k{}", n % 50),
                    from: None,
                    to: n.to_string(),
                },
                2 => KvOp::Delete {
                    key: format!("k{}", n % 50),
                },
                _ => KvOp::Put {
                    key: format!("k{}", n % 50),
                    value: n.to_string(),
                },
            };
            machine.apply(
                n,
                &Command {
                    origin,
                    session,
                    op,
                },
            );
        }
        let mut records: Vec<Vec<u8>> = Vec::new();
        machine
            .records(|record| {
                records.push(record.to_vec());
                Ok::<(), ()>(())
            })
            .unwrap();
        let restored = Machine::from_records(records.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(restored, machine);
    }
}
