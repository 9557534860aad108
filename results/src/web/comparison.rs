//! A comparison of ticked runs, among the other pages.

use super::{Place, page};
use crate::compare::{self, Comparison};
use maud::html;

pub fn render(comparison: &Comparison) -> String {
    let content = html! {
        p.crumbs { a href="/" { "Runs" } " / comparison" }
        (compare::page::head(comparison))
        (compare::page::sections(comparison))
    };
    page(
        &format!("{} against {}", comparison.new, comparison.base),
        Place::Runs,
        content,
    )
}
