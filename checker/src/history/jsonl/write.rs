//! Writes history files, an event at a time, cheaply enough to sit in the path of every operation.

use super::super::{Event, Header, Key, Mop, NemesisEvent, Op, Phase, Ret, Seen, Value};
use std::io::{self, Write};

/// Bytes that are gathered before they go to the file.
const BUFFER_BYTES: usize = 64 << 10;

/// Appends events to a history file. Whole lines are handed to the file at once, so a process that is
/// killed leaves whole lines; [`flush`](Writer::flush) bounds how many are still missing.
///
/// Dropping the writer does not flush: an error would be lost. Call `flush` or
/// [`into_inner`](Writer::into_inner).
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a file with its header, which is written through at once.
    pub fn new(out: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self::without_header(out);
        serde_json::to_writer(&mut writer.buffer, header)?;
        writer.buffer.push(b'\n');
        writer.flush()?;
        Ok(writer)
    }

    /// Starts a file that does not say what it is of.
    pub fn without_header(out: W) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(BUFFER_BYTES + 4096),
        }
    }

    /// Adds an event of a client.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        write_event(&mut self.buffer, event);
        self.spill()
    }

    /// Adds an event of the nemesis.
    pub fn append_nemesis(&mut self, event: &NemesisEvent) -> io::Result<()> {
        let line = &mut self.buffer;
        text(line, "{\"index\":");
        number(line, event.index);
        text(line, ",\"time\":");
        number(line, event.time);
        text(line, ",\"process\":\"nemesis\",\"type\":\"info\",\"f\":");
        quoted(line, &event.f);
        text(line, ",\"value\":");
        serde_json::to_writer(&mut *line, &event.value)?;
        text(line, "}\n");
        self.spill()
    }

    /// Hands everything to the file, and the file's own buffer to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_through()?;
        self.out.flush()
    }

    /// Flushes and gives the file back, for example to sync it.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    pub fn get_ref(&self) -> &W {
        &self.out
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        self.write_through()
    }

    /// What could not be written stays in the buffer, so that nothing is lost or doubled when the
    /// caller has made room and tries again.
    fn write_through(&mut self) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            if written == self.buffer.len() {
                break Ok(());
            }
            match self.out.write(&self.buffer[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.buffer.drain(..written);
        result
    }
}

fn write_event(line: &mut Vec<u8>, event: &Event) {
    text(line, "{\"index\":");
    number(line, event.index);
    text(line, ",\"time\":");
    number(line, event.time);
    text(line, ",\"process\":");
    number(line, event.process.0);
    text(
        line,
        match &event.phase {
            Phase::Invoke => ",\"type\":\"invoke\",\"f\":\"",
            Phase::Ok(_) => ",\"type\":\"ok\",\"f\":\"",
            Phase::Fail(_) => ",\"type\":\"fail\",\"f\":\"",
            Phase::Info(_) => ",\"type\":\"info\",\"f\":\"",
        },
    );
    text(line, event.op.name());
    text(line, "\"");
    if let Some(on) = event.op.key() {
        text(line, ",\"key\":");
        key(line, on);
    }
    text(line, ",\"value\":");
    match &event.phase {
        Phase::Ok(ret) if !event.op.gives_nothing() => result(line, &event.op, ret),
        _ => argument(line, &event.op),
    }
    if let Phase::Fail(reason) | Phase::Info(reason) = &event.phase {
        text(line, ",\"error\":");
        quoted(line, &reason.0);
    }
    text(line, "}\n");
}

/// What an operation was invoked with.
fn argument(line: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { value: v, .. } | Op::Enqueue { value: v, .. } | Op::Push { value: v, .. } => {
            value(line, v);
        }
        Op::Append { value, .. } | Op::Add { value, .. } | Op::Remove { value, .. } => {
            signed(line, *value);
        }
        Op::Concat { suffix, .. } => quoted(line, suffix),
        Op::Cas { from, to, .. } => array(line, [from, to], value),
        Op::Acquire { owner, .. } | Op::Release { owner, .. } => value(line, owner),
        Op::Transfer { from, to, amount } => {
            text(line, "{\"from\":");
            key(line, from);
            text(line, ",\"to\":");
            key(line, to);
            text(line, ",\"amount\":");
            signed(line, *amount);
            line.push(b'}');
        }
        Op::ReadAll { keys } => array(line, &**keys, key),
        Op::Txn { ops } => array(line, &**ops, |line, op| step(line, op, None)),
        Op::Read { .. }
        | Op::List { .. }
        | Op::Delete { .. }
        | Op::Dequeue { .. }
        | Op::Pop { .. }
        | Op::Generate { .. } => text(line, "null"),
    }
}

fn result(line: &mut Vec<u8>, op: &Op, ret: &Ret) {
    match (op, ret) {
        (_, Ret::Value(v)) => value(line, v),
        (_, Ret::List(items)) => array(line, items, |line, item| signed(line, *item)),
        (_, Ret::Map(entries)) => array(line, &**entries, |line, (on, held)| {
            line.push(b'[');
            key(line, on);
            line.push(b',');
            value(line, held);
            line.push(b']');
        }),
        (Op::Txn { ops }, Ret::Txn(seen)) => {
            array(line, ops.iter().zip(&**seen), |line, (op, seen)| {
                step(line, op, Some(seen));
            });
        }
        (_, Ret::Done | Ret::Txn(_)) => text(line, "null"),
    }
}

fn step(line: &mut Vec<u8>, op: &Mop, seen: Option<&Seen>) {
    text(
        line,
        match op {
            Mop::Read { .. } => "[\"r\",",
            Mop::Write { .. } => "[\"w\",",
            Mop::Append { .. } => "[\"append\",",
        },
    );
    key(line, op.key());
    line.push(b',');
    match (op, seen) {
        (Mop::Write { value: v, .. }, _) => value(line, v),
        (Mop::Append { value, .. }, _) => signed(line, *value),
        (_, Some(Seen::Value(v))) => value(line, v),
        (_, Some(Seen::List(items))) => array(line, &**items, |line, item| signed(line, *item)),
        (_, Some(Seen::Done) | None) => text(line, "null"),
    }
    line.push(b']');
}

fn array<T>(
    line: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    line.push(b'[');
    for (i, each) in items.into_iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        item(line, each);
    }
    line.push(b']');
}

fn key(line: &mut Vec<u8>, key: &Key) {
    match key {
        Key::Int(n) => signed(line, *n),
        Key::Text(s) => quoted(line, s),
    }
}

fn value(line: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Nil => text(line, "null"),
        Value::Int(n) => signed(line, *n),
        Value::Text(s) => quoted(line, s),
    }
}

fn text(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

fn quoted(line: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(line, text)
        .expect("a text always has a JSON form, and a Vec takes all bytes");
}

fn signed(line: &mut Vec<u8>, n: i64) {
    if n < 0 {
        line.push(b'-');
    }
    number(line, n.unsigned_abs());
}

/// Decimal digits, without the formatting machinery: most of a line is numbers.
fn number(line: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}
