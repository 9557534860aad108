//! A run that goes on: how far it is, what happened so far, its charts as they grow. The script of the page fetches
//! the same page and takes over what changed; without it the page loads itself anew.

use super::follow::Follow;
use super::row::{Row, State};
use super::{Place, encoded, figure, with_head};
use crate::plots;
use crate::table::count;
use checker::history::faults::{FaultRecord, Step};
use maud::{Markup, html};

/// Faults that are shown, the newest first.
const FAULTS_MAX: usize = 50;

/// What is known of a run beside what it wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// Of the main phase, as asked for; 0: not known.
    pub planned_seconds: f64,
    /// What it does now, in a word or two.
    pub phase: String,
    /// Bytes of the history, and how many of them were read.
    pub bytes: u64,
    pub bytes_read: u64,
}

/// The page, for as long as the run is live and after.
pub fn render(row: &Row, follow: &Follow, circumstances: &Circumstances) -> String {
    let live = row.state == State::Live;
    let more = html! {
        @if live {
            noscript { meta http-equiv="refresh" content="3"; }
            script src="/assets/live.js" defer {}
        }
    };
    let content = html! {
        p.crumbs { a href="/" { "Runs" } " / " a href={ "/?name=" (encoded(&row.name)) } { (row.name) } " / " (row.id) }
        (fragment(row, follow, circumstances))
    };
    with_head(
        &format!("{} {}", row.state.word(), row.name),
        Place::Runs,
        more,
        content,
    )
}

/// What changes while the run goes on.
fn fragment(row: &Row, follow: &Follow, known: &Circumstances) -> Markup {
    let elapsed = follow.newest as f64 / 1e9;
    let live = row.state == State::Live;
    html! {
        div #live data-state=(row.state.word()) {
            div.verdict { (row.state.badge()) h1 { (row.name) @if let Some(seed) = row.seed { " seed " (seed) } } }
            p.reason role="status" { (said(row, known)) }
            @if !live { p { a.button href={ "/run/" (row.id) } { "The run and its report" } } }
            @if known.planned_seconds > 0.0 {
                div.progress {
                    progress max=(known.planned_seconds) value=(elapsed.min(known.planned_seconds))
                        aria-label="Time under load" {}
                    span { (format!("{elapsed:.0} s of {:.0} s under load", known.planned_seconds)) }
                }
            }
            dl.facts {
                @for (name, value) in [
                    ("ok", count(follow.ok)), ("fail", count(follow.fail)), ("unknown", count(follow.unknown)),
                    ("ok a second, just now", format!("{:.0}", follow.rate())), ("system", row.system.clone()),
                    ("environment", row.environment.clone()), ("workload", row.workload.clone()),
                ] { div { dt { (name) } dd { (value) } } }
            }
            @if known.bytes_read < known.bytes {
                p.lead { "Read so far: " (format!("{:.0} %", known.bytes_read as f64 / known.bytes as f64 * 100.0)) " of the history." }
            }
            (charts(follow))
            (faults(follow))
            @if live { noscript { p { "This page loads itself anew every three seconds. " a href="" { "Now" } } } }
        }
    }
}

fn said(row: &Row, known: &Circumstances) -> String {
    match &row.state {
        State::Live => format!("The run goes on: {}.", known.phase),
        State::Interrupted => {
            "The run was interrupted: it has no results, and nothing writes it any more.".into()
        }
        State::Damaged(why) => format!("The run ended, but its results can't be read: {why}"),
        State::Judged(valid) => format!("The run ended: {valid}."),
    }
}

fn charts(follow: &Follow) -> Markup {
    html! {
        @if follow.ok + follow.fail + follow.unknown == 0 { p.lead { "No operation has ended yet." } }
        @else { @for picture in plots::growing(&follow.series(), &follow.faults) { (figure(&picture)) } }
    }
}

fn faults(follow: &Follow) -> Markup {
    let begun: Vec<&FaultRecord> = follow
        .faults
        .iter()
        .filter(|record| record.step == Step::Intend)
        .collect();
    html! {
        section #faults {
            h2 { "Faults so far" }
            @if begun.is_empty() { p.lead { "None." } }
            @else {
                @if begun.len() > FAULTS_MAX { p.lead { "The newest " (FAULTS_MAX) " of " (begun.len()) "." } }
                div.scroll { table.fit {
                    thead { tr { th.n { "no." } th { "fault" } th { "nodes" } th.n { "begun" } th.n { "effective" } th.n { "healed" } th { "" } } }
                    tbody { @for fault in begun.iter().rev().take(FAULTS_MAX) { (life(fault, &follow.faults)) } }
                } }
            }
        }
    }
}

fn life(begun: &FaultRecord, all: &[FaultRecord]) -> Markup {
    let step = |step: Step| {
        all.iter()
            .find(|record| record.fault == begun.fault && record.step == step)
    };
    let at =
        |record: Option<&FaultRecord>| record.map_or("-".to_owned(), |record| seconds(record.time));
    let (effective, healed, failed) = (
        step(Step::Effective),
        step(Step::Healed),
        step(Step::Failed),
    );
    html! {
        tr {
            td.n { (begun.fault) } td { (begun.kind) @if !begun.variant.is_empty() { " " (begun.variant) } }
            td { (begun.targets.join(" ")) } td.n { (seconds(begun.time)) }
            td.n { (at(effective)) } td.n { (at(healed)) }
            td { @match failed {
                Some(record) => { "failed: " (record.error.as_deref().unwrap_or("no reason given")) }
                None if effective.is_some() && healed.is_none() => strong { "active" },
                None => "",
            } }
        }
    }
}

fn seconds(nanoseconds: u64) -> String {
    format!("{:.2} s", nanoseconds as f64 / 1e9)
}
