//! How the parts of the state stand in the pages.
//!
//! | first byte | key | value |
//! |---|---|---|
//! | `k` | a client's key | its value |
//! | `m` | `members` | the membership |
//! | `m` | `totals` | index of the last applied entry; number of keys, their bytes, sessions |
//! | `o` | id of a server | which of its commands were admitted |
//! | `s` | id of a client | its last request and the answer |
//! | `u` | index of a session's last use, id of the client | nothing: the order in which sessions are forgotten |
//!
//! Numbers in keys are big-endian, so that they sort; in values little-endian.

use super::command::{Input, put_count, put_option, put_u64};
use super::session::{Origins, Remembered, Seen};
use super::{Applied, Capture, CommandError, Machine, Refusal, Totals};
use crate::bugs::{Bug, planted};
use crate::pages::Pages;
use crate::types::{Index, Membership, ServerId};
use std::ops::ControlFlow;

pub const USER: u8 = b'k';
pub const MEMBERS: &[u8] = b"mmembers";
const TOTALS: &[u8] = b"mtotals";
const ORIGIN: u8 = b'o';
const SESSION: u8 = b's';
pub const USED: u8 = b'u';

/// By the number that stands for each.
const REFUSALS: [Refusal; 4] = [
    Refusal::NotANumber,
    Refusal::Overflow,
    Refusal::TooLong,
    Refusal::AnswerTooLong,
];

/// Pages that are sound and hold no state of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("the state holds no totals")]
    NoTotals,
    #[error("the state of index {found} where {expected} belongs")]
    Index { found: Index, expected: Index },
    #[error("{part} in the state: {source}")]
    Part {
        part: &'static str,
        source: CommandError,
    },
}

pub fn user(key: &str) -> Vec<u8> {
    let mut stored = Vec::with_capacity(key.len() + 1);
    stored.push(USER);
    stored.extend_from_slice(key.as_bytes());
    stored
}

pub fn session(client: u64) -> Vec<u8> {
    numbered(SESSION, &[client])
}

pub fn used(index: Index, client: u64) -> Vec<u8> {
    numbered(USED, &[index, client])
}

pub fn used_from(key: &[u8]) -> Option<(Index, u64)> {
    let index = key.get(1..9)?.try_into().ok()?;
    let client = key.get(9..17)?.try_into().ok()?;
    (key[0] == USED).then(|| (u64::from_be_bytes(index), u64::from_be_bytes(client)))
}

fn numbered(kind: u8, numbers: &[u64]) -> Vec<u8> {
    let mut key = vec![kind];
    for number in numbers {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key
}

pub fn members(members: &Membership) -> Vec<u8> {
    postcard::to_stdvec(members).expect("a membership is plain data")
}

pub fn members_from(bytes: &[u8]) -> Result<Membership, CommandError> {
    postcard::from_bytes(bytes).map_err(|_| CommandError("no membership"))
}

pub fn remembered(remembered: &Remembered) -> Vec<u8> {
    let mut out = Vec::new();
    put_u64(&mut out, remembered.sequence);
    put_u64(&mut out, remembered.used);
    match &remembered.answer {
        Applied::Done { index } => {
            out.push(0);
            put_u64(&mut out, *index);
        }
        Applied::Mismatch { found } => {
            out.push(1);
            put_option(&mut out, found.as_deref());
        }
        Applied::Duplicate => out.push(2),
        Applied::Sum { index, sum } => {
            out.push(3);
            put_u64(&mut out, *index);
            put_u64(&mut out, sum.cast_unsigned());
        }
        Applied::Steps { index, given } => {
            out.push(4);
            put_u64(&mut out, *index);
            put_count(&mut out, given.len());
            for value in given {
                put_option(&mut out, value.as_deref());
            }
        }
        Applied::Unmet { condition } => {
            out.push(5);
            put_u64(&mut out, u64::from(*condition));
        }
        Applied::Refused { step, why } => {
            out.push(6);
            put_u64(&mut out, step.map_or(u64::MAX, u64::from));
            let why = REFUSALS.iter().position(|known| known == why);
            out.push(why.expect("all are listed") as u8);
        }
    }
    out
}

pub fn remembered_from(bytes: &[u8]) -> Result<Remembered, CommandError> {
    let mut input = Input(bytes);
    let (sequence, used) = (input.u64()?, input.u64()?);
    let answer = match input.u8()? {
        0 => Applied::Done {
            index: input.u64()?,
        },
        1 => Applied::Mismatch {
            found: input.option()?,
        },
        2 => Applied::Duplicate,
        3 => Applied::Sum {
            index: input.u64()?,
            sum: input.u64()?.cast_signed(),
        },
        4 => Applied::Steps {
            index: input.u64()?,
            given: (0..input.count()?)
                .map(|_| input.option())
                .collect::<Result<_, _>>()?,
        },
        5 => Applied::Unmet {
            condition: input.u64()? as u32,
        },
        6 => {
            let step = Some(input.u64()?).filter(|step| *step != u64::MAX);
            let why = REFUSALS.get(usize::from(input.u8()?));
            Applied::Refused {
                step: step.map(|step| step as u32),
                why: *why.ok_or(CommandError("unknown refusal"))?,
            }
        }
        _ => return Err(CommandError("unknown answer")),
    };
    Ok(Remembered {
        sequence,
        used,
        answer,
    })
}

fn seen(seen: &Seen) -> Vec<u8> {
    let mut out = Vec::new();
    put_u64(&mut out, seen.boot);
    put_u64(&mut out, seen.floor);
    for &sequence in &seen.after {
        put_u64(&mut out, sequence);
    }
    out
}

fn seen_from(bytes: &[u8]) -> Result<Seen, CommandError> {
    let mut input = Input(bytes);
    let mut seen = Seen {
        boot: input.u64()?,
        floor: input.u64()?,
        ..Seen::default()
    };
    while !input.0.is_empty() {
        seen.after.insert(input.u64()?);
    }
    Ok(seen)
}

impl Machine {
    /// Copies the pages that [`settle`](Self::settle) will write, if a capture holds them. The first write after a
    /// capture does this, since writes copy pages anyway, and a capture should not.
    pub(super) fn prepare_to_settle(&mut self) {
        if std::mem::take(&mut self.captured) {
            self.pages.unshare(TOTALS);
            self.pages.unshare(&[ORIGIN]);
        }
    }

    /// Puts into the pages what is kept beside them.
    pub(super) fn settle(&mut self) {
        for server in std::mem::take(&mut self.origins.changed) {
            if planted(Bug::DedupNotInImage) {
                continue;
            }
            let key = numbered(ORIGIN, &[server.0]);
            let value = seen(&self.origins.seen[&server]);
            self.pages.put(self.applied, &key, &value);
        }
        let mut totals = Vec::new();
        let Totals {
            keys,
            bytes,
            sessions,
        } = self.totals;
        for number in [self.applied, keys, bytes, sessions] {
            put_u64(&mut totals, number);
        }
        if self.pages.get(TOTALS) != Some(&totals) {
            self.pages.put(self.applied, TOTALS, &totals);
        }
        self.captured = true;
    }

    /// The machine whose state these pages hold, after entry `applied`.
    pub fn from_pages(pages: Pages, applied: Index) -> Result<Self, ImageError> {
        let part = |part| move |source| ImageError::Part { part, source };
        let totals = pages.get(TOTALS).ok_or(ImageError::NoTotals)?;
        let mut input = Input(totals);
        let mut number = || input.u64().map_err(part("totals"));
        let found = number()?;
        let totals = Totals {
            keys: number()?,
            bytes: number()?,
            sessions: number()?,
        };
        if found != applied {
            return Err(ImageError::Index {
                found,
                expected: applied,
            });
        }
        let mut origins = Origins::default();
        let failed = pages.scan(&[ORIGIN], |key, value| {
            let Some(server) = key.get(1..9).filter(|_| key[0] == ORIGIN) else {
                return ControlFlow::Break(None);
            };
            let server = u64::from_be_bytes(server.try_into().expect("eight bytes"));
            match seen_from(value) {
                Ok(seen) => {
                    origins.seen.insert(ServerId(server), seen);
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(Some(error)),
            }
        });
        if let Some(Some(error)) = failed {
            return Err(part("origins")(error));
        }
        let mut machine = Self {
            applied,
            pages,
            origins,
            totals,
            captured: true,
        };
        machine.mark_captured();
        Ok(machine)
    }

    /// The same, out of a capture.
    pub fn from_capture(capture: Capture) -> Result<Self, ImageError> {
        Self::from_pages(capture.pages, capture.applied)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Origin};
    use super::*;
    use crate::api::{KvOp, Session};

    #[test]
    fn a_state_survives_the_way_through_pages_with_sessions_origins_and_members() {
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
            let key = format!("k{}", n % 50);
            let op = match n % 4 {
                0 => KvOp::Append {
                    key,
                    value: format!("{n} "),
                },
                1 => KvOp::Cas {
                    key,
                    from: None,
                    to: n.to_string(),
                },
                2 => KvOp::Delete { key },
                _ => KvOp::Put {
                    key,
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
        let members = Membership::of([ServerId(1), ServerId(2)]);
        machine.apply_members(500, &members);
        let mut restored = Machine::from_capture(machine.capture()).unwrap();
        assert_eq!(restored, machine);
        assert_eq!(restored.members(), Some(members));
        assert_eq!(
            (restored.keys(), restored.bytes()),
            (machine.keys(), machine.bytes())
        );
        let late = Command {
            origin: Some(Origin {
                server: ServerId(1),
                boot: 1,
                sequence: 3,
            }),
            session: None,
            op: KvOp::Delete { key: "k3".into() },
        };
        assert_eq!(restored.apply(501, &late), Applied::Duplicate);
        let wrong = machine.capture();
        assert!(matches!(
            Machine::from_pages(wrong.pages, 7),
            Err(ImageError::Index { .. })
        ));
    }
}
