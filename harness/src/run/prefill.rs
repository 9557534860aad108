//! What the store holds before a run begins, so that it has something to recover: values that no workload uses.
//!
//! A store of a few keys recovers in no time from anything; images and increments differ only when there is a state
//! that most of the run leaves alone. Nothing of this is recorded or judged.

use super::prepare::Prepared;
use crate::exit::{Failure, Result};
use checker::{Key, Op, Outcome, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of one value.
pub(super) const VALUE: u64 = 1_024;
/// Keys of workloads are below.
pub(super) const FIRST_KEY: i64 = 1 << 40;
/// Writers.
const CLIENTS: usize = 16;
/// Bound for all of it, besides what each MiB may take.
const PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE_PER_MIB: Duration = Duration::from_secs(2);

/// Writes about so many bytes; returns how many values that were.
pub async fn run(prepared: &Prepared, bytes: u64) -> Result<u64> {
    let count = bytes.div_ceil(VALUE);
    let probe = Op::Write {
        key: Key::Int(FIRST_KEY),
        value: Value::Nil,
    };
    if count == 0 || !prepared.system.supports(&probe) {
        return Ok(0);
    }
    let end = Instant::now() + PATIENCE + PATIENCE_PER_MIB * (bytes >> 20) as u32;
    let next = Arc::new(AtomicU64::new(0));
    let nodes = prepared.nodes();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let mut client = prepared
            .system
            .connect(&nodes[number % nodes.len()])
            .await?;
        let next = next.clone();
        let deadline = prepared.spec.deadline.0;
        tasks.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok(());
                }
                let op = Op::Write {
                    key: Key::Int(FIRST_KEY + at as i64),
                    value: Value::Text(filler(at, VALUE as usize).into()),
                };
                loop {
                    match client.invoke(&op, deadline).await {
                        Outcome::Ok(_) => break,
                        Outcome::Fail(reason) | Outcome::Info(reason) => {
                            if Instant::now() >= end {
                                return Err(reason.0.to_string());
                            }
                            client.disconnect();
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done?.map_err(|reason| {
            Failure::harness(format!(
                "prefill: {count} values could not be written within their time: {reason}"
            ))
        })?;
    }
    Ok(count)
}

/// A value of so many bytes that is different for every number.
pub(super) fn filler(number: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < bytes {
        word = word.rotate_left(17).wrapping_mul(0xff51_afd7_ed55_8ccd);
        text.push_str(&format!("{word:016x}"));
    }
    text.truncate(bytes);
    text
}
