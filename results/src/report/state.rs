//! How state moved and was kept: by what the servers that were away came back, and what checkpoints cost.

use super::{ROWS_MAX, shared};
use crate::measure::{By, CheckpointFigures, FaultSummary, Results, Return};
use crate::plots::Plots;
use crate::table::{amplification, count, micros, ratio, size};
use maud::{Markup, html};

pub(super) fn section(results: &Results, plots: &Plots) -> Markup {
    html! {
        section #state {
            h2 { "Snapshots and checkpoints" }
            (returns(results))
            (checkpoints(results, plots))
        }
    }
}

fn returns(results: &Results) -> Markup {
    let rows: Vec<(&FaultSummary, &Return)> = results
        .faults
        .iter()
        .flat_map(|fault| fault.returns.iter().map(move |way| (fault, way)))
        .collect();
    html! {
        h3 { "How servers came back" }
        @if rows.is_empty() {
            p.lead { "No server was held away for long, and none received an image." }
        } @else {
            p.lead {
                "A server that was away gets what it missed from the log; when the log no longer reaches back to \
                 it, from an image: a delta, with the pages changed since a checkpoint of its own (the base), or all."
            }
            div.scroll.tall[rows.len() > ROWS_MAX] { table {
                thead { tr {
                    th.n { "#" } th { "fault" } th { "server" } th { "by" } th.n { "on the wire" }
                    th.n { "in full" } th.n { "ratio" } th.n { "caught up" } th.n { "base index" } th.n { "images" }
                } }
                tbody { @for (fault, way) in rows { (row(results, fault, way)) } }
            } }
        }
    }
}

fn row(results: &Results, fault: &FaultSummary, way: &Return) -> Markup {
    let told = |bytes: u64| match bytes {
        0 => "-".to_owned(),
        bytes => size(bytes),
    };
    html! {
        tr.faint[way.by == By::Log] {
            td.n { a href={ "#fault-" (fault.id) } { (fault.id) } }
            td { (fault.title()) } td { (way.node) }
            td { @if way.by == By::Log { "log" } @else { strong { (way.by.name()) } } }
            td.n { (told(way.bytes)) } td.n { (told(way.full_bytes)) } td.n { (ratio(way.ratio)) }
            td.n { (results.sampled(fault.rto.as_ref().and_then(|rto| rto.rejoin_ms))) }
            td.n { @match way.base { Some(base) => (count(base)), None => "-" } }
            td.n { (way.images) }
        }
    }
}

fn checkpoints(results: &Results, plots: &Plots) -> Markup {
    let found = &results.checkpoints;
    html! {
        h3 { "Checkpoints" }
        @if !found.measured {
            p.lead { "No server told of the checkpoints that it wrote." }
        } @else {
            p.lead {
                "What was written for what had changed, the files that a restart would have read, and the longest \
                 time for which taking a checkpoint stopped a server."
            }
            @if let Some(picture) = &plots.chains { (shared(picture)) }
            div.scroll { table {
                thead { tr {
                    th { "server" } th.n { "write amplification" } th.n { "longest chain" } th.n { "at the end" }
                    th.n { "longest pause" } th.n { "checkpoints" } th.n { "written" } th.n { "changed" }
                } }
                tbody {
                    @for (node, figures) in &found.by_node { (figures_row(node, figures)) }
                    @if found.by_node.len() > 1 { (figures_row("all", &found.all)) }
                }
            } }
        }
    }
}

fn figures_row(name: &str, figures: &CheckpointFigures) -> Markup {
    html! {
        tr {
            td { (name) } td.n { (amplification(figures.write_amplification)) }
            td.n { (figures.chain_longest) } td.n { (figures.chain_last) }
            td.n { (micros(figures.longest_pause_us)) } td.n { (count(figures.written)) }
            td.n { (size(figures.bytes_written)) } td.n { (size(figures.bytes_changed)) }
        }
    }
}
