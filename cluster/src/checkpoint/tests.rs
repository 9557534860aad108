use super::*;
use crate::api::KvOp;
use crate::disk::{CrashRng, SimDisk};
use crate::machine::Command;
use rand::SeedableRng;

fn machine(index: Index) -> Machine {
    let mut machine = Machine::new();
    for at in 1..=index {
        let op = KvOp::Put {
            key: format!("k{}", at % 40),
            value: format!("value {at}"),
        };
        machine.apply(
            at,
            &Command {
                origin: None,
                session: None,
                op,
            },
        );
    }
    machine
}

fn meta(index: Index) -> SnapshotMeta {
    SnapshotMeta {
        index,
        term: 1,
        members: Default::default(),
    }
}

fn open(disk: &SimDisk) -> Checkpoints {
    Checkpoints::open(Arc::new(disk.clone()), 0).unwrap()
}

#[test]
fn the_newest_image_is_loaded_and_older_ones_are_gone() {
    let disk = SimDisk::new();
    let mut checkpoints = open(&disk);
    for index in [10, 20, 30] {
        checkpoints
            .write(&meta(index), &machine(index), &[])
            .unwrap();
    }
    assert_eq!(disk.list(FOLDER).unwrap().len(), 1);
    let again = open(&disk);
    assert_eq!(again.load().unwrap(), machine(30));
    assert_eq!(again.manifest().boot, 2);
}

#[test]
fn an_image_that_a_transfer_needs_is_kept() {
    let disk = SimDisk::new();
    let mut checkpoints = open(&disk);
    checkpoints.write(&meta(10), &machine(10), &[]).unwrap();
    checkpoints.write(&meta(20), &machine(20), &[10]).unwrap();
    assert!(Checkpoints::read(&disk, 10, 0, 100).unwrap().is_some());
    checkpoints.write(&meta(30), &machine(30), &[]).unwrap();
    assert!(Checkpoints::read(&disk, 10, 0, 100).unwrap().is_none());
}

#[test]
fn an_image_travels_in_pieces_and_pieces_out_of_order_change_nothing() {
    let source = SimDisk::new();
    let mut sender = open(&source);
    sender.write(&meta(500), &machine(500), &[]).unwrap();
    let target = SimDisk::new();
    let mut receiver = open(&target);
    receiver.write(&meta(3), &machine(3), &[]).unwrap();
    let mut offset = 0;
    loop {
        let (total, data) = Checkpoints::read(&source, 500, offset, 100)
            .unwrap()
            .unwrap();
        let staged = receiver.stage(&meta(500), offset, &data).unwrap();
        assert_eq!(
            receiver.stage(&meta(500), offset, &data).unwrap(),
            staged,
            "a doubled piece"
        );
        assert_eq!(
            receiver.stage(&meta(500), staged + 7, &data).unwrap(),
            staged,
            "a piece too early"
        );
        offset = staged;
        if offset == total {
            break;
        }
    }
    assert_eq!(receiver.install(&meta(500)).unwrap(), machine(500));
    let again = open(&target);
    assert_eq!(
        (again.load().unwrap(), again.manifest().installed_total),
        (machine(500), 1)
    );
}

#[test]
fn a_crash_at_any_step_leaves_the_old_image_or_the_new_one() {
    let script = |disk: &SimDisk| {
        let mut committed = 0;
        let mut run = || -> Result<()> {
            let mut checkpoints = Checkpoints::open(Arc::new(disk.clone()), 0)?;
            for index in [5, 9] {
                checkpoints.write(&meta(index), &machine(index), &[])?;
                committed = index;
            }
            Ok(())
        };
        // The error is the crash that the test asked for.
        let _ = run();
        committed
    };
    let whole = SimDisk::new();
    script(&whole);
    for step in 1..=whole.steps() {
        for seed in 0..10 {
            let disk = SimDisk::new();
            disk.crash_at(Some(step));
            let committed = script(&disk);
            disk.crash(&mut CrashRng::seed_from_u64(seed));
            let found = open(&disk).load().unwrap();
            assert!(
                found.applied() >= committed,
                "step {step}, seed {seed}: {} of {committed}",
                found.applied()
            );
            assert_eq!(found, machine(found.applied()));
        }
    }
}

#[test]
fn any_flipped_bit_of_the_image_or_the_manifest_is_refused_by_name() {
    let disk = SimDisk::new();
    open(&disk).write(&meta(60), &machine(60), &[]).unwrap();
    let image = name(60);
    for file in [image.as_str(), "MANIFEST"] {
        let len = disk.open(file).unwrap().length().unwrap();
        for offset in 0..len {
            assert!(disk.corrupt(file, offset));
            let opened = Checkpoints::open(Arc::new(disk.clone()), 0)
                .and_then(|checkpoints| checkpoints.load());
            let error = opened.expect_err("a flipped bit").to_string();
            assert!(error.starts_with(file), "{error}");
            if file == image {
                assert!(disk.corrupt(file, offset), "flip it back");
            } else {
                break;
            }
        }
    }
}
