//! Commands as they stand in the log.
//!
//! A byte for each part that may be absent, numbers little-endian, text as length and UTF-8. The format is part of
//! the log's and the image's: change it only together with their versions.

use crate::api::{KvOp, Session};
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
        let mut op = |tag: u8, key: &str, values: &[Option<&str>]| {
            out.push(tag);
            put_text(&mut out, key);
            for value in values {
                put_option(&mut out, *value);
            }
        };
        match &self.op {
            KvOp::Get { key } => op(0, key, &[]),
            KvOp::Put { key, value } => op(1, key, &[Some(value)]),
            KvOp::Delete { key } => op(2, key, &[]),
            KvOp::Cas { key, from, to } => op(3, key, &[from.as_deref(), Some(to)]),
            KvOp::Append { key, value } => op(4, key, &[Some(value)]),
        }
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
        let tag = input.u8()?;
        let key = input.text()?;
        let op = match tag {
            0 => KvOp::Get { key },
            1 => KvOp::Put {
                key,
                value: input.value()?,
            },
            2 => KvOp::Delete { key },
            3 => KvOp::Cas {
                key,
                from: input.option()?,
                to: input.value()?,
            },
            4 => KvOp::Append {
                key,
                value: input.value()?,
            },
            _ => return Err(CommandError("unknown operation")),
        };
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

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
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

    pub fn text(&mut self) -> Result<String, CommandError> {
        let len = u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes"));
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
}
