//! The shape of line that writers of JSON give almost always, understood without a tree of its parts.
//!
//! This is only a shortcut: whatever is unusual here (an escape in a text, a fraction, a field that nobody
//! knows, anything wrong) gives `None`, and the full reader decides and names the place. Both say the same
//! of every line that this one understands; `tests/formats_fuzz.rs` holds them together.

use super::super::{Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen, Value};
use super::SINGLE_KEY;
use std::str;
use std::sync::Arc;

/// A line of a client, its value not yet looked into.
pub(super) struct Line<'a> {
    pub index: Option<u64>,
    pub time: Option<u64>,
    pub process: ProcessId,
    kind: &'a str,
    f: &'a str,
    key: Key,
    /// The bytes of the value.
    value: &'a [u8],
    error: Option<&'a str>,
}

/// Reads JSON from left to right.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

const INDEX: u16 = 1;
const TIME: u16 = 1 << 1;
const PROCESS: u16 = 1 << 2;
const KIND: u16 = 1 << 3;
const F: u16 = 1 << 4;
const KEY: u16 = 1 << 5;
const VALUE: u16 = 1 << 6;
const ERROR: u16 = 1 << 7;

impl<'a> Line<'a> {
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor { bytes, at: 0 };
        let mut line = Line {
            index: None,
            time: None,
            process: ProcessId(0),
            kind: "",
            f: "",
            key: SINGLE_KEY,
            value: b"null",
            error: None,
        };
        let mut seen = 0;
        cursor.take(b'{')?;
        loop {
            let name = cursor.text()?;
            cursor.take(b':')?;
            let field = match name {
                "index" => {
                    line.index = Some(cursor.count()?);
                    INDEX
                }
                "time" => {
                    line.time = Some(cursor.count()?);
                    TIME
                }
                "process" => {
                    line.process = ProcessId(cursor.count()?);
                    PROCESS
                }
                "type" => {
                    line.kind = cursor.text()?;
                    KIND
                }
                "f" => {
                    line.f = cursor.text()?;
                    F
                }
                "key" => {
                    line.key = cursor.key()?;
                    KEY
                }
                "value" => {
                    line.value = cursor.skip()?;
                    VALUE
                }
                "error" => {
                    line.error = Some(cursor.text()?);
                    ERROR
                }
                _ => return None,
            };
            if seen & field != 0 {
                return None;
            }
            seen |= field;
            match cursor.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        cursor.space();
        let needed = PROCESS | KIND | F;
        (cursor.at == bytes.len() && seen & needed == needed).then_some(line)
    }

    /// The operation and how far it is; `open` is what its process has open.
    pub fn understand(self, open: impl FnOnce() -> Option<&'a Op>) -> Option<(Op, Phase)> {
        if self.kind == "invoke" {
            return Some((operation(self.f, self.key, self.value)?, Phase::Invoke));
        }
        let op = open()?;
        if op.name() != self.f || op.key().is_some_and(|key| *key != self.key) {
            return None;
        }
        let reason = || Reason::new(self.error.unwrap_or("unstated"));
        let phase = match self.kind {
            "fail" => Phase::Fail(reason()),
            "info" => Phase::Info(reason()),
            "ok" => Phase::Ok(result(op, self.value)?),
            _ => return None,
        };
        Some((op.clone(), phase))
    }
}

fn operation(f: &str, key: Key, value: &[u8]) -> Option<Op> {
    let mut cursor = Cursor {
        bytes: value,
        at: 0,
    };
    let op = match f {
        // What these are invoked with is not looked at.
        "read" => return Some(Op::Read { key }),
        "list" => return Some(Op::List { key }),
        "delete" => return Some(Op::Delete { key }),
        "dequeue" => return Some(Op::Dequeue { key }),
        "pop" => return Some(Op::Pop { key }),
        "generate" => return Some(Op::Generate { key }),
        "write" => Op::Write {
            key,
            value: cursor.value()?,
        },
        "append" => Op::Append {
            key,
            value: cursor.integer()?,
        },
        "cas" => {
            cursor.take(b'[')?;
            let from = cursor.value()?;
            cursor.take(b',')?;
            let to = cursor.value()?;
            cursor.take(b']')?;
            Op::Cas { key, from, to }
        }
        "concat" => Op::Concat {
            key,
            suffix: Arc::from(cursor.text()?),
        },
        "add" => Op::Add {
            key,
            value: cursor.integer()?,
        },
        "remove" => Op::Remove {
            key,
            value: cursor.integer()?,
        },
        "enqueue" => Op::Enqueue {
            key,
            value: cursor.value()?,
        },
        "push" => Op::Push {
            key,
            value: cursor.value()?,
        },
        "acquire" => Op::Acquire {
            key,
            owner: cursor.value()?,
        },
        "release" => Op::Release {
            key,
            owner: cursor.value()?,
        },
        "txn" => {
            let mut ops = Vec::new();
            cursor.items(|cursor| {
                ops.push(step(cursor, None)?.0);
                Some(())
            })?;
            Op::Txn { ops: ops.into() }
        }
        _ => return None,
    };
    (cursor.at == value.len()).then_some(op)
}

fn result(op: &Op, value: &[u8]) -> Option<Ret> {
    let mut cursor = Cursor {
        bytes: value,
        at: 0,
    };
    let ret = match op {
        Op::Read { .. } | Op::Dequeue { .. } | Op::Pop { .. } | Op::Generate { .. } => {
            Ret::Value(cursor.value()?)
        }
        Op::Acquire { .. } => match cursor.value()? {
            Value::Nil => Ret::Done,
            token => Ret::Value(token),
        },
        Op::List { .. } => Ret::List(cursor.integers()?),
        Op::Txn { ops } => {
            let mut seen = Vec::with_capacity(ops.len());
            cursor.items(|cursor| {
                let (op, found) = step(cursor, ops.get(seen.len()))?;
                seen.push(found);
                (Some(&op) == ops.get(seen.len() - 1)).then_some(())
            })?;
            if seen.len() != ops.len() {
                return None;
            }
            Ret::Txn(seen.into())
        }
        _ if op.gives_nothing() => {
            // A completion may repeat what was asked for, and then it must be the same.
            let same = value == b"null" || operation(op.name(), op.key()?.clone(), value)? == *op;
            return same.then_some(Ret::Done);
        }
        _ => return None,
    };
    (cursor.at == value.len()).then_some(ret)
}

/// `["r",7,[1,2]]`, with what it saw. Without `completes` it is a step of an invocation, in which a read has
/// not yet seen anything.
fn step(cursor: &mut Cursor<'_>, completes: Option<&Mop>) -> Option<(Mop, Seen)> {
    cursor.take(b'[')?;
    let f = cursor.text()?;
    cursor.take(b',')?;
    let key = cursor.key_or_null()?;
    cursor.take(b',')?;
    let found = match f {
        "r" if completes.is_none() => {
            cursor.skip()?;
            (Mop::Read { key }, Seen::Done)
        }
        "r" if cursor.peek()? == b'[' => (Mop::Read { key }, Seen::List(cursor.integers()?.into())),
        "r" => (Mop::Read { key }, Seen::Value(cursor.value()?)),
        "w" => {
            let value = cursor.value()?;
            (Mop::Write { key, value }, Seen::Done)
        }
        "append" => {
            let value = cursor.integer()?;
            (Mop::Append { key, value }, Seen::Done)
        }
        _ => return None,
    };
    cursor.take(b']')?;
    Some(found)
}

impl<'a> Cursor<'a> {
    #[inline]
    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let rest = &self.bytes[self.at..];
        let mut length = 0;
        loop {
            match *rest.get(length)? {
                b'"' => break,
                b'\\' | 0..0x20 => return None,
                _ => length += 1,
            }
        }
        self.at += length + 1;
        str::from_utf8(&rest[..length]).ok()
    }

    /// Digits, as many as surely fit.
    fn digits(&mut self) -> Option<u64> {
        let rest = &self.bytes[self.at..];
        let mut number = 0u64;
        let mut length = 0;
        while let Some(digit) = rest.get(length).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            length += 1;
        }
        let leading_zero = length > 1 && rest[0] == b'0';
        let fraction = matches!(rest.get(length), Some(b'.' | b'e' | b'E'));
        if length == 0 || length > 18 || leading_zero || fraction {
            return None;
        }
        self.at += length;
        Some(number)
    }

    fn count(&mut self) -> Option<u64> {
        self.space();
        self.digits()
    }

    fn integer(&mut self) -> Option<i64> {
        if self.peek()? != b'-' {
            return Some(self.digits()?.cast_signed());
        }
        self.at += 1;
        // Minus zero is a fraction in JSON.
        match self.digits()?.cast_signed() {
            0 => None,
            number => Some(-number),
        }
    }

    fn null(&mut self) -> Option<()> {
        let rest = self.bytes[self.at..].strip_prefix(b"null")?;
        self.at = self.bytes.len() - rest.len();
        Some(())
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.peek()? {
            b'"' => Value::Text(Arc::from(self.text()?)),
            b'n' => {
                self.null()?;
                Value::Nil
            }
            _ => Value::Int(self.integer()?),
        })
    }

    fn key(&mut self) -> Option<Key> {
        Some(match self.peek()? {
            b'"' => Key::Text(Arc::from(self.text()?)),
            _ => Key::Int(self.integer()?),
        })
    }

    fn key_or_null(&mut self) -> Option<Key> {
        if self.peek()? == b'n' {
            self.null()?;
            return Some(SINGLE_KEY);
        }
        self.key()
    }

    /// `[...]`, item by item.
    fn items(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn integers(&mut self) -> Option<Vec<i64>> {
        let mut integers = Vec::new();
        self.items(|cursor| {
            integers.push(cursor.integer()?);
            Some(())
        })?;
        Some(integers)
    }

    /// Passes over a value of the kinds that operations have: null, a number, a text, or lists of them.
    fn skip(&mut self) -> Option<&'a [u8]> {
        self.space();
        let start = self.at;
        let mut depth = 0;
        loop {
            match self.peek()? {
                b'[' => {
                    self.at += 1;
                    if self.peek()? == b']' {
                        self.at += 1;
                    } else {
                        depth += 1;
                        continue;
                    }
                }
                b'"' => {
                    self.text()?;
                }
                b'n' => self.null()?,
                _ => {
                    self.integer()?;
                }
            }
            // A whole value: what comes next belongs to a list around it.
            loop {
                if depth == 0 {
                    return Some(&self.bytes[start..self.at]);
                }
                match self.next()? {
                    b',' => break,
                    b']' => depth -= 1,
                    _ => return None,
                }
            }
        }
    }
}
