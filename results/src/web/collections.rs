//! Folders that hold many runs and say something of them together: sweeps, suites and comparisons of builds.

use super::{Place, encoded, page};
use maud::{Markup, html};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sweep,
    Suite,
    Comparison,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Collection {
    /// Its folder below the store.
    pub id: String,
    pub kind: Kind,
    /// The page that it has by now.
    pub report: Option<&'static str>,
    pub runs: usize,
    /// UTC, to the second.
    pub changed: String,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Sweep => "sweep",
            Kind::Suite => "suite",
            Kind::Comparison => "comparison",
        }
    }
}

/// All of them, the one that changed last first.
pub fn render(collections: &[Collection]) -> String {
    let mut shown: Vec<&Collection> = collections.iter().collect();
    shown.sort_by(|a, b| (&b.changed, &b.id).cmp(&(&a.changed, &a.id)));
    let content = html! {
        h1 { "Sweeps and suites" }
        @if shown.is_empty() {
            p.reason { "None yet." }
            p { "Make one with " code { "shakedown sweep" } " or " code { "shakedown suite" } "." }
        } @else {
            div.scroll { table.fit {
                thead { tr { th { "kind" } th { "folder" } th.n { "runs" } th { "changed, UTC" } th { "report" } } }
                tbody { @for collection in shown {
                    tr data-run {
                        td { (collection.kind.word()) }
                        td { a href={ "/collection/" (collection.id) } { (collection.id) } }
                        td.n { (collection.runs) }
                        td { (collection.changed) }
                        td { @if collection.report.is_some() { "yes" } @else { "not yet" } }
                    }
                } }
            } }
        }
    };
    page("Sweeps and suites", Place::Collections, content)
}

/// One of them, with its report in place.
pub fn one(collection: &Collection) -> String {
    let content = html! {
        p.crumbs { a href="/collections" { "Sweeps and suites" } " / " (collection.id) }
        h1 { (collection.kind.word()) " " (collection.id) }
        p { a href={ "/?q=" (encoded(&format!("{}/", collection.id))) } { (collection.runs) " runs" } }
        (framed(collection))
    };
    page(
        &format!("{} {}", collection.kind.word(), collection.id),
        Place::Collections,
        content,
    )
}

fn framed(collection: &Collection) -> Markup {
    html! {
        @match collection.report {
            None => p.reason { "It has no report yet: it goes on, or was interrupted." },
            Some(report) => {
                p { a.button href={ "/files/" (collection.id) "/" (report) } { "Open the report" } }
                iframe.report src={ "/files/" (collection.id) "/" (report) } title="Its report"
                    sandbox="allow-scripts allow-top-navigation-by-user-activation" {}
            }
        }
    }
}
