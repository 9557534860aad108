//! The pages of `shakedown serve`, as functions from data to HTML.
//!
//! [`row`] is what a list knows of a run, [`list`] shows many, [`run`] one; [`follow`] gathers what a run that
//! goes on has written so far and [`live`] shows it; [`comparison`] and [`trend`] look over several runs,
//! [`collections`] has sweeps and suites. Nothing here reads files, clocks or the network.
//!
//! Every page works without scripts. Style and scripts are files of their own ([`asset`]), so that the policy of
//! the pages can forbid everything inline.

pub mod collections;
pub mod comparison;
pub mod follow;
pub mod list;
pub mod live;
pub mod row;
pub mod run;
pub mod trend;

use crate::{explanation, plots, report};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The policy of every page made here: own style, own scripts, own pictures, nothing inline and nothing from
/// elsewhere.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The policy of pages that runs, sweeps and suites wrote. They bring their own, which names their script by its
/// hash; this one confines them besides: an origin of their own, no requests.
pub const POLICY_OF_REPORTS: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
    sandbox allow-scripts allow-top-navigation-by-user-activation";

/// A file of ours that pages load: its type and its text.
pub fn asset(name: &str) -> Option<(&'static str, String)> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    match name {
        "style.css" => Some(("text/css; charset=utf-8", style())),
        "keys.js" => Some((SCRIPT, include_str!("keys.js").to_owned())),
        "live.js" => Some((SCRIPT, include_str!("live.js").to_owned())),
        _ => None,
    }
}

fn style() -> String {
    let own = include_str!("style.css");
    [plots::STYLE, report::STYLE, explanation::STYLE, own].concat()
}

/// Where a page stands in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Runs,
    Trend,
    Collections,
    Elsewhere,
}

/// A page around its content.
pub(crate) fn page(title: &str, place: Place, content: Markup) -> String {
    with_head(title, place, html! {}, content)
}

pub(crate) fn with_head(title: &str, place: Place, more: Markup, content: Markup) -> String {
    let links = [
        ("Runs", "/", Place::Runs),
        ("Trend", "/trend", Place::Trend),
        ("Sweeps and suites", "/collections", Place::Collections),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - shakedown" }
                // An icon that is not there would be asked for again and again.
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/assets/style.css";
                script src="/assets/keys.js" defer {}
                (more)
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                div.bar { nav aria-label="Pages" {
                    strong { "shakedown" }
                    @for (name, target, there) in links {
                        a href=(target) aria-current=[(there == place).then_some("page")] { (name) }
                    }
                    span.hint { kbd { "?" } " keys" }
                } }
                main #content tabindex="-1" { (content) }
                dialog #keys aria-label="Keys" {
                    h2 { "Keys" }
                    dl.keys {
                        @for (key, what) in [
                            ("j, k", "next and previous run of the list"), ("Enter", "open the run"),
                            ("b, n", "tick the run as base, as new"), ("c", "compare what is ticked"),
                            ("/", "search"), ("?", "show or hide this"), ("Esc", "close, or leave the search"),
                        ] { div { dt { kbd { (key) } } dd { (what) } } }
                    }
                    form method="dialog" { button { "Close" } }
                }
                footer { p { "shakedown " (env!("CARGO_PKG_VERSION")) ", pages of this machine only." } }
            }
        }
    };
    page.into_string()
}

/// Why there is no such page.
pub fn refused(title: &str, why: &str) -> String {
    let content = html! {
        h1 { (title) }
        p.reason { (why) }
        p { a href="/" { "All runs" } }
    };
    page(title, Place::Elsewhere, content)
}

/// A value in an address, so that it stays one value.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                encoded.push(byte.into())
            }
            // Writing to a String can't fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

pub(crate) fn figure(picture: &plots::Picture) -> Markup {
    html! {
        figure {
            figcaption { (picture.title) }
            div.scroll tabindex="0" { (PreEscaped(picture.inline())) }
        }
    }
}

#[cfg(test)]
mod tests;
