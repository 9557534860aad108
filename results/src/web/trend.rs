//! One measure over the runs of a name, in the order of time, with the moments at which its level changed.

use super::list::choice;
use super::row::{Row, State};
use super::{Place, figure, page};
use crate::compare::text::value;
use crate::metrics::{self, Metric};
use crate::plots::{self, Dot};
use crate::statistics::change::{ChangePoint, change_points};
use checker::Validity;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Of a series that does not change, one in a hundred shows a change.
const ALPHA: f64 = 0.01;
/// The test for changes looks at every pair: of longer series, the newest count.
const POINTS: usize = 500;
const DEFAULT: &str = "rto.first_success_p50";

/// The page. Without a name that is known, only the form.
pub fn render(rows: &[Row], name: &str, metric: &str) -> String {
    let metric = Metric::by_name(metric)
        .or_else(|| Metric::by_name(DEFAULT))
        .unwrap_or(&metrics::ALL[0]);
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let content = html! {
        h1 { "Trend" }
        form.filter method="get" action="/trend" {
            (choice("name", "Runs named", names, name))
            label { "Measure" select name="metric" {
                @for each in metrics::ALL { option value=(each.name) selected[each.name == metric.name] { (each.name) } }
            } }
            button { "Show" }
        }
        @if name.is_empty() { p.lead { "Choose the name of the runs." } }
        @else { (over(rows, name, metric)) }
    };
    page("Trend", Place::Trend, content)
}

fn over(rows: &[Row], name: &str, metric: &'static Metric) -> Markup {
    let at = metrics::ALL
        .iter()
        .position(|each| each.name == metric.name);
    let number = |row: &Row| *row.measured.as_ref()?.metrics.get(at?)?;
    let mut series: Vec<(&Row, f64)> = rows
        .iter()
        .filter(|row| row.name == name)
        .filter_map(|row| Some((row, number(row)?)))
        .collect();
    series.sort_by_cached_key(|(row, _)| row.moment());
    let earlier = series.len().saturating_sub(POINTS);
    let series = &series[earlier..];
    let values: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
    let changes = change_points(&values, ALPHA, 1);
    let dots: Vec<Dot> = series.iter().map(|(row, value)| dot(row, *value)).collect();
    let shown = |number: f64| value(number, metric.unit);
    let title = format!("{} of {name}, run after run", metric.name);
    html! {
        p.lead { (metric.help) "." }
        @if series.is_empty() { p.reason { "No run named " (name) " has this measure." } }
        @else {
            @if earlier > 0 { p.lead { "The newest " (POINTS) " runs; " (earlier) " earlier ones are left out." } }
            (figure(&plots::progression(&title, &dots, &changes, &shown)))
            (found(series, &changes, &shown))
            div.scroll.tall { table.fit {
                thead { tr { th { "started, UTC" } th { "run" } th { "verdict" } th.n { (metric.name) } } }
                tbody { @for (row, number) in series.iter().rev() {
                    tr data-run {
                        td { (row.began()) } td { a href={ "/run/" (row.id) } { (row.id) } }
                        td { (row.state.badge()) } td.n { (shown(*number)) }
                    }
                } }
            } }
        }
    }
}

fn dot(row: &Row, value: f64) -> Dot {
    Dot {
        value,
        label: row.began().get(..16).unwrap_or("-").to_owned(),
        bad: row.state == State::Judged(Validity::Invalid),
    }
}

fn found(series: &[(&Row, f64)], changes: &[ChangePoint], shown: &dyn Fn(f64) -> String) -> Markup {
    html! {
        @if changes.is_empty() {
            p { "No change of level: the order of the runs says nothing that chance would not say." }
        } @else {
            ul { @for change in changes {
                li {
                    "From " (shown(change.before)) " to " (shown(change.after)) " (medians) with "
                    a href={ "/run/" (series[change.at].0.id) } { (series[change.at].0.id) }
                    ", p " (format!("{:.3}", change.p))
                }
            } }
        }
    }
}
