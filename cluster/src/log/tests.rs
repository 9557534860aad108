use super::*;
use crate::disk::{CrashRng, SimDisk};
use crate::types::EntryKind;
use rand::{Rng, SeedableRng};

fn entry(index: Index, term: Term) -> Entry {
    let data = format!("entry {index} of term {term}").into_bytes();
    Entry {
        term,
        index,
        kind: EntryKind::Command,
        data: data.into(),
    }
}

fn state(term: Term) -> Option<HardState> {
    Some(HardState {
        term,
        vote: None,
        commit: 0,
    })
}

fn open(disk: &SimDisk) -> (DeltaLog, Replayed) {
    DeltaLog::open(Arc::new(disk.clone()), Segments::of(512), 2).unwrap()
}

#[test]
fn what_was_synced_comes_back_over_many_segments() {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk);
    for index in 1..=50 {
        log.append(None, &[entry(index, 1)], state(1), 0).unwrap();
        log.sync().unwrap();
    }
    assert!(log.count() > 5);
    let (_, replayed) = open(&disk);
    assert_eq!(
        replayed.entries,
        (1..=50).map(|index| entry(index, 1)).collect::<Vec<_>>()
    );
    assert_eq!(replayed.hard_state.term, 1);
}

#[test]
fn a_replaced_suffix_stays_replaced() {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk);
    log.append(None, &[entry(1, 1), entry(2, 1), entry(3, 1)], state(1), 0)
        .unwrap();
    log.append(None, &[entry(2, 2)], state(2), 0).unwrap();
    log.sync().unwrap();
    for _ in 0..3 {
        let (_, replayed) = open(&disk);
        assert_eq!(replayed.entries, [entry(1, 1), entry(2, 2)]);
    }
}

#[test]
fn a_mark_starts_the_log_anew() {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk);
    log.append(None, &[entry(1, 1), entry(2, 1)], state(1), 0)
        .unwrap();
    log.append(Some((100, 3)), &[entry(101, 3)], state(3), 0)
        .unwrap();
    log.sync().unwrap();
    let (_, replayed) = open(&disk);
    assert_eq!(
        (replayed.base, replayed.entries),
        ((100, 3), vec![entry(101, 3)])
    );
}

#[test]
fn a_removed_beginning_leaves_the_rest_readable() {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk);
    for index in 1..=60 {
        log.append(None, &[entry(index, 1)], state(1), 0).unwrap();
    }
    log.sync().unwrap();
    log.remove_before(40, 0).unwrap();
    let (_, replayed) = open(&disk);
    let first = replayed.entries[0].index;
    assert!((2..=40).contains(&first), "{first}");
    assert_eq!(replayed.base, (first - 1, 1));
    assert_eq!(replayed.entries.last(), Some(&entry(60, 1)));
}

#[test]
fn a_crash_at_any_step_loses_nothing_that_was_synced() {
    let script = |disk: &SimDisk| -> Index {
        let mut synced = 0;
        let mut run = || -> Result<(), LogError> {
            let (mut log, _) = DeltaLog::open(Arc::new(disk.clone()), Segments::of(300), 1)?;
            for index in 1..=12 {
                log.append(None, &[entry(index, 1)], state(1), 0)?;
                log.sync()?;
                synced = index;
            }
            Ok(())
        };
        // The error is the crash that the test asked for.
        let _ = run();
        synced
    };
    let whole = SimDisk::new();
    script(&whole);
    for step in 1..=whole.steps() {
        for seed in 0..8 {
            let disk = SimDisk::new();
            disk.crash_at(Some(step));
            let synced = script(&disk);
            disk.crash(&mut CrashRng::seed_from_u64(seed));
            let (_, replayed) = open(&disk);
            assert!(
                replayed.entries.len() as u64 >= synced,
                "step {step}, seed {seed}"
            );
            assert!(
                replayed
                    .entries
                    .iter()
                    .zip(1..)
                    .all(|(found, index)| *found == entry(index, 1))
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_what_is_proved_synced_is_an_error_with_its_place() {
    let whole = SimDisk::new();
    let (mut log, _) = DeltaLog::open(Arc::new(whole.clone()), Segments::of(1 << 20), 1).unwrap();
    for index in 1..=10 {
        log.append(None, &[entry(index, 1)], state(1), 0).unwrap();
        log.sync().unwrap();
    }
    let last = log.current.len;
    log.mark_synced().unwrap();
    let file = name(log.current.number);
    let mut rng = CrashRng::seed_from_u64(1);
    for _ in 0..50 {
        // The last batch too: the mark behind it proves that it was synced.
        let offset = rng.next_u64() % last;
        assert!(whole.corrupt(&file, offset));
        let error = DeltaLog::open(Arc::new(whole.clone()), Segments::of(1 << 20), 1)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(&error, LogError::Corrupt { file: named, .. } if *named == file),
            "{error}"
        );
        assert!(whole.corrupt(&file, offset), "flip it back");
    }
}

#[test]
fn a_suffix_that_replaced_entries_of_removed_segments_is_all_that_is_left_of_them() {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk);
    for index in 1..=40 {
        log.append(None, &[entry(index, 1)], state(1), 0).unwrap();
    }
    // A new leader replaces everything from 20 on, which older segments hold; then these go.
    for index in 20..=60 {
        log.append(None, &[entry(index, 2)], state(2), 0).unwrap();
    }
    log.sync().unwrap();
    log.remove_before(45, 0).unwrap();
    let (_, replayed) = open(&disk);
    let first = replayed.entries[0].index;
    assert!((20..=45).contains(&first), "{first}");
    assert!(replayed.entries.iter().all(|entry| entry.term == 2));
    assert_eq!(replayed.entries.last(), Some(&entry(60, 2)));
}

#[test]
fn segments_end_at_an_age_and_are_archived_until_no_restore_point_needs_them() {
    let disk = SimDisk::new();
    let segments = Segments {
        bytes: 1 << 20,
        millis: Some(1_000),
        archive: true,
    };
    let open = || DeltaLog::open(Arc::new(disk.clone()), segments, 1).unwrap();
    let (mut log, _) = open();
    for index in 1..=50 {
        log.append(None, &[entry(index, 1)], state(1), 10_000 + index * 100)
            .unwrap();
    }
    log.sync().unwrap();
    assert_eq!(log.count(), 5);
    log.remove_before(35, 0).unwrap();
    assert_eq!(disk.list(ARCHIVE).unwrap().len(), 3);
    let past = replay(&disk, &[ARCHIVE, FOLDER], 1).unwrap();
    assert_eq!(past.entries.len(), 50);
    assert_eq!((past.times[0], past.times[49]), (10_100, 15_000));
    drop(log);
    let (mut log, replayed) = open();
    assert!(replayed.entries.len() < 50);
    log.remove_before(35, 20).unwrap();
    assert_eq!(disk.list(ARCHIVE).unwrap().len(), 1);
}

/// The header of a segment of another version, with what a program of that version would have summed up.
fn rewrite_version(disk: &SimDisk, file: &str, version: u32) {
    let opened = disk.open(file).unwrap();
    let mut bytes = vec![0; opened.length().unwrap() as usize];
    opened.read_at(0, &mut bytes).unwrap();
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    disk.create(file).unwrap().write_at(0, &bytes).unwrap();
}

#[test]
fn a_segment_of_the_version_before_is_read_and_a_later_one_is_refused_by_name() {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk);
    log.append(None, &[entry(1, 1)], state(1), 0).unwrap();
    log.sync().unwrap();
    let file = name(log.current.number);
    drop(log);
    rewrite_version(&disk, &file, record::OLDEST_VERSION);
    let (log, replayed) = open(&disk);
    assert_eq!(replayed.entries, [entry(1, 1)]);
    // What is written now goes to a segment of its own, of the newest version.
    assert_ne!(name(log.current.number), file);
    drop(log);
    rewrite_version(&disk, &file, record::VERSION + 1);
    let error = DeltaLog::open(Arc::new(disk.clone()), Segments::of(512), 2).err();
    assert_eq!(
        error.map(|error| error.to_string()).unwrap_or_default(),
        format!("{file}: corrupt at byte 0: version 3 is not known; versions 1 to 2 are")
    );
}
