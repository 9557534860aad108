use super::*;
use crate::api::KvOp;
use crate::checkpoint::chain::{Mode, plan};
use crate::checkpoint::{Captured, Keep, Policy};
use crate::disk::SimDisk;
use crate::log::{DeltaLog, Segments};
use crate::machine::{Command, Machine};
use crate::store;
use crate::types::{Entry, EntryKind, HardState, SnapshotMeta};
use std::sync::Arc;

fn command(at: Index) -> Command {
    Command {
        origin: None,
        session: None,
        op: KvOp::Put {
            key: format!("k{:03}", at % 100),
            value: format!("{at} {}", "x".repeat(100)),
        },
    }
}

fn machine(index: Index) -> Machine {
    let mut machine = Machine::new();
    (1..=index).for_each(|at| drop(machine.apply(at, &command(at))));
    machine
}

/// A folder with checkpoints every 50 entries up to 300, three of which are kept, and a log up to 330 of which 320 are
/// committed; entry n was written at second n.
fn folder(archive: bool) -> SimDisk {
    let disk = SimDisk::new();
    let shared = Arc::new(disk.clone());
    let segments = Segments {
        bytes: 4_000,
        millis: None,
        archive,
    };
    let policy = Policy {
        mode: Mode::Levels,
        keep: Keep {
            last: 3,
            ..Keep::default()
        },
    };
    let opened = store::open(shared, segments, 0, policy, 1).unwrap();
    let mut recovered = opened.load().unwrap();
    let (log, checkpoints): (&mut DeltaLog, _) = (&mut recovered.log, &mut recovered.checkpoints);
    let mut state = Machine::new();
    for at in 1..=330u64 {
        let entry = Entry {
            term: 1,
            index: at,
            kind: EntryKind::Command,
            data: command(at).encode().into(),
        };
        let hard_state = HardState {
            term: 1,
            vote: None,
            commit: at.min(320),
        };
        log.append(None, &[entry], Some(hard_state), at * 1_000)
            .unwrap();
        if at > 300 {
            continue;
        }
        state.apply(at, &command(at));
        if at.is_multiple_of(50) {
            let counters = *state.counters();
            let chain = checkpoints.manifest().chain();
            let next = plan(Mode::Levels, &chain, counters.bytes, counters.changed_bytes);
            let captured = Captured::state(state.capture());
            state.mark_captured();
            let meta = SnapshotMeta {
                index: at,
                term: 1,
                ..SnapshotMeta::default()
            };
            checkpoints
                .write(&meta, &captured, next, at * 1_000)
                .unwrap();
            log.remove_before(at - 10, checkpoints.manifest().oldest())
                .unwrap();
        }
    }
    log.sync().unwrap();
    disk
}

fn restored(from: &SimDisk, point: Point) -> Result<Machine, OfflineError> {
    let into = SimDisk::new();
    let report = restore(from, Arc::new(into.clone()), point, 1)?;
    let policy = Policy {
        mode: Mode::Levels,
        keep: Keep::default(),
    };
    let opened = store::open(Arc::new(into), Segments::of(4_000), 0, policy, 1).unwrap();
    let recovered = opened.load().unwrap();
    assert_eq!(recovered.restored.snapshot.index, report.index);
    assert_ne!(recovered.restored.lineage, Default::default());
    Ok(recovered.loaded.machine)
}

#[test]
fn any_index_since_the_oldest_restore_point_comes_back_if_the_log_is_archived() {
    let disk = folder(true);
    let oldest = Manifest::read(&disk).unwrap().oldest();
    for index in [oldest, oldest + 7, 250, 299, 300, 301, 320] {
        assert_eq!(
            restored(&disk, Point::Index(index)).unwrap(),
            machine(index)
        );
    }
    assert_eq!(restored(&disk, Point::Latest).unwrap(), machine(320));
    let time = Point::Time(277_500);
    assert_eq!(restored(&disk, time).unwrap(), machine(277));
}

#[test]
fn what_cannot_be_restored_is_refused_with_the_reason() {
    let disk = folder(false);
    let refused = |point| restored(&disk, point).unwrap_err().to_string();
    assert!(refused(Point::Index(325)).contains("not known to be committed"));
    assert!(
        refused(Point::Index(222)).contains("can't be reached"),
        "{}",
        refused(Point::Index(222))
    );
    assert!(refused(Point::Time(1_000)).contains("nothing that is kept"));
    assert_eq!(restored(&disk, Point::Index(250)).unwrap(), machine(250));
    let occupied = restore(&disk, Arc::new(disk.clone()), Point::Latest, 1);
    assert!(occupied.unwrap_err().to_string().contains("holds data"));
}

#[test]
fn verify_finds_the_flipped_bit_and_names_its_place() {
    let disk = folder(true);
    let findings = verify(&disk, 2).unwrap();
    assert!(
        findings.iter().all(|finding| finding.state.is_ok()),
        "{findings:?}"
    );
    let contents = inspect(&disk).unwrap();
    assert!(contents.describe().contains("full"));
    assert!(!contents.archive.is_empty());
    let mut files: Vec<String> = contents
        .manifest
        .files
        .iter()
        .map(|file| file.name.clone())
        .collect();
    files.push(contents.archive[0].name.clone());
    files.push(contents.log[0].name.clone());
    files.push("MANIFEST".into());
    for file in files {
        let broken = disk.fork();
        let middle = broken.open(&file).unwrap().length().unwrap() / 2;
        assert!(broken.corrupt(&file, middle));
        let found = verify(&broken, 1).unwrap();
        let errors: Vec<&String> = found
            .iter()
            .filter_map(|finding| finding.state.as_ref().err())
            .collect();
        assert!(
            errors.iter().any(|error| error.contains(&file)),
            "{file}: {errors:?}"
        );
    }
}
