//! The service must serve while nothing is broken, and again some time after what was broken was healed.
//!
//! Somebody has to ask, or nothing is known: an *outage* is a time in which attempts kept beginning and
//! none succeeded. It counts only outside the windows of faults, each lengthened by the time that a
//! recovery may take, and only from a length on that no election or slow disk explains. A gap in the
//! attempts themselves ends an outage: then it was the harness that stood still.
//!
//! How long outages of the recovery itself lasted is measured elsewhere, as the RTO.

use crate::fault_windows::FaultWindow;
use crate::verdict::Verdict;
use serde_json::json;
use std::time::Duration;

/// Something that a client or a probe tried. Times in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub begun: u64,
    /// When it succeeded, if it did.
    pub served: Option<u64>,
}

/// Judges the attempts of a run, in O(n log n).
#[derive(Clone, Copy, Debug)]
pub struct Availability {
    /// From this length on an outage is a violation.
    pub outage: Duration,
    /// So long after a fault was healed nothing is held against the service.
    pub recovery: Duration,
    /// A longer time without new attempts says nothing of the service.
    pub silence: Duration,
}

/// An outage: of its attempts the first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    from: u64,
    to: u64,
    attempts: u64,
}

impl Default for Availability {
    fn default() -> Self {
        Self {
            outage: Duration::from_secs(5),
            recovery: Duration::from_secs(15),
            silence: Duration::from_millis(2_500),
        }
    }
}

impl Availability {
    pub fn judge(self, attempts: &[Attempt], faults: &[FaultWindow]) -> Verdict {
        let outages = self.outages(attempts, faults);
        let served = attempts.iter().filter(|attempt| attempt.served.is_some());
        let long: Vec<&Outage> = outages
            .iter()
            .filter(|outage| outage.length() >= nanos(self.outage))
            .collect();
        let longest = outages.iter().max_by_key(|outage| outage.length());
        let verdict = match long.iter().max_by_key(|outage| outage.length()) {
            Some(outage) => Verdict::invalid(self.sentence(outage, faults, long.len())).with(
                "outages",
                long.iter()
                    .map(|outage| {
                        json!({"from_ms": ms(outage.from), "to_ms": ms(outage.to), "attempts": outage.attempts})
                    })
                    .collect::<Vec<_>>(),
            ),
            None if attempts.is_empty() => Verdict::unknown("nobody asked for anything"),
            None => match never_back(attempts, faults) {
                Some(reason) => Verdict::unknown(reason),
                None => Verdict::valid(),
            },
        };
        verdict
            .with("attempts", attempts.len())
            .with("served", served.count())
            .with(
                "longest_outage_ms",
                longest.map_or(0.0, |outage| ms(outage.length())),
            )
            .with("outage_limit_ms", ms(nanos(self.outage)))
            .with("recovery_limit_ms", ms(nanos(self.recovery)))
    }

    /// Where attempts that nothing excuses kept beginning and nobody was served.
    fn outages(self, attempts: &[Attempt], faults: &[FaultWindow]) -> Vec<Outage> {
        let mut begun: Vec<u64> = attempts.iter().map(|attempt| attempt.begun).collect();
        begun.sort_unstable();
        let mut served: Vec<u64> = attempts
            .iter()
            .filter_map(|attempt| attempt.served)
            .collect();
        served.sort_unstable();
        let excuses = self.excuses(faults);
        let (mut outages, mut open) = (Vec::new(), None::<Outage>);
        let (mut successes, mut excuse) = (served.into_iter().peekable(), 0);
        for at in begun {
            let mut success = false;
            while successes.next_if(|success| *success <= at).is_some() {
                success = true;
            }
            while excuses.get(excuse).is_some_and(|(_, to)| *to < at) {
                excuse += 1;
            }
            let excused = excuses.get(excuse).is_some_and(|(from, _)| *from <= at);
            let silent = open.is_some_and(|outage| at - outage.to > nanos(self.silence));
            if success || excused || silent {
                outages.extend(open.take());
            }
            if !excused {
                let outage = open.get_or_insert(Outage {
                    from: at,
                    to: at,
                    attempts: 0,
                });
                outage.to = at;
                outage.attempts += 1;
            }
        }
        outages.extend(open);
        outages
    }

    /// The windows of faults with the recovery after them, joined where they overlap.
    fn excuses(self, faults: &[FaultWindow]) -> Vec<(u64, u64)> {
        let mut spans: Vec<(u64, u64)> = faults
            .iter()
            .map(|fault| {
                let to = fault.to.unwrap_or(u64::MAX);
                (fault.from, to.saturating_add(nanos(self.recovery)))
            })
            .collect();
        spans.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match joined.last_mut().filter(|(_, end)| from <= *end) {
                Some((_, end)) => *end = to.max(*end),
                None => joined.push((from, to)),
            }
        }
        joined
    }

    fn sentence(self, outage: &Outage, faults: &[FaultWindow], count: usize) -> String {
        let healed = faults.iter().filter_map(|fault| fault.to);
        let since = match healed.filter(|to| *to <= outage.from).max() {
            Some(healed) => format!(
                ", {:.1} s after the last fault was healed",
                ms(outage.from - healed) / 1e3
            ),
            None => String::new(),
        };
        let more = match count {
            1 => String::new(),
            n => format!(" ({n} such outages)"),
        };
        format!(
            "nobody was served from {:.1} s to {:.1} s, in {} attempts, though nothing was broken{since}{more}",
            ms(outage.from) / 1e3,
            ms(outage.to) / 1e3,
            outage.attempts
        )
    }
}

impl Outage {
    fn length(&self) -> u64 {
        self.to - self.from
    }
}

/// After the last healing somebody asked, and nobody was served up to the end.
fn never_back(attempts: &[Attempt], faults: &[FaultWindow]) -> Option<String> {
    let healed = faults.iter().map(|fault| fault.to).max()??;
    let after = || attempts.iter().filter(|attempt| attempt.begun > healed);
    let last = after().map(|attempt| attempt.begun).max()?;
    let back = attempts
        .iter()
        .any(|attempt| attempt.served.is_some_and(|at| at > healed));
    (!back).then(|| {
        format!(
            "nobody was served after the last fault was healed at {:.1} s, up to the last attempt {:.1} s later; \
             whether the service would have come back is not known",
            ms(healed) / 1e3,
            ms(last - healed) / 1e3
        )
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validity;

    const SECOND: u64 = 1_000_000_000;

    /// An attempt every tenth of a second, served a millisecond later unless `down`.
    fn attempts(seconds: u64, down: impl Fn(u64) -> bool) -> Vec<Attempt> {
        (0..seconds * 10)
            .map(|tenth| tenth * SECOND / 10)
            .map(|begun| Attempt {
                begun,
                served: (!down(begun)).then_some(begun + 1_000_000),
            })
            .collect()
    }

    fn between(from: u64, to: u64) -> impl Fn(u64) -> bool {
        move |at| (from * SECOND..to * SECOND).contains(&at)
    }

    fn fault(from: u64, to: Option<u64>) -> FaultWindow {
        FaultWindow {
            kind: "partition".into(),
            targets: vec!["n1".into()],
            from: from * SECOND,
            to: to.map(|to| to * SECOND),
        }
    }

    fn judge(attempts: &[Attempt], faults: &[FaultWindow]) -> Verdict {
        Availability::default().judge(attempts, faults)
    }

    #[test]
    fn an_outage_without_a_fault_is_a_violation_from_its_limit_on() {
        let short = judge(&attempts(60, between(10, 14)), &[]);
        assert_eq!(short.valid, Validity::Valid, "{}", short.reason);
        assert_eq!(short.details["longest_outage_ms"], json!(4_000.0));
        let long = judge(&attempts(60, between(10, 20)), &[]);
        assert_eq!(
            long.reason,
            "nobody was served from 10.0 s to 20.0 s, in 101 attempts, though nothing was broken"
        );
    }

    #[test]
    fn a_fault_excuses_an_outage_until_its_recovery_is_due() {
        let fault = [fault(10, Some(15))];
        let in_time = judge(&attempts(60, between(10, 30)), &fault);
        assert_eq!(in_time.valid, Validity::Valid, "{}", in_time.reason);
        let late = judge(&attempts(60, between(10, 40)), &fault);
        assert!(
            late.reason
                .starts_with("nobody was served from 30.1 s to 40.0 s"),
            "{}",
            late.reason
        );
        assert!(
            late.reason
                .ends_with("15.1 s after the last fault was healed"),
            "{}",
            late.reason
        );
    }

    #[test]
    fn overlapping_faults_excuse_as_one() {
        let faults = [fault(10, Some(15)), fault(20, Some(40))];
        let verdict = judge(&attempts(60, between(10, 50)), &faults);
        assert_eq!(verdict.valid, Validity::Valid, "{}", verdict.reason);
    }

    #[test]
    fn a_harness_that_stood_still_proves_nothing() {
        let mut tried = attempts(60, between(10, 12));
        tried.extend(
            attempts(90, between(0, 90))
                .iter()
                .filter(|a| a.begun % (4 * SECOND) == 0),
        );
        tried.retain(|attempt| !between(11, 30)(attempt.begun));
        let verdict = judge(&tried, &[]);
        assert_eq!(verdict.valid, Validity::Valid, "{}", verdict.reason);
    }

    #[test]
    fn a_service_that_is_not_back_when_the_run_ends_is_unknown() {
        let faults = [fault(10, Some(15))];
        let verdict = judge(&attempts(20, between(10, 20)), &faults);
        assert_eq!(verdict.valid, Validity::Unknown);
        assert!(
            verdict
                .reason
                .contains("up to the last attempt 4.9 s later"),
            "{}",
            verdict.reason
        );
        assert_eq!(judge(&[], &faults).reason, "nobody asked for anything");
    }
}
