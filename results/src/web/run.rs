//! The page of one run that has ended: what it came to, its pictures, its report, its files.

use super::row::{Row, State};
use super::{Place, encoded, page};
use crate::Results;
use crate::table::{count, duration, percent, size};
use maud::{Markup, html};

/// A file of a run that may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Below the folder of the run.
    pub name: String,
    pub bytes: u64,
}

/// The page. `results` of a run that was judged.
pub fn render(row: &Row, results: Option<&Results>, files: &[File]) -> String {
    let has = |name: &str| files.iter().any(|file| file.name == name);
    let content = html! {
        p.crumbs { a href="/" { "Runs" } " / " a href={ "/?name=" (encoded(&row.name)) } { (row.name) } " / " (leaf(&row.id)) }
        div.verdict { (row.state.badge()) h1 { (row.name) @if let Some(seed) = row.seed { " seed " (seed) } } }
        @match (&row.state, results) {
            (_, Some(results)) => (judged(row, results)),
            (State::Damaged(why), _) => {
                p.reason { "Its results can't be read: " (why) }
                p { "Judge it again, from the folder of the runs:" } p.repeat { code { "shakedown analyze " (row.id) } }
            }
            _ => {
                p.reason { "This run did not finish, and nothing writes it any more." }
                p { "What it recorded can still be judged, from the folder of the runs:" }
                p.repeat { code { "shakedown analyze " (row.id) } }
                p { a href={ "/live/" (row.id) } { "What it recorded until then" } }
            }
        }
        @if has("report.html") { (report(&row.id)) }
        (pictures(&row.id, files))
        (listing(&row.id, files))
    };
    page(
        &format!("{} {}", row.state.word(), row.id),
        Place::Runs,
        content,
    )
}

fn leaf(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn judged(row: &Row, results: &Results) -> Markup {
    let facts = [
        ("system", results.system.clone()),
        ("environment", results.run.environment.clone()),
        ("workload", results.workload.clone()),
        (
            "faults",
            match results.nemesis.is_empty() {
                true => "none".into(),
                false => results.nemesis.join(", "),
            },
        ),
        ("started, UTC", row.began()),
        ("load", format!("{:.0} s", results.load_seconds())),
        (
            "operations",
            format!(
                "{} ok, {} fail, {} unknown",
                count(results.ops.ok),
                count(results.ops.fail),
                count(results.ops.info)
            ),
        ),
    ];
    let rpo = match results.rpo.measured {
        true => format!("{} lost", count(results.rpo.lost)),
        false => "not measured".into(),
    };
    let tiles = [
        (
            "RTO, first success, median",
            results.restored(results.rto.all.first_success.p50_ms),
        ),
        ("RPO", rpo),
        (
            "Availability",
            results
                .availability
                .service
                .up_ratio
                .map_or("not measured".into(), percent),
        ),
        (
            "Latency, p99",
            results
                .latency
                .operations
                .get("all")
                .map_or("none".into(), |all| duration(all.p99_ms)),
        ),
    ];
    html! {
        p.reason { (results.reason) }
        dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
        @if !results.run.repeat.is_empty() { p.repeat { span { "Repeat with" } code { (results.run.repeat) } } }
        div.tiles { @for (name, value) in tiles { div.tile { div.name { (name) } div.value { (value) } } } }
        p { a href={ "/trend?name=" (encoded(&row.name)) } { "Trend of " (row.name) } }
    }
}

fn report(id: &str) -> Markup {
    html! {
        section #report {
            h2 { "Report" }
            p { a.button href={ "/files/" (id) "/report.html" } { "Open the report" } }
            details {
                summary { "Show it here" }
                iframe.report src={ "/files/" (id) "/report.html" } title="Report of the run" loading="lazy"
                    sandbox="allow-scripts allow-top-navigation-by-user-activation" {}
            }
        }
    }
}

/// The pictures over time; the report has all of them.
fn pictures(id: &str, files: &[File]) -> Markup {
    let names = [
        (
            "plots/faults.svg",
            "Leaders, faults and snapshots over time",
        ),
        ("plots/throughput.svg", "Operations per second over time"),
        ("plots/latency.svg", "Latency over time"),
    ];
    let there = names
        .iter()
        .filter(|(name, _)| files.iter().any(|file| file.name == *name));
    html! {
        @for (name, what) in there {
            div.scroll tabindex="0" { img.plot src={ "/files/" (id) "/" (name) } alt=(what) loading="lazy"; }
        }
    }
}

fn listing(id: &str, files: &[File]) -> Markup {
    html! {
        section #files {
            h2 { "Files" }
            @if files.is_empty() { p.lead { "The folder holds none of the files of a run." } }
            ul.files {
                @for file in files {
                    li { a href={ "/files/" (id) "/" (file.name) } { (file.name) } " " small { (size(file.bytes)) } }
                }
            }
        }
    }
}
