use super::*;
use crate::raft::{AppendResult, Restored};

fn alone() -> Raft {
    let config = Config {
        id: ServerId(1),
        members: [ServerId(1)].into(),
        election_ticks: 10,
        heartbeat_ticks: 2,
        lease_ms: None,
        seed: 1,
        max_append_bytes: 1_000,
        max_inflight_messages: 4,
        max_inflight_bytes: 10_000,
        transfer: crate::raft::TransferConfig {
            chunk_bytes: 10,
            window_bytes: 20,
            bytes_per_tick: None,
            delta: true,
        },
    };
    let mut raft = Raft::new(config, Restored::default()).unwrap();
    for now_ms in 0..20 {
        raft.tick(now_ms).unwrap();
        settle(&mut raft);
    }
    assert_eq!(raft.role(), Role::Leader);
    raft
}

/// Stores what is to be stored; returns the outcomes.
fn settle(raft: &mut Raft) -> Vec<(u64, Outcome)> {
    let mut outcomes = Vec::new();
    loop {
        let ready = raft.ready();
        outcomes.extend(ready.outcomes);
        match ready.store {
            Some(batch) => raft.stored(batch.sequence).unwrap(),
            None => return outcomes,
        }
    }
}

#[test]
fn a_learner_that_lacks_too_much_is_not_promoted_and_the_lag_is_named() {
    let (mut raft, learner) = (alone(), ServerId(2));
    let add = Change::AddLearner {
        id: learner,
        address: None,
    };
    raft.change(1, add).unwrap().unwrap();
    assert_eq!(settle(&mut raft), [(1, Outcome::Done { index: 2 })]);
    for _ in 0..MAX_LAG {
        raft.propose([1].into()).unwrap();
    }
    settle(&mut raft);
    let promote = Change::Promote { id: learner };
    let lag = MAX_LAG + 2;
    assert_eq!(
        raft.change(2, promote.clone()).unwrap(),
        Err(Refused::Lags { id: learner, lag })
    );
    let reply = Message::AppendReply {
        term: raft.term(),
        result: AppendResult::Matched { index: 2 },
    };
    raft.receive(learner, reply).unwrap();
    assert_eq!(raft.change(3, promote).unwrap(), Ok(()));
    settle(&mut raft);
    assert!(raft.members().is_joint());
}

#[test]
fn a_leader_that_has_committed_nothing_in_its_term_changes_nobody() {
    let mut raft = Raft::new(alone().config.clone(), Restored::default()).unwrap();
    for now_ms in 0.. {
        raft.tick(now_ms).unwrap();
        if let Some(batch) = raft.ready().store {
            raft.stored(batch.sequence).unwrap();
        }
        if raft.role() == Role::Leader {
            break;
        }
    }
    let id = ServerId(2);
    let change = Change::Add { id, address: None };
    assert_eq!(
        raft.change(1, change.clone()).unwrap(),
        Err(Refused::NotReady)
    );
    settle(&mut raft);
    assert_eq!(raft.change(2, change).unwrap(), Ok(()));
}

#[test]
fn the_last_voter_stays_and_nobody_replaces_itself() {
    let mut raft = alone();
    let id = ServerId(1);
    assert_eq!(
        raft.change(1, Change::Remove { id }).unwrap(),
        Err(Refused::LastVoter(id))
    );
    let replace = Change::Replace {
        remove: id,
        add: id,
        address: None,
    };
    assert_eq!(
        raft.change(2, replace).unwrap(),
        Err(Refused::ReplacesItself(id))
    );
}

#[test]
fn an_image_without_members_is_refused() {
    let snapshot = SnapshotMeta {
        index: 3,
        term: 1,
        members: Membership::default(),
    };
    let config = alone().config.clone();
    let error = restored(&config, &snapshot, &[]).unwrap_err();
    assert!(error.0.contains("no members"), "{error}");
}
