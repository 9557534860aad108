use super::*;
use async_trait::async_trait;
use checker::history::Header;
use checker::{History, Outcome, Reason};
use systems::System;
use testbed::NodeId;
use workloads::generator::Limit;

fn header() -> Header {
    Header {
        version: 1,
        workload: "register".into(),
        model: "cas-register".into(),
    }
}

/// Runs `ops` operations of the register workload; returns the history as read back from the file.
async fn run(clients: Vec<Box<dyn Client>>, ops: u64) -> History {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.jsonl");
    let mut recorder = Recorder::create(&path, header()).unwrap();
    let (notes, received) = mpsc::unbounded_channel();
    let note = NemesisNote {
        time: 0,
        f: "kill".into(),
        value: serde_json::json!({"targets": ["n1"]}),
    };
    notes.send(note).unwrap();
    let mut interpreter =
        Interpreter::new(Clock::start(), clients, Duration::from_secs(1), received);
    let mut generator = Limit::new(ops, workloads::by_name("register").unwrap().generator(1));
    let (_stop, mut stopped) = watch::channel(false);
    interpreter
        .run(&mut generator, &mut recorder, &mut stopped)
        .await
        .unwrap();
    let kept = recorder.finish().unwrap();
    let read = History::from_path(&path).unwrap();
    assert_eq!(read.events, kept.events);
    assert_eq!(read.nemesis.len(), 1);
    read
}

#[tokio::test]
async fn every_operation_is_recorded_from_invocation_to_completion_in_order_of_time() {
    let system = systems::Null::new();
    let mut clients = Vec::new();
    for _ in 0..7 {
        clients.push(system.connect(&NodeId::numbered(1)).await.unwrap());
    }
    let history = run(clients, 2_000).await;
    assert_eq!(history.operations().unwrap().len(), 2_000);
    assert!(
        history
            .events
            .windows(2)
            .all(|pair| pair[0].time <= pair[1].time)
    );
    let verdicts = checker::check_all(
        &history,
        &checker::checkers_for("cas-register").unwrap(),
        checker::Budget::default(),
    );
    assert!(
        verdicts
            .values()
            .all(|verdict| verdict.valid == checker::Validity::Valid),
        "{verdicts:?}"
    );
}

/// Never learns what became of an operation.
struct Lost;

#[async_trait]
impl Client for Lost {
    async fn invoke(&mut self, _op: &Op, _deadline: Duration) -> Outcome {
        Outcome::Info(Reason::new("timeout"))
    }

    fn disconnect(&mut self) {}
}

#[tokio::test]
async fn a_process_with_an_unknown_outcome_never_invokes_again() {
    let history = run(vec![Box::new(Lost), Box::new(Lost)], 50).await;
    let invoked: Vec<u64> = history
        .events
        .iter()
        .filter(|event| event.phase == Phase::Invoke)
        .map(|event| event.process.0)
        .collect();
    let distinct: std::collections::BTreeSet<u64> = invoked.iter().copied().collect();
    assert_eq!((invoked.len(), distinct.len()), (50, 50));
}

#[tokio::test]
async fn a_full_disk_ends_the_run_with_the_file_named() {
    let mut recorder = Recorder::create(std::path::Path::new("/dev/full"), header()).unwrap();
    let op = Op::Read { key: 1.into() };
    let mut failure = None;
    for process in 0..100_000 {
        if let Err(error) = recorder.event(process, ProcessId(process), Phase::Invoke, op.clone()) {
            failure = Some(error);
            break;
        }
    }
    let failure = failure
        .expect("a write fails before so many events")
        .to_string();
    assert!(failure.starts_with("/dev/full: No space left"), "{failure}");
}
