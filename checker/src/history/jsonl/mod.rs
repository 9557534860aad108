//! History files: `history.jsonl`, one JSON object a line.
//!
//! The first line is the [`Header`](super::Header); every other line is an event:
//!
//! ```json
//! {"version":1,"workload":"register+ledger","model":"cas-register"}
//! {"index":0,"time":123,"process":3,"type":"invoke","f":"cas","key":7,"value":[1,2]}
//! {"index":1,"time":456,"process":3,"type":"info","f":"cas","key":7,"value":[1,2],"error":"timeout"}
//! {"index":2,"time":500,"process":"nemesis","type":"info","f":"kill","value":["n1"]}
//! ```
//!
//! `time` counts nanoseconds from the start of the run; `type` is `invoke`, `ok`, `fail` or `info`;
//! `error` is there when there is one. What `value` holds:
//!
//! | `f`      | in `invoke`  | in `ok`          | in `fail`, `info` |
//! |----------|--------------|------------------|-------------------|
//! | `read`   | `null`       | what was read: a number, a text, or `null` for nil | `null` |
//! | `write`  | the value    | the value        | the value         |
//! | `cas`    | `[from, to]` | `[from, to]`     | `[from, to]`      |
//! | `append` | the number   | the number       | the number        |
//! | `list`   | `null`       | the numbers, oldest first | `null`   |
//! | `delete` | `null`       | `null`           | `null`            |
//! | `concat` | the text to add | the same      | the same          |
//! | `add`, `remove` | the number | the number  | the number        |
//! | `enqueue`, `push` | the value | the value  | the value         |
//! | `dequeue`, `pop` | `null` | the value; `null`: it was empty | `null` |
//! | `acquire` | the owner or `null` | the fencing token or `null` | the owner or `null` |
//! | `release` | the owner or `null` | the same  | the same          |
//! | `generate` | `null`     | the id           | `null`            |
//! | `transfer` | `{"from":a,"to":b,"amount":n}`, no `key` | the same | the same |
//! | `read-all` | `[key, ...]`, no `key` | `[[key, value], ...]` in the same order | as invoked |
//! | `txn`    | `[["r",key,null],["w",key,value],["append",key,number],...]`, no `key` | the same with what was read | as invoked |
//!
//! The writer is exact; the reader forgives what other tools leave out: a missing header, `index`
//! (then the order of the lines counts), `time` (then the time of the line before) or `key` (then there
//! is one object, [`SINGLE_KEY`]), a completion's `value` where the invocation has told it, and fields
//! it does not know. It does not forgive a line it cannot understand: only the last line may be cut.

mod fields;
mod quick;
mod read;
mod write;

pub use read::{LINE_BYTES_MAX, ReadError, Reader, Record};
pub use write::Writer;

use super::Key;

/// Version of the format that this crate writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// The key of events that name none.
pub const SINGLE_KEY: Key = Key::Int(0);

#[cfg(test)]
mod tests;
