//! The list of runs: newest first, filtered by plain form fields, a hundred to a page.

use super::row::{Row, State};
use super::{Place, encoded, page};
use crate::table::{count, duration};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Rows of one page.
pub const ROWS: usize = 100;

/// What a reader wants to see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Words, all of which a run must mention.
    pub search: String,
    pub verdict: String,
    pub system: String,
    pub name: String,
    /// From 1.
    pub page: usize,
}

impl Filter {
    /// From the fields of the form. What is not known is ignored, as a stale bookmark may have it.
    pub fn of(fields: &[(String, String)]) -> Self {
        let field = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value.trim().to_owned())
        };
        Self {
            search: field("q").unwrap_or_default(),
            verdict: field("verdict").unwrap_or_default(),
            system: field("system").unwrap_or_default(),
            name: field("name").unwrap_or_default(),
            page: field("page")
                .and_then(|page| page.parse().ok())
                .unwrap_or(1)
                .max(1),
        }
    }

    fn is_set(&self) -> bool {
        [&self.search, &self.verdict, &self.system, &self.name]
            .iter()
            .any(|field| !field.is_empty())
    }

    fn lets(&self, row: &Row) -> bool {
        let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        is(&self.verdict, row.state.word())
            && is(&self.system, &row.system)
            && is(&self.name, &row.name)
            && self
                .search
                .split_whitespace()
                .all(|word| row.mentions(&word.to_lowercase()))
    }

    fn address(&self, page: usize) -> String {
        let fields = [
            ("q", &self.search),
            ("verdict", &self.verdict),
            ("system", &self.system),
            ("name", &self.name),
        ];
        let mut address = format!("/?page={page}");
        for (field, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            address += &format!("&{field}={}", encoded(value));
        }
        address
    }
}

/// The page. `rows` in any order; `store` names the folder.
pub fn render(rows: &[Row], filter: &Filter, store: &str) -> String {
    let mut shown: Vec<&Row> = rows.iter().filter(|row| filter.lets(row)).collect();
    shown.sort_by_cached_key(|row| std::cmp::Reverse(row.moment()));
    let pages = shown.len().div_ceil(ROWS).max(1);
    let number = filter.page.min(pages);
    let here = &shown[(number - 1) * ROWS..(number * ROWS).min(shown.len())];
    let content = html! {
        h1 { "Runs" }
        @if rows.is_empty() {
            p.reason { "No runs yet in " code { (store) } "." }
            p { "Make one with " code { "shakedown test --runs " (store) } " and load this page again." }
        } @else {
            (form(rows, filter))
            p.lead role="status" {
                @if filter.is_set() { (count(shown.len() as u64)) " of " (count(rows.len() as u64)) " runs" }
                @else { (count(rows.len() as u64)) @if rows.len() == 1 { " run" } @else { " runs" } }
                @if pages > 1 { ", page " (number) " of " (pages) }
            }
            @if here.is_empty() { p { "No run is like that. " a href="/" { "Show all" } } }
            @else { (table(here)) (turn(filter, number, pages)) }
        }
    };
    page("Runs", Place::Runs, content)
}

fn form(rows: &[Row], filter: &Filter) -> Markup {
    let different = |of: fn(&Row) -> &str| -> BTreeSet<&str> {
        rows.iter()
            .map(of)
            .filter(|text| !text.is_empty())
            .collect()
    };
    html! {
        form.filter method="get" action="/" role="search" {
            label { "Search" input #search type="search" name="q" value=(filter.search) placeholder="name, seed, fault ..."; }
            (choice("verdict", "Verdict", State::WORDS, &filter.verdict))
            (choice("system", "System", different(|row| &row.system), &filter.system))
            (choice("name", "Name", different(|row| &row.name), &filter.name))
            button { "Show" }
            @if filter.is_set() { a href="/" { "Clear" } }
        }
    }
}

/// A field of a form with the values that there are.
pub(super) fn choice<'a>(
    field: &str,
    label: &str,
    values: impl IntoIterator<Item = &'a str>,
    chosen: &str,
) -> Markup {
    html! {
        label { (label) select name=(field) {
            option value="" { "all" }
            @for value in values { option value=(value) selected[value == chosen] { (value) } }
        } }
    }
}

fn table(rows: &[&Row]) -> Markup {
    html! {
        form #compare method="get" action="/compare" {
            div.scroll { table.runs {
                thead { tr {
                    th title="base of a comparison" { "base" } th title="new in a comparison" { "new" }
                    th { "verdict" } th { "run" } th { "started, UTC" } th { "system" } th { "environment" }
                    th { "faults" } th.n { "effective" } th.n { "RTO" } th.n { "RPO" } th.n { "load" }
                } }
                tbody { @for row in rows { (line(row)) } }
            } }
            p.actions {
                button { "Compare base with new" }
                span.lead { " Tick at least one run of each; a comparison of several runs says more." }
            }
        }
    }
}

fn line(row: &Row) -> Markup {
    let whole = matches!(row.state, State::Judged(_));
    let tick = |side: &str| {
        html! {
            @if whole { label.tick {
                span.side aria-hidden="true" { (side) }
                input type="checkbox" name=(side) value=(row.id) aria-label={ (row.id) " as " (side) };
            } }
        }
    };
    let figures = row.measured.as_ref();
    html! {
        tr data-run {
            td { (tick("base")) }
            td { (tick("new")) }
            td { (row.state.badge()) }
            td.title { a href={ "/run/" (row.id) } { (row.name) } @if let Some(seed) = row.seed { small { " seed " (seed) } } }
            td { (row.began()) }
            td data-name="system" { (row.system) }
            td data-name="environment" { (row.environment) }
            td data-name="faults" { @if row.nemesis.is_empty() { "none" } @else { (row.nemesis.join(", ")) } }
            td.n data-name="effective" { @if let Some(m) = figures { (m.faults_effective) " of " (m.faults) } @else { "-" } }
            td.n data-name="RTO" { @if let Some(m) = figures { (m.rto) } @else { "-" } }
            td.n data-name="RPO" { @match figures.and_then(|m| m.rpo_lost) {
                Some(0) => "0 lost", Some(lost) => strong.text-invalid { (count(lost)) " lost" }, None => "-",
            } }
            td.n data-name="load" { @if let Some(m) = figures { (duration(m.load_seconds.round() * 1e3)) } @else { "-" } }
        }
    }
}

fn turn(filter: &Filter, number: usize, pages: usize) -> Markup {
    html! {
        @if pages > 1 {
            nav.pages aria-label="Pages of the list" {
                @if number > 1 { a rel="prev" href=(filter.address(number - 1)) { "Newer" } }
                span { "page " (number) " of " (pages) }
                @if number < pages { a rel="next" href=(filter.address(number + 1)) { "Older" } }
            }
        }
    }
}
