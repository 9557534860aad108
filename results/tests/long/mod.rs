//! A long run made of a short one, over and over: as much load, as many faults, as many minutes as wanted.

use checker::ProcessId;
use results::Recorded;

/// The run `times` times, one after the other. Faults get numbers of their own, clients new processes, and the
/// servers' terms and indices go on where they were.
pub fn repeated(short: &Recorded, times: u64) -> Recorded {
    let length = short.marks.load_end;
    let faults = short
        .faults
        .iter()
        .map(|record| record.fault)
        .max()
        .unwrap_or(0);
    let term = short
        .samples
        .iter()
        .map(|sample| sample.term)
        .max()
        .unwrap_or(0);
    let index = short
        .samples
        .iter()
        .map(|sample| sample.commit)
        .max()
        .unwrap_or(0);
    let mut long = Recorded {
        run: short.run.clone(),
        marks: short.marks,
        verdicts: short.verdicts.clone(),
        ledgers: short.ledgers.clone(),
        method: short.method,
        ..Recorded::default()
    };
    long.run.faults_asked = (u64::from(short.run.faults_asked) * times) as u32;
    long.history.header = short.history.header.clone();
    for n in 0..times {
        let later = n * length;
        let within = |time: &u64| *time < short.marks.load_end || n + 1 == times;
        for event in short.history.events.iter().filter(|e| within(&e.time)) {
            let mut event = event.clone();
            event.index = long.history.events.len() as u64;
            event.time += later;
            event.process = ProcessId(event.process.0 + n * 1_000_000);
            long.history.events.push(event);
        }
        for record in &short.faults {
            let mut record = record.clone();
            record.time += later;
            record.fault += n as u32 * faults;
            long.faults.push(record);
        }
        for probe in short.probes.iter().filter(|probe| within(&probe.intended)) {
            let mut probe = probe.clone();
            probe.intended += later;
            probe.sent += later;
            probe.done += later;
            long.probes.push(probe);
        }
        for sample in short.samples.iter().filter(|sample| within(&sample.time)) {
            let mut sample = sample.clone();
            sample.time += later;
            sample.term += n * term;
            sample.commit += n * index;
            sample.applied += n * index;
            long.samples.push(sample);
        }
    }
    for mark in [
        &mut long.marks.load_end,
        &mut long.marks.all_healed,
        &mut long.marks.finale_start,
        &mut long.marks.end,
    ] {
        *mark += (times - 1) * length;
    }
    long
}
