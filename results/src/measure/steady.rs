//! Steady state: when throughput and latency were back where they had been.
//!
//! Seen through a window as long as the hold time that slides by a tenth of it over the successful
//! operations of the history. The baseline is the median over the windows of the quiet stretch before
//! the fault: from the moment the previous fault's effects were over, or, if that left less than two
//! windows, of the stretch before the run's first fault.

use super::latency::completions;
use super::quantiles::nearest_rank;
use super::{ms, ms_between};
use crate::recorded::{Method, Recorded};
use checker::Phase;
use serde::{Deserialize, Serialize};

/// What a window saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub ops_per_second: f64,
    pub p99_ms: f64,
}

/// The successful operations of the load phase, ready for windows.
pub(crate) struct Load {
    /// Time of completion and latency, in the order of completion.
    done: Vec<(u64, u64)>,
    method: Method,
    start: u64,
    end: u64,
}

/// Whether and when steady state was reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Steady {
    /// After t0, the start of the first window that is good.
    pub after: Option<u64>,
    /// The same for throughput alone.
    pub throughput: Option<u64>,
    /// And from then on for p99 alone: of the few operations that got through before, it says nothing.
    pub p99: Option<u64>,
    pub reason: Option<String>,
    pub baseline: Option<Rate>,
}

impl Load {
    pub fn of(recorded: &Recorded) -> Self {
        let done = completions(recorded)
            .filter(|completion| matches!(completion.phase, Phase::Ok(_)))
            .map(|completion| (completion.at, completion.latency))
            .collect();
        Self {
            done,
            method: recorded.method,
            start: recorded.marks.load_start,
            end: recorded.marks.load_end,
        }
    }

    /// The median of the windows between two times, if at least two hold times fit between them.
    pub fn baseline(&self, from: u64, to: u64) -> Option<Rate> {
        let from = from.max(self.start);
        if to.saturating_sub(from) < 2 * self.method.hold {
            return None;
        }
        let windows: Vec<Rate> = self.windows(from, to).map(|(_, rate)| rate).collect();
        let median = |of: fn(&Rate) -> f64| {
            let mut values: Vec<f64> = windows.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            nearest_rank(&values, 0.5)
        };
        Some(Rate {
            ops_per_second: median(|rate| rate.ops_per_second)?,
            p99_ms: median(|rate| rate.p99_ms)?,
        })
        .filter(|rate| rate.ops_per_second > 0.0)
    }

    /// The first window that is as good as the baseline, begins once clients were `served` again after `t0`, and
    /// ends before `end`.
    pub fn steady(
        &self,
        t0: u64,
        served: u64,
        end: u64,
        next: Option<u32>,
        baseline: Option<Rate>,
    ) -> Steady {
        let Some(base) = baseline else {
            return Steady {
                after: None,
                throughput: None,
                p99: None,
                reason: Some(format!(
                    "no baseline: no quiet stretch of {} ms before the fault",
                    ms(2 * self.method.hold)
                )),
                baseline: None,
            };
        };
        let end = end.min(self.end);
        let share = |rate: &Rate| rate.ops_per_second / base.ops_per_second;
        let growth = |rate: &Rate| rate.p99_ms / base.p99_ms.max(0.001);
        let busy = |rate: &Rate| share(rate) >= self.method.steady_throughput;
        let quick = |rate: &Rate| growth(rate) <= self.method.steady_p99;
        let windows: Vec<(u64, Rate)> = self
            .windows(t0, end)
            .filter(|(from, _)| *from >= served)
            .collect();
        let first = |good: &dyn Fn(&(u64, Rate)) -> bool| {
            let window = windows.iter().find(|window| good(window));
            window.map(|(from, _)| from - t0)
        };
        let after = first(&|(_, rate)| busy(rate) && quick(rate));
        let throughput = first(&|(_, rate)| busy(rate));
        let p99 =
            throughput.and_then(|back| first(&|(from, rate)| *from >= t0 + back && quick(rate)));
        let reason = after.is_none().then(|| {
            let until = match next {
                Some(id) => format!("before fault {id}, {:.0} ms after this one", ms_between(t0, end)),
                None => format!("before the load ended, {:.0} ms later", ms_between(t0, end)),
            };
            let best = windows
                .iter()
                .map(|(_, rate)| rate)
                .max_by(|a, b| a.ops_per_second.total_cmp(&b.ops_per_second));
            match best {
                None => format!("no whole window of {} ms {until}", ms(self.method.hold)),
                Some(rate) => format!(
                    "not {until}: at best {:.0} % of the baseline's throughput, with {:.1} times its p99",
                    100.0 * share(rate),
                    growth(rate)
                ),
            }
        });
        Steady {
            after,
            throughput,
            p99,
            reason,
            baseline,
        }
    }

    fn windows(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Rate)> + '_ {
        let hold = self.method.hold.max(10);
        (0..)
            .map(move |n| from + n * (hold / 10))
            .take_while(move |start| start + hold <= to)
            .map(move |start| (start, self.rate(start, start + hold)))
    }

    fn rate(&self, from: u64, to: u64) -> Rate {
        let first = self.done.partition_point(|(at, _)| *at < from);
        let last = self.done.partition_point(|(at, _)| *at < to);
        let mut latencies: Vec<u64> = self.done[first..last].iter().map(|(_, l)| *l).collect();
        let rank = (0.99 * latencies.len() as f64).ceil() as usize;
        let p99 = match rank {
            0 => 0,
            rank => *latencies.select_nth_unstable(rank - 1).1,
        };
        Rate {
            ops_per_second: latencies.len() as f64 * 1e9 / (to - from) as f64,
            p99_ms: ms(p99),
        }
    }
}
