//! How large requests and answers may be. Each limit has its reason; all are documented in `docs/strata-api.md`.

use super::{Condition, KvOp, Step};

/// Bytes of a request's body: a value in its longest JSON form would need more, two plain ones fit.
pub const MAX_BODY: usize = 2 << 20;
/// Bytes of a key: several of them fit into a block of a checkpoint, and an index of blocks stays small.
pub const MAX_KEY: usize = 4 << 10;
/// Bytes of a value in a request: an entry of the log stays small enough to travel between heartbeats.
pub const MAX_VALUE: usize = 1 << 20;
/// Bytes that a value may grow to by `append`: it stands in one page, and travels in one piece.
pub const MAX_STORED: usize = 16 << 20;
/// Steps, and conditions, of a transaction: one entry of the log must not hold up the others.
pub const MAX_STEPS: usize = 128;
/// Entries of a scan.
pub const MAX_SCAN: u64 = 1_000;
/// Entries of a scan that names no limit.
pub const DEFAULT_SCAN: u64 = 100;
/// Bytes of values that a transaction that writes may read, as its answer is remembered for its session.
pub const MAX_READ: usize = 64 << 10;
/// Bytes of keys and values of a scan, and of the values of a transaction that only reads. A scan stops there, after
/// one entry at the least.
pub const MAX_ANSWER: usize = 2 << 20;
/// Requests that may wait for the replica.
pub const MAX_WAITING: u64 = 20_000;

/// A field that exceeds its limit, by its path in the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` has {found} {unit}, {limit} are allowed")]
pub struct TooLarge {
    pub field: String,
    pub found: u64,
    pub limit: u64,
    pub unit: &'static str,
}

/// Refuses an operation that is too large to be taken.
pub fn check(op: &KvOp) -> Result<(), TooLarge> {
    let at = |field: &'static str| move || field.to_owned();
    match op {
        KvOp::Get { key: name } | KvOp::Delete { key: name } | KvOp::Add { key: name, .. } => {
            key(name, at("key"))
        }
        KvOp::Put { key: name, value } | KvOp::Append { key: name, value } => {
            key(name, at("key"))?;
            self::value(value, at("value"))
        }
        KvOp::Cas {
            key: name,
            from,
            to,
        } => {
            key(name, at("key"))?;
            value(from.as_deref().unwrap_or_default(), at("from"))?;
            value(to, at("to"))
        }
        KvOp::Scan(scan) => {
            key(&scan.from, at("from"))?;
            key(scan.to.as_deref().unwrap_or_default(), at("to"))?;
            within(scan.limit, MAX_SCAN, "entries", at("limit"))
        }
        KvOp::Txn(transaction) => {
            let (conditions, steps) = (&transaction.conditions, &transaction.steps);
            within(
                conditions.len() as u64,
                MAX_STEPS as u64,
                "conditions",
                at("if"),
            )?;
            within(steps.len() as u64, MAX_STEPS as u64, "steps", at("steps"))?;
            for (number, condition) in conditions.iter().enumerate() {
                self::condition(condition, &|field| format!("if[{number}].{field}"))?;
            }
            for (number, step) in steps.iter().enumerate() {
                self::step(step, &|field| format!("steps[{number}].{field}"))?;
            }
            Ok(())
        }
    }
}

fn condition(condition: &Condition, at: &dyn Fn(&str) -> String) -> Result<(), TooLarge> {
    match condition {
        Condition::Is { key: name, value } => {
            key(name, || at("key"))?;
            self::value(value.as_deref().unwrap_or_default(), || at("is"))
        }
        Condition::AtLeast { key: name, .. } => key(name, || at("key")),
    }
}

fn step(step: &Step, at: &dyn Fn(&str) -> String) -> Result<(), TooLarge> {
    match step {
        Step::Get { key: name } | Step::Delete { key: name } | Step::Add { key: name, .. } => {
            key(name, || at("key"))
        }
        Step::Put { key: name, value } | Step::Append { key: name, value } => {
            key(name, || at("key"))?;
            self::value(value, || at("value"))
        }
    }
}

fn key(key: &str, field: impl FnOnce() -> String) -> Result<(), TooLarge> {
    within(key.len() as u64, MAX_KEY as u64, "bytes", field)
}

fn value(value: &str, field: impl FnOnce() -> String) -> Result<(), TooLarge> {
    within(value.len() as u64, MAX_VALUE as u64, "bytes", field)
}

fn within(
    found: u64,
    limit: u64,
    unit: &'static str,
    field: impl FnOnce() -> String,
) -> Result<(), TooLarge> {
    if found <= limit {
        return Ok(());
    }
    Err(TooLarge {
        field: field(),
        found,
        limit,
        unit,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Scan, Transaction};
    use super::*;

    #[test]
    fn each_limit_can_be_reached_and_who_exceeds_it_is_named() {
        let get = |bytes: usize| KvOp::Get {
            key: "k".repeat(bytes),
        };
        let put = |bytes: usize| KvOp::Put {
            key: "k".into(),
            value: "v".repeat(bytes),
        };
        let cas = |bytes: usize| KvOp::Cas {
            key: "k".into(),
            from: Some("v".repeat(bytes)),
            to: String::new(),
        };
        let scan = |limit: u64| {
            KvOp::Scan(Scan {
                limit,
                ..Scan::default()
            })
        };
        let txn = |conditions: usize, steps: usize| {
            let condition = Condition::Is {
                key: "k".into(),
                value: None,
            };
            KvOp::Txn(Transaction {
                conditions: vec![condition; conditions],
                steps: vec![Step::Get { key: "k".into() }; steps],
            })
        };
        let step = |bytes: usize| {
            KvOp::Txn(Transaction {
                conditions: Vec::new(),
                steps: vec![
                    Step::Get { key: "k".into() },
                    Step::Add {
                        key: "k".repeat(bytes),
                        amount: 1,
                    },
                ],
            })
        };
        let condition = |bytes: usize| {
            KvOp::Txn(Transaction {
                conditions: vec![Condition::Is {
                    key: "k".into(),
                    value: Some("v".repeat(bytes)),
                }],
                steps: vec![Step::Get { key: "k".into() }],
            })
        };
        for (reached, exceeded, said) in [
            (
                get(MAX_KEY),
                get(MAX_KEY + 1),
                "field `key` has 4097 bytes, 4096 are allowed",
            ),
            (
                put(MAX_VALUE),
                put(MAX_VALUE + 1),
                "field `value` has 1048577 bytes, 1048576 are allowed",
            ),
            (
                cas(MAX_VALUE),
                cas(MAX_VALUE + 1),
                "field `from` has 1048577 bytes, 1048576 are allowed",
            ),
            (
                scan(MAX_SCAN),
                scan(MAX_SCAN + 1),
                "field `limit` has 1001 entries, 1000 are allowed",
            ),
            (
                txn(0, MAX_STEPS),
                txn(0, MAX_STEPS + 1),
                "field `steps` has 129 steps, 128 are allowed",
            ),
            (
                txn(MAX_STEPS, 1),
                txn(MAX_STEPS + 1, 1),
                "field `if` has 129 conditions, 128 are allowed",
            ),
            (
                step(MAX_KEY),
                step(MAX_KEY + 1),
                "field `steps[1].key` has 4097 bytes, 4096 are allowed",
            ),
            (
                condition(MAX_VALUE),
                condition(MAX_VALUE + 1),
                "field `if[0].is` has 1048577 bytes, 1048576 are allowed",
            ),
        ] {
            assert_eq!(check(&reached), Ok(()));
            assert_eq!(check(&exceeded).unwrap_err().to_string(), said);
        }
    }
}
