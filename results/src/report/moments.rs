//! The timeline of one fault in words: the same as its picture, to copy, and for who cannot see it.

use crate::measure::{FaultSummary, Milestone};
use crate::table::duration;
use maud::{Markup, html};

pub(super) fn table(fault: &FaultSummary) -> Markup {
    let timeline = fault.rto.as_ref().map(|rto| rto.timeline.as_slice());
    html! {
        @if let Some(timeline) = timeline.filter(|timeline| !timeline.is_empty()) {
            details {
                summary { "These moments in words, and what they mean" }
                div.scroll { table.moments {
                    thead { tr { th { "moment" } th.n { "after t0" } th.n { "known to" } th { "what it is" } } }
                    tbody { @for milestone in timeline { (row(milestone)) } }
                } }
            }
        }
    }
}

fn row(milestone: &Milestone) -> Markup {
    html! {
        tr.faint[milestone.at_ms.is_none()] {
            td { (milestone.moment.name()) }
            td.n { (milestone.written()) }
            td.n { @if milestone.resolution_ms > 0.0 { (duration(milestone.resolution_ms)) } @else { "exact" } }
            td.prose {
                (milestone.moment.meaning()) "."
                @if let Some(reason) = &milestone.reason { " " strong { "Here: " (reason) "." } }
            }
        }
    }
}
