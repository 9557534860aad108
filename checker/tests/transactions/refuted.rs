//! The verifier accepts what the checker finds (every other test shows it) and nothing that was altered.

use super::{anomalies, judge, notation};
use checker::transactions::{Anomaly, EdgeKind, Isolation, Kind, Refuted, verify};
use checker::{History, Validity};

fn write_skew() -> (History, Anomaly) {
    let script = "\
0 0..9 ok r(x, []) r(y, []) append(x, 1)
1 0..9 ok r(x, []) r(y, []) append(y, 1)
2 10..11 ok r(x, [1]) r(y, [1])
3 12..13 fail append(z, 1)
4 14..  info append(z, 2)";
    let history = notation::history(Kind::ListAppend, script);
    let verdict = judge(&history, Kind::ListAppend, Isolation::StrictSerializable);
    assert_eq!(verdict.valid, Validity::Invalid);
    let anomaly = anomalies(&verdict).remove(0);
    assert_eq!(anomaly.name.to_string(), "G2-item");
    (history, anomaly)
}

#[test]
fn an_altered_witness_is_refuted() {
    let (history, right) = write_skew();
    let refuted = |alter: fn(&mut Anomaly)| {
        let mut altered = right.clone();
        alter(&mut altered);
        verify(&history, Kind::ListAppend, &altered).unwrap_err()
    };
    assert_eq!(verify(&history, Kind::ListAppend, &right), Ok(()));
    assert_eq!(refuted(|it| it.steps.clear()), Refuted::Empty);
    assert_eq!(refuted(|it| it.left_out = 3), Refuted::Shortened(3));
    assert_eq!(
        refuted(|it| it.steps[0].index = 2),
        Refuted::NoTransaction(2)
    );
    assert_eq!(
        refuted(|it| it.steps[1].edge = None),
        Refuted::NoEdge { step: 1 }
    );
    let misnamed = refuted(|it| it.name = "G-single".parse().unwrap());
    assert!(matches!(misnamed, Refuted::Misnamed { .. }), "{misnamed}");
    for kind in [
        EdgeKind::Ww,
        EdgeKind::Wr,
        EdgeKind::Process,
        EdgeKind::Realtime,
    ] {
        let mut altered = right.clone();
        altered.steps[0].edge = Some(kind);
        let error = verify(&history, Kind::ListAppend, &altered).unwrap_err();
        assert!(matches!(error, Refuted::NoDependency { .. }), "{error}");
    }
}

#[test]
fn a_witness_of_transactions_that_did_not_happen_is_refuted() {
    let (history, right) = write_skew();
    let appends = history.events.iter().filter(|event| event.process.0 > 2);
    let indices: Vec<u64> = appends.map(|event| event.index).collect();
    assert_eq!(indices.len(), 3);
    for index in [indices[0], indices[2]] {
        let mut altered = right.clone();
        altered.steps[0].index = index;
        let error = verify(&history, Kind::ListAppend, &altered).unwrap_err();
        assert_eq!(error, Refuted::DidNotHappen(index));
    }
}
