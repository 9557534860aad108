use crate::strata::tests::Stage;
use crate::{Strata, System};
use std::sync::Arc;
use std::time::Duration;
use testbed::NodeId;

const LIMIT: Duration = Duration::from_secs(5);

/// Three servers of which n2 leads.
async fn led_by_n2() -> (Arc<Stage>, Strata) {
    let stage = Stage::set(3).await;
    let strata = stage.strata(&[]).await;
    for (i, role) in [(1, "follower"), (2, "leader"), (3, "follower")] {
        stage.says(i, role, Some("n2"), 1);
    }
    (stage, strata)
}

fn asked(stage: &Stage, i: usize) -> String {
    stage.fakes[i - 1].asked.lock().unwrap().join("; ")
}

#[tokio::test]
async fn the_leader_is_asked_and_nobody_else() {
    let (stage, strata) = led_by_n2().await;
    let (n1, n3) = (NodeId::numbered(1), NodeId::numbered(3));
    strata.transfer_leadership(Some(&n3), LIMIT).await.unwrap();
    strata.transfer_leadership(None, LIMIT).await.unwrap();
    strata.remove_member(&n1, LIMIT).await.unwrap();
    strata.add_member(&n1, LIMIT).await.unwrap();
    assert_eq!(
        asked(&stage, 2),
        r#"/admin/transfer {"to":3}; /admin/transfer {}; /admin/members {"remove":{"id":1}}; /admin/members {"add":{"id":1}}"#
    );
    assert_eq!(asked(&stage, 1) + &asked(&stage, 3), "");
}

#[tokio::test]
async fn what_was_refused_for_now_is_asked_again_and_what_can_t_be_is_not() {
    let (stage, strata) = led_by_n2().await;
    let n1 = NodeId::numbered(1);
    *stage.fakes[1].refusals.lock().unwrap() = vec![
        (
            504,
            r#"{"code":"timeout","definite":false,"message":"not yet"}"#,
        ),
        (
            409,
            r#"{"code":"change-under-way","definite":true,"message":"another"}"#,
        ),
    ];
    strata.add_member(&n1, LIMIT).await.unwrap();
    assert_eq!(asked(&stage, 2).matches("add").count(), 3);

    *stage.fakes[1].refusals.lock().unwrap() = vec![(
        400,
        r#"{"code":"bad-request","definite":true,"message":"0 is no server id"}"#,
    )];
    let error = strata.remove_member(&n1, LIMIT).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"strata: /admin/members {"remove":{"id":1}}: n2: bad-request: 0 is no server id"#
    );
}

#[tokio::test]
async fn a_hand_over_whose_outcome_is_unknown_is_not_repeated() {
    let (stage, strata) = led_by_n2().await;
    *stage.fakes[1].refusals.lock().unwrap() = vec![(
        504,
        r#"{"code":"not-taken-over","definite":false,"message":"n3 has not taken over"}"#,
    )];
    let error = strata.transfer_leadership(None, LIMIT).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "strata: /admin/transfer {}: n2: not-taken-over: n3 has not taken over"
    );
    assert_eq!(asked(&stage, 2), "/admin/transfer {}");
}

#[tokio::test]
async fn without_a_leader_the_wait_ends_at_its_limit() {
    let (stage, strata) = led_by_n2().await;
    stage.says(2, "follower", None, 1);
    let limit = Duration::from_millis(300);
    let error = strata.transfer_leadership(None, limit).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "strata: /admin/transfer {}: no server leads"
    );
}

#[tokio::test]
async fn a_server_whose_data_was_removed_waits_to_be_added_and_the_others_do_not() {
    let (stage, strata) = led_by_n2().await;
    let joins = async |i: usize| {
        let node = NodeId::numbered(i);
        strata.start(&node).await.unwrap();
        let programs = stage.fakes[i - 1].programs.lock().unwrap();
        programs.last().unwrap().args.contains(&"--join".to_owned())
    };
    strata.wipe(&NodeId::numbered(3)).await.unwrap();
    assert!(joins(3).await);
    assert!(!joins(1).await);
}

#[tokio::test]
async fn a_system_without_an_administrator_says_so_by_name() {
    let null = crate::Null::new();
    assert!(!null.has_admin());
    let error = null.remove_member(&NodeId::numbered(1), LIMIT).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "not supported: null can't be told to remove servers"
    );
}
