use super::*;
use crate::api::KvOp;
use crate::disk::{CrashRng, SimDisk};
use crate::machine::Command;
use rand::SeedableRng;

fn put(machine: &mut Machine, at: Index) {
    let op = KvOp::Put {
        key: format!("k{:03}", at * 7 % 400),
        value: format!("value {at} {}", "x".repeat(300 + at as usize % 50)),
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

fn machine(index: Index) -> Machine {
    let mut machine = Machine::new();
    for at in 1..=index {
        put(&mut machine, at);
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

const POLICY: Policy = Policy {
    mode: Mode::Levels,
    keep: Keep {
        last: 1,
        hourly: 0,
        daily: 0,
    },
};

fn try_open(disk: &SimDisk) -> Result<Checkpoints> {
    Checkpoints::open(Arc::new(disk.clone()), 0, POLICY)
}

fn open(disk: &SimDisk) -> Checkpoints {
    try_open(disk).unwrap()
}

/// A checkpoint of the machine as it is, based on what the levels say.
fn write(checkpoints: &mut Checkpoints, machine: &mut Machine) -> Result<()> {
    let counters = *machine.counters();
    let plan = chain::plan(
        Mode::Levels,
        &checkpoints.manifest().chain(),
        counters.bytes,
        counters.changed_bytes,
    );
    let captured = Captured::state(machine.capture());
    machine.mark_captured();
    checkpoints.write(&meta(machine.applied()), &captured, plan, 0)?;
    Ok(())
}

/// A state of many pages, then many small changes, each in a checkpoint of its own.
fn history(disk: &SimDisk, committed: &mut Index) -> Result<()> {
    let mut checkpoints = try_open(disk)?;
    let mut machine = machine(400);
    write(&mut checkpoints, &mut machine)?;
    *committed = 400;
    for at in 401..=409 {
        put(&mut machine, at);
        write(&mut checkpoints, &mut machine)?;
        *committed = at;
    }
    Ok(())
}

#[test]
fn a_chain_of_increments_is_the_state() {
    let disk = SimDisk::new();
    history(&disk, &mut 0).unwrap();
    let again = open(&disk);
    let chain = again.manifest().chain();
    let levels: Vec<u8> = chain.iter().map(|file| file.level).collect();
    assert_eq!(levels, [chain::FULL, 1, 0, 0, 0]);
    assert!(chain[2].bytes * 4 < chain[0].bytes, "{chain:?}");
    for threads in [1, 3] {
        let loaded = again.load(threads).unwrap();
        assert_eq!(loaded.machine, machine(409));
        assert_eq!(loaded.machine.keys(), machine(409).keys());
    }
    assert_eq!(disk.list(FOLDER).unwrap().len(), chain.len());
    assert_eq!(again.manifest().boot, 2);
}

#[test]
fn a_crash_at_any_step_leaves_the_chain_before_or_after() {
    let whole = SimDisk::new();
    history(&whole, &mut 0).unwrap();
    for step in 1..=whole.steps() {
        for seed in 0..4 {
            let disk = SimDisk::new();
            disk.crash_at(Some(step));
            let mut committed = 0;
            // The error is the crash that was asked for.
            let _ = history(&disk, &mut committed);
            disk.crash(&mut CrashRng::seed_from_u64(seed));
            let found = open(&disk).load(1).unwrap().machine;
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
fn a_crash_at_any_step_of_an_install_leaves_the_state_before_or_after() {
    let script = |disk: &SimDisk, installed: &mut bool| -> Result<()> {
        let mut checkpoints = try_open(disk)?;
        let mut follower = machine(400);
        write(&mut checkpoints, &mut follower)?;
        put(&mut follower, 401);
        let mut leader = machine(450);
        let capture = leader.capture();
        let mut data = Vec::new();
        for page in capture.pages.changed_since(400, false) {
            file::put_page(&mut data, &page);
        }
        let piece = Piece {
            base: 400,
            target: 450,
            reached: None,
            data,
        };
        checkpoints.stage(piece)?;
        let root = Root(capture.pages.sum());
        let got = checkpoints.install(&meta(450), root, follower.capture(), 0)?;
        *installed = true;
        assert_eq!(got, leader);
        Ok(())
    };
    let whole = SimDisk::new();
    let mut installed = false;
    script(&whole, &mut installed).unwrap();
    assert_eq!(
        open(&whole).manifest().chain().len(),
        2,
        "an increment, not a full file"
    );
    for step in 1..=whole.steps() {
        for seed in 0..8 {
            let disk = SimDisk::new();
            disk.crash_at(Some(step));
            let mut installed = false;
            let _ = script(&disk, &mut installed);
            disk.crash(&mut CrashRng::seed_from_u64(seed));
            let found = open(&disk).load(1).unwrap().machine;
            let at = found.applied();
            assert!([0, 400, 450].contains(&at) && (!installed || at == 450));
            assert_eq!(found, machine(at));
        }
    }
}

#[test]
fn an_image_that_does_not_give_the_leaders_state_is_refused() {
    let disk = SimDisk::new();
    let mut checkpoints = open(&disk);
    let mut follower = machine(400);
    write(&mut checkpoints, &mut follower).unwrap();
    let capture = machine(450).capture();
    let mut pages = capture.pages.changed_since(400, false);
    pages.remove(1);
    let mut data = Vec::new();
    for page in &pages {
        file::put_page(&mut data, page);
    }
    let piece = Piece {
        base: 400,
        target: 450,
        reached: None,
        data,
    };
    checkpoints.stage(piece).unwrap();
    let root = Root(capture.pages.sum());
    let error = checkpoints
        .install(&meta(450), root, follower.capture(), 0)
        .unwrap_err();
    assert!(error.to_string().contains("has root"), "{error}");
    assert_eq!(open(&disk).load(1).unwrap().machine, machine(400));
}

#[test]
fn pages_that_cannot_be_the_increment_are_not_written() {
    let disk = SimDisk::new();
    let mut checkpoints = open(&disk);
    let mut machine = machine(400);
    write(&mut checkpoints, &mut machine).unwrap();
    put(&mut machine, 401);
    let plan = Plan {
        level: 0,
        base: 400,
    };
    let all = Captured {
        applied: 401,
        root: Root(machine.counters().sum),
        source: Source::Changed(machine.capture_changed(0)),
    };
    let error = checkpoints.write(&meta(401), &all, plan, 0).unwrap_err();
    assert!(error.to_string().contains("was last changed at"), "{error}");
    let nowhere = Plan {
        level: 0,
        base: 390,
    };
    let captured = Captured::state(machine.capture());
    let error = checkpoints
        .write(&meta(401), &captured, nowhere, 0)
        .unwrap_err();
    assert!(error.to_string().contains("no state at 390"), "{error}");
}

#[test]
fn any_flipped_bit_of_any_file_is_refused_by_name() {
    let disk = SimDisk::new();
    history(&disk, &mut 0).unwrap();
    let mut files = vec!["MANIFEST".to_owned()];
    files.extend(
        disk.list(FOLDER)
            .unwrap()
            .iter()
            .map(|file| format!("{FOLDER}/{file}")),
    );
    assert_eq!(files.len(), 6);
    let (mut refused, mut hidden) = (0, 0);
    for file in files {
        let len = disk.open(&file).unwrap().length().unwrap();
        // Every byte of short files and of both ends of long ones, some of the middle.
        for offset in (0..len).filter(|at| *at < 600 || at + 300 > len || at.is_multiple_of(211)) {
            let copy = disk.fork();
            assert!(copy.corrupt(&file, offset));
            match try_open(&copy).and_then(|checkpoints| checkpoints.load(1)) {
                Err(error) => {
                    assert!(error.to_string().starts_with(&file), "{error}");
                    refused += 1;
                }
                // A block that newer files hide entirely is not read.
                Ok(loaded) => {
                    assert_eq!(loaded.machine, machine(409), "{file} at {offset}");
                    hidden += 1;
                }
            }
        }
    }
    assert!(
        refused > 1_000 && hidden < refused / 10,
        "{refused} {hidden}"
    );
}

#[test]
fn an_hour_of_writes_keeps_chain_and_write_amplification_within_their_bounds() {
    // A hundred writes a second for an hour of simulated time, at every frequency from 100 entries to never.
    const WRITES: Index = 360_000;
    for every in [100, 1_000, 10_000, WRITES + 1] {
        let disk = SimDisk::new();
        let mut checkpoints = open(&disk);
        let mut machine = Machine::new();
        for key in 1..=40_000u64 {
            let op = KvOp::Put {
                key: format!("k{key:06}"),
                value: "v".repeat(100),
            };
            machine.apply(key, &command(op));
        }
        write(&mut checkpoints, &mut machine).unwrap();
        let (mut written, mut changed, mut longest, mut last) = (0, 0, 0, 40_000);
        let mut random = 1u64;
        for at in 40_001..=40_000 + WRITES {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let op = KvOp::Put {
                key: format!("k{:06}", (random >> 33) % 40_000),
                value: format!("{:0100}", random),
            };
            machine.apply(at, &command(op));
            let counters = *machine.counters();
            if at - last >= every && chain::worth_it(counters.bytes, counters.changed_bytes) {
                write(&mut checkpoints, &mut machine).unwrap();
                let chain = checkpoints.manifest().chain();
                longest = longest.max(chain.len());
                written += chain.last().unwrap().bytes;
                changed += counters.changed_bytes;
                last = at;
            }
        }
        let amplification = written as f64 / changed.max(1) as f64;
        println!("every {every}: longest chain {longest}, write amplification {amplification:.2}");
        assert!(longest <= chain::MAX_CHAIN, "every {every}: {longest}");
        assert!(amplification <= 5.0, "every {every}: {amplification}");
        assert_eq!(checkpoints.load(2).unwrap().machine.applied(), last);
    }
}

fn command(op: KvOp) -> Command {
    Command {
        origin: None,
        session: None,
        op,
    }
}

#[test]
fn a_file_of_the_version_before_is_read_and_a_later_one_is_refused_by_name() {
    let disk = SimDisk::new();
    let mut checkpoints = open(&disk);
    write(&mut checkpoints, &mut machine(50)).unwrap();
    let file = disk.list(FOLDER).unwrap().remove(0);
    let file = format!("{FOLDER}/{file}");
    let rewrite = |version: u32| {
        let opened = disk.open(&file).unwrap();
        let mut bytes = vec![0; opened.length().unwrap() as usize];
        opened.read_at(0, &mut bytes).unwrap();
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        let json = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        let crc = crc32c::crc32c(&bytes[..16 + json]);
        bytes[16 + json..20 + json].copy_from_slice(&crc.to_le_bytes());
        disk.create(&file).unwrap().write_at(0, &bytes).unwrap();
    };
    rewrite(2);
    assert_eq!(open(&disk).load(1).unwrap().machine, machine(50));
    rewrite(4);
    let error = open(&disk).load(1).map(|_| ()).unwrap_err().to_string();
    let expected = "corrupt at byte 8: version 4 is not known; versions 2 to 3 are";
    assert!(error.ends_with(expected), "{error}");
}
