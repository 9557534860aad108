//! Findings in words: what page, terminal and Markdown share.

use super::findings::Findings;
use super::loss::{Loss, Verdict};
use super::recommend::{ENOUGH, Judged, Recommendation, Target};
use super::record::{Durability, Measured, Sweep};
use super::waiting::{Quantile, Summary};
use super::{Costs, Fit, Scenario, Spread};
use crate::table;

/// The answer in a few sentences.
pub fn answer(findings: &Findings) -> Vec<String> {
    let recommendation = &findings.recommendation;
    let mut lines = Vec::new();
    if !findings.violations.is_empty() {
        lines.push(format!(
            "{} runs proved a violation: see them before anything else.",
            findings.violations.len()
        ));
    }
    if !recommendation.target.is_given() {
        lines.push(
            "No target was given: --rto 2s --rpo 0 names the cheapest setting that meets it."
                .to_owned(),
        );
        return lines;
    }
    let target = target(recommendation.target);
    match recommendation.chosen() {
        Some(chosen) => {
            lines.push(format!(
                "Cheapest setting that meets {target}: {}.",
                named(chosen)
            ));
            lines.extend(evidence(recommendation, chosen));
        }
        None => {
            lines.push(format!("No setting meets {target}."));
            if let Some(closest) = recommendation.closest() {
                lines.push(format!(
                    "The fastest is {}: {}.",
                    named(closest),
                    closest.misses.join("; ")
                ));
            }
        }
    }
    match recommendation.cheaper() {
        Some(cheaper) => lines.push(format!(
            "The next cheaper, {}, does not: {}.",
            named(cheaper),
            cheaper.misses.join("; ")
        )),
        None if recommendation.chosen.is_some() => {
            lines.push("It is the cheapest of all that were measured.".to_owned());
        }
        None => {}
    }
    lines
}

fn evidence(recommendation: &Recommendation, chosen: &Judged) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(slowest) = chosen.slowest {
        let margin = recommendation.margin();
        let margin = margin.map_or(String::new(), |by| {
            format!(", {by:.1} times within the target")
        });
        lines.push(format!(
            "Its slowest recovery is the {} after {}: {} at the 95th percentile{margin}.",
            slowest.measure.name(),
            slowest.scenario,
            quantile(Some(slowest.p95)),
        ));
    }
    if chosen.least_n < ENOUGH && recommendation.target.rto_ms.is_some() {
        lines.push(format!(
            "That rests on {} recoveries in a cell: the 95th percentile of fewer than {ENOUGH} is the longest of them.",
            chosen.least_n
        ));
    }
    if chosen.lost_elsewhere && recommendation.target.rpo_s.is_some() {
        lines.push("Its loss was measured with the same durability at other intervals.".to_owned());
    }
    lines
}

pub fn named(one: &Judged) -> String {
    match one.settings.is_empty() {
        true => "the settings of the base".to_owned(),
        false => one.settings.clone(),
    }
}

pub fn target(target: Target) -> String {
    let rto = target
        .rto_ms
        .map(|ms| format!("RTO {}", table::duration(ms)));
    let rpo = target.rpo_s.map(|seconds| match seconds {
        0.0 => "RPO 0".to_owned(),
        seconds => format!("RPO {}", table::duration(seconds * 1e3)),
    });
    let parts: Vec<String> = rto.into_iter().chain(rpo).collect();
    parts.join(" and ")
}

pub fn quantile(quantile: Option<Quantile>) -> String {
    match quantile {
        None => "-".to_owned(),
        Some(one) if one.longer => format!("> {}", table::duration(one.ms)),
        Some(one) => table::duration(one.ms),
    }
}

/// Seconds, hours, days: whichever is short.
pub fn long(seconds: f64) -> String {
    match seconds {
        s if s >= 86_400.0 => format!("{:.3} d", s / 86_400.0),
        s if s >= 3_600.0 => format!("{:.3} h", s / 3_600.0),
        s if s >= 60.0 => format!("{:.1} min", s / 60.0),
        s => format!("{s:.2} s"),
    }
    .replace(".000", "")
}

/// `312 ms (298 ms to 330 ms)`.
pub fn mean(summary: &Summary) -> String {
    match (summary.mean_ms, summary.mean_low_ms, summary.mean_high_ms) {
        (Some(mean), Some(low), Some(high)) => format!(
            "{} ({} to {})",
            table::duration(mean),
            table::duration(low),
            table::duration(high)
        ),
        (Some(mean), _, _) => table::duration(mean),
        (None, _, _) if summary.censored > 0 => {
            format!("none: {} not seen to end", summary.censored)
        }
        (None, _, _) => "-".to_owned(),
    }
}

pub fn spread(spread: Option<Spread>, text: impl Fn(f64) -> String) -> String {
    match spread {
        None => "-".to_owned(),
        Some(Spread {
            mean,
            low: Some(low),
            high: Some(high),
        }) => format!("{} ({} to {})", text(mean), text(low), text(high)),
        Some(Spread { mean, .. }) => text(mean),
    }
}

pub fn rate(value: f64) -> String {
    format!("{}/s", table::count(value.round() as u64))
}

/// Whole ones: what a few runs tell is no finer.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

pub fn bytes(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |bytes| table::size(bytes.round() as u64))
}

/// `0 of 12,000 acknowledged in 20 runs`.
pub fn lost(loss: &Loss) -> String {
    if loss.runs == 0 {
        return "not measured".to_owned();
    }
    format!(
        "{} of {} acknowledged in {} runs",
        table::count(loss.lost),
        table::count(loss.acknowledged),
        loss.runs
    )
}

pub fn allowed(loss: &Loss) -> String {
    match (loss.scenario, loss.durability) {
        (Scenario::KillAll, _) => "nothing: a kill takes no power".to_owned(),
        (_, Some(Durability::Always)) => "nothing".to_owned(),
        (_, Some(Durability::WithinSeconds(seconds))) => {
            format!("the last {}", table::duration(seconds * 1e3))
        }
        (_, Some(Durability::Checkpointed)) => "all since the last checkpoint".to_owned(),
        (_, None) => "not said".to_owned(),
    }
}

pub fn verdict(loss: &Loss) -> String {
    match loss.verdict {
        Verdict::Nothing => format!(
            "{}; at most {} of runs lose something (95 %)",
            loss.verdict.words(),
            percent(loss.share_upper)
        ),
        other => other.words().to_owned(),
    }
}

pub fn fit(fit: &Fit) -> String {
    let r = |value: Option<f64>, cells: u64| match value {
        Some(r) => format!("R² {r:.3} over {cells} cells"),
        None => format!("too few cells to say ({cells})"),
    };
    format!(
        "Predicted against measured means: {}; where replaying is at least half: {}.{}",
        r(fit.r_squared, fit.cells),
        r(fit.replay_r_squared, fit.replay_cells),
        fit.residual_ms.map_or(String::new(), |ms| format!(
            " Measured minus predicted: {ms:+.0} ms on average."
        ))
    )
}

/// The figures that predictions are made of, with what they are.
pub fn calibration(findings: &Findings) -> Vec<(&'static str, String, u64)> {
    let calibration = &findings.calibration;
    let duration: fn(f64) -> String = table::duration;
    let size = |bytes: f64| table::size(bytes.round() as u64);
    let speed = |bytes: f64| format!("{}/s", table::size(bytes.round() as u64));
    let row = |name, measured: Option<Measured>, text: &dyn Fn(f64) -> String| {
        let text = measured.map_or("not measured".to_owned(), |one| {
            format!(
                "{} ({} to {})",
                text(one.mean),
                text(one.least),
                text(one.most)
            )
        });
        (name, text, measured.map_or(0, |one| one.n))
    };
    vec![
        row(
            "r: entries read and replayed in a second",
            calibration.replay_per_s,
            &rate,
        ),
        row(
            "r₁: the same of one server, while the others write on",
            calibration.replay_of_one_per_s,
            &rate,
        ),
        row(
            "B: bytes of checkpoints loaded in a second",
            calibration.load_per_s,
            &speed,
        ),
        row(
            "w: entries written in a second, without faults",
            calibration.write_per_s,
            &rate,
        ),
        row(
            "R: restart of one server besides loading and replaying",
            calibration.restart_ms,
            &duration,
        ),
        row(
            "E: restart of all until service, besides loading and replaying",
            calibration.cold_start_ms,
            &duration,
        ),
        row(
            "Failover: from the kill of a leader to service",
            calibration.failover_ms,
            &duration,
        ),
        row(
            "I: bytes of an image in a second, until caught up",
            calibration.install_per_s,
            &speed,
        ),
        row(
            "S: files that a restart reads",
            calibration.state_bytes,
            &size,
        ),
        row(
            "C: writing a checkpoint",
            calibration.checkpoint_ms,
            &duration,
        ),
    ]
}

pub fn settings(cost: &Costs, sweep: &Sweep) -> String {
    let cell = sweep.cell(cost.cell);
    let settings = cell.into_iter().flat_map(|cell| &cell.settings);
    let words: Vec<String> = settings
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    words.join(" ")
}
