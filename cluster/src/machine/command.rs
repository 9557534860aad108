//! Commands as they stand in the log.
//!
//! A byte for each part that may be absent, numbers little-endian, text as length and UTF-8. The format is part of
//! the log's and the image's: change it only together with their versions. Adding a kind of operation changes it, as
//! a program that does not know the kind must refuse the file and not the entry.

use crate::api::{Condition, KvOp, Session, Step, Transaction};
use crate::types::ServerId;

/// A write of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who proposed it, so that it is applied once and answered there.
    pub origin: Option<Origin>,
    pub session: Option<Session>,
    pub op: KvOp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    pub server: ServerId,
    /// Grows with every start of the server.
    pub boot: u64,
    /// Counts from 1 within a boot.
    pub sequence: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("command: {0}")]
pub struct CommandError(pub(super) &'static str);

impl Command {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match &self.origin {
            None => out.push(0),
            Some(origin) => {
                out.push(1);
                put_u64(&mut out, origin.server.0);
                put_u64(&mut out, origin.boot);
                put_u64(&mut out, origin.sequence);
            }
        }
        match &self.session {
            None => out.push(0),
            Some(session) => {
                out.push(1);
                put_u64(&mut out, session.client);
                put_u64(&mut out, session.sequence);
            }
        }
        put_op(&mut out, &self.op);
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        let mut input = Input(bytes);
        let origin = match input.u8()? {
            0 => None,
            1 => Some(Origin {
                server: ServerId(input.u64()?),
                boot: input.u64()?,
                sequence: input.u64()?,
            }),
            _ => return Err(CommandError("bad origin")),
        };
        let session = match input.u8()? {
            0 => None,
            1 => Some(Session {
                client: input.u64()?,
                sequence: input.u64()?,
            }),
            _ => return Err(CommandError("bad session")),
        };
        let op = read_op(&mut input)?;
        if input.0.is_empty() {
            Ok(Self {
                origin,
                session,
                op,
            })
        } else {
            Err(CommandError("bytes left over"))
        }
    }
}

fn put_op(out: &mut Vec<u8>, op: &KvOp) {
    match op {
        KvOp::Get { key } => put_keyed(out, 0, key),
        KvOp::Put { key, value } => {
            put_keyed(out, 1, key);
            put_option(out, Some(value));
        }
        KvOp::Delete { key } => put_keyed(out, 2, key),
        KvOp::Cas { key, from, to } => {
            put_keyed(out, 3, key);
            put_option(out, from.as_deref());
            put_option(out, Some(to));
        }
        KvOp::Append { key, value } => {
            put_keyed(out, 4, key);
            put_option(out, Some(value));
        }
        KvOp::Add { key, amount } => {
            put_keyed(out, 5, key);
            put_u64(out, amount.cast_unsigned());
        }
        KvOp::Txn(transaction) => {
            out.push(6);
            put_count(out, transaction.conditions.len());
            for condition in &transaction.conditions {
                put_condition(out, condition);
            }
            put_count(out, transaction.steps.len());
            for step in &transaction.steps {
                // A step has the form of the operation of the same name.
                put_op(out, &step.clone().into());
            }
        }
        KvOp::Scan(_) => unreachable!("a scan only reads and is never in the log"),
    }
}

fn put_keyed(out: &mut Vec<u8>, tag: u8, key: &str) {
    out.push(tag);
    put_text(out, key);
}

fn put_condition(out: &mut Vec<u8>, condition: &Condition) {
    match condition {
        Condition::Is { key, value } => {
            put_keyed(out, 0, key);
            put_option(out, value.as_deref());
        }
        Condition::AtLeast { key, amount } => {
            put_keyed(out, 1, key);
            put_u64(out, amount.cast_unsigned());
        }
    }
}

fn read_op(input: &mut Input<'_>) -> Result<KvOp, CommandError> {
    Ok(match input.u8()? {
        0 => KvOp::Get { key: input.text()? },
        1 => KvOp::Put {
            key: input.text()?,
            value: input.value()?,
        },
        2 => KvOp::Delete { key: input.text()? },
        3 => KvOp::Cas {
            key: input.text()?,
            from: input.option()?,
            to: input.value()?,
        },
        4 => KvOp::Append {
            key: input.text()?,
            value: input.value()?,
        },
        5 => KvOp::Add {
            key: input.text()?,
            amount: input.u64()?.cast_signed(),
        },
        6 => {
            let conditions = (0..input.count()?)
                .map(|_| read_condition(input))
                .collect::<Result<_, _>>()?;
            let steps = (0..input.count()?)
                .map(|_| read_step(input))
                .collect::<Result<_, _>>()?;
            KvOp::Txn(Transaction { conditions, steps })
        }
        _ => return Err(CommandError("unknown operation")),
    })
}

fn read_condition(input: &mut Input<'_>) -> Result<Condition, CommandError> {
    let (tag, key) = (input.u8()?, input.text()?);
    Ok(match tag {
        0 => Condition::Is {
            key,
            value: input.option()?,
        },
        1 => Condition::AtLeast {
            key,
            amount: input.u64()?.cast_signed(),
        },
        _ => return Err(CommandError("unknown condition")),
    })
}

fn read_step(input: &mut Input<'_>) -> Result<Step, CommandError> {
    // A transaction within a transaction would make this call itself as deep as the bytes say.
    if matches!(input.0.first(), Some(3 | 6)) {
        return Err(CommandError("unknown step"));
    }
    Ok(match read_op(input)? {
        KvOp::Get { key } => Step::Get { key },
        KvOp::Put { key, value } => Step::Put { key, value },
        KvOp::Delete { key } => Step::Delete { key },
        KvOp::Append { key, value } => Step::Append { key, value },
        KvOp::Add { key, amount } => Step::Add { key, amount },
        KvOp::Cas { .. } | KvOp::Scan(_) | KvOp::Txn(_) => {
            return Err(CommandError("unknown step"));
        }
    })
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("limits keep counts small");
    out.extend_from_slice(&count.to_le_bytes());
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_option(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

/// Reads what the functions above wrote.
pub(super) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], CommandError> {
        let (taken, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or(CommandError("ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn u8(&mut self) -> Result<u8, CommandError> {
        Ok(self.take(1)?[0])
    }

    pub fn u64(&mut self) -> Result<u64, CommandError> {
        Ok(u64::from_le_bytes(
            self.take(8)?.try_into().expect("eight bytes"),
        ))
    }

    /// How many things follow.
    pub fn count(&mut self) -> Result<u32, CommandError> {
        Ok(u32::from_le_bytes(
            self.take(4)?.try_into().expect("four bytes"),
        ))
    }

    pub fn text(&mut self) -> Result<String, CommandError> {
        let len = self.count()?;
        String::from_utf8(self.take(len as usize)?.to_vec())
            .map_err(|_| CommandError("text is not UTF-8"))
    }

    pub fn option(&mut self) -> Result<Option<String>, CommandError> {
        match self.u8()? {
            0 => Ok(None),
            1 => Ok(Some(self.text()?)),
            _ => Err(CommandError("bad option")),
        }
    }

    fn value(&mut self) -> Result<String, CommandError> {
        self.option()?.ok_or(CommandError("value is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_survives_a_round_trip_and_no_cut_one_is_accepted() {
        let ops = [
            KvOp::Get { key: "k".into() },
            KvOp::Put {
                key: "k".into(),
                value: "v".into(),
            },
            KvOp::Delete { key: String::new() },
            KvOp::Cas {
                key: "k".into(),
                from: None,
                to: "ä".into(),
            },
            KvOp::Append {
                key: "k".into(),
                value: "1 ".into(),
            },
            KvOp::Add {
                key: "k".into(),
                amount: -7,
            },
            KvOp::Txn(Transaction {
                conditions: vec![
                    Condition::Is {
                        key: "k".into(),
                        value: None,
                    },
                    Condition::AtLeast {
                        key: "l".into(),
                        amount: i64::MIN,
                    },
                ],
                steps: vec![
                    Step::Get { key: "k".into() },
                    Step::Put {
                        key: "k".into(),
                        value: String::new(),
                    },
                    Step::Delete { key: "k".into() },
                    Step::Append {
                        key: "k".into(),
                        value: "v".into(),
                    },
                    Step::Add {
                        key: "k".into(),
                        amount: 1,
                    },
                ],
            }),
        ];
        for op in ops {
            let origin = Some(Origin {
                server: ServerId(3),
                boot: 7,
                sequence: 9,
            });
            let session = Some(Session {
                client: 1,
                sequence: 2,
            });
            let command = Command {
                origin,
                session,
                op,
            };
            let bytes = command.encode();
            assert_eq!(Command::decode(&bytes), Ok(command));
            for cut in 0..bytes.len() {
                assert!(Command::decode(&bytes[..cut]).is_err());
            }
        }
    }
    #[test]
    fn a_step_that_is_no_step_is_refused_before_it_is_read() {
        let mut bytes = vec![0, 0];
        // Transactions within one another, ten thousand deep.
        for _ in 0..10_000 {
            bytes.extend_from_slice(&[6, 0, 0, 0, 0, 1, 0, 0, 0]);
        }
        assert_eq!(Command::decode(&bytes), Err(CommandError("unknown step")));
    }
}
