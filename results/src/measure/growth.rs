//! What a server's counters grew by. They begin at 0 with every start of the server, so a difference of two
//! samples says too little when a restart lies between them.

use crate::observe::Sample;

/// The growth of a counter over these samples of one node, in the order of their time; from 0, or from the
/// sample that came before them.
pub(crate) fn growth<'a>(
    before: Option<&'a Sample>,
    samples: impl Iterator<Item = &'a Sample>,
    counter: impl Fn(&Sample) -> u64,
) -> u64 {
    let mut last = before;
    let mut grown = 0;
    for sample in samples.filter(|sample| sample.up) {
        // A server that is younger than it was is another one.
        let same = last.filter(|last| last.uptime_ms <= sample.uptime_ms);
        grown += counter(sample).saturating_sub(same.map_or(0, &counter));
        last = Some(sample);
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(uptime_ms: u64, count: u64) -> Sample {
        Sample {
            up: true,
            uptime_ms,
            checkpoints_written: count,
            ..Sample::default()
        }
    }

    #[test]
    fn a_restart_begins_at_nothing_and_loses_nothing() {
        let samples = [
            sample(100, 3),
            sample(200, 5),
            Sample::default(),
            sample(10, 1),
            sample(60, 4),
        ];
        let of = |before, samples: &[Sample]| {
            growth(before, samples.iter(), |sample| sample.checkpoints_written)
        };
        assert_eq!(of(None, &samples), 9);
        assert_eq!(of(Some(&samples[0]), &samples[1..]), 6);
        assert_eq!(of(None, &[]), 0);
    }
}
