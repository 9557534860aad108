use super::*;
use crate::api::KvOp;
use crate::raft::{Restored, TransferConfig};
use crate::types::ServerId;

const BACKLOG: u64 = 64 << 10;

/// A server that decides alone, keeps a log of 64 KiB at the most, and has no trigger for checkpoints.
fn alone() -> Replica {
    let id = ServerId(1);
    let config = Config {
        raft: raft::Config {
            id,
            members: [id].into(),
            election_ticks: 10,
            heartbeat_ticks: 2,
            lease_ms: None,
            seed: 1,
            max_append_bytes: 1 << 20,
            max_inflight_messages: 16,
            max_inflight_bytes: 1 << 20,
            transfer: TransferConfig {
                chunk_bytes: 1 << 10,
                window_bytes: 4 << 10,
                bytes_per_tick: None,
                delta: true,
            },
        },
        checkpoint: Trigger::default(),
        mode: Mode::Levels,
        capture: CaptureBy::Cow,
        retention: Retention::Discard,
        backlog_bytes: BACKLOG,
        pinned_bytes: u64::MAX,
        reads: Reads::Linearizable,
        ack: Ack::Quorum,
    };
    let mut replica = Replica::new(config, Restored::default(), Machine::new(), vec![], 1).unwrap();
    for now_ms in 0..100 {
        carry_out(&mut replica, Input::Tick { now_ms });
    }
    replica
}

/// Stores at once what is to be stored; returns the other effects.
fn carry_out(replica: &mut Replica, input: Input) -> Vec<Effect> {
    let (mut inputs, mut seen) = (vec![input], Vec::new());
    while let Some(input) = inputs.pop() {
        let mut effects = replica.step(input).unwrap();
        effects.extend(replica.checkpoint_if_due());
        for effect in effects {
            match effect {
                Effect::Store(batch) => inputs.push(Input::Stored {
                    sequence: batch.sequence,
                }),
                other => seen.push(other),
            }
        }
    }
    seen
}

fn put(replica: &mut Replica, ticket: Ticket) -> Vec<Effect> {
    let request = Request {
        op: KvOp::Put {
            key: format!("key{ticket}"),
            value: "v".repeat(1 << 10),
        },
        session: None,
        stale: false,
        timeout_ms: None,
    };
    carry_out(replica, Input::Request { ticket, request })
}

fn refused(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer {
            result: Err(error), ..
        } => Some(error.code.as_str()),
        _ => None,
    })
}

#[test]
fn a_log_at_half_its_limit_asks_for_a_checkpoint_and_a_full_one_refuses_writes() {
    let mut replica = alone();
    let mut checkpoint = None;
    let mut accepted = 0;
    for ticket in 0.. {
        let effects = put(&mut replica, ticket);
        if let Some(code) = refused(&effects) {
            assert_eq!(code, "overloaded");
            break;
        }
        accepted += 1;
        checkpoint = checkpoint.or(effects.into_iter().find_map(|effect| match effect {
            Effect::WriteCheckpoint { meta, .. } => Some((accepted, meta)),
            _ => None,
        }));
    }
    let (after, meta) = checkpoint.expect("a checkpoint begins before writes are refused");
    assert!((30..=33).contains(&after), "{after}");
    assert!((60..=65).contains(&accepted), "{accepted}");
    // What came in while it was written is in the log only, and more than half: the next one begins.
    let written = Input::CheckpointWritten {
        meta,
        file: None,
        chain: vec![],
        oldest: 0,
        millis: 1.0,
    };
    carry_out(&mut replica, written);
    assert_eq!(refused(&put(&mut replica, 1_000)), None);
}
