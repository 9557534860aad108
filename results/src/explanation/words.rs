//! What stands around the pictures: titles, the legal order step by step, the evidence, how to read it.

use checker::explain::words::moment;
use checker::explain::{Anomaly, Explanation, Place, Witness};
use maud::{Markup, html};

const STATES_MAX: usize = 6;
/// Characters of a state that are told.
const STATE_MAX: usize = 60;
/// Of a long order only the last steps are told.
const STEPS_MAX: usize = 14;

pub(super) fn lanes_title(explanation: &Explanation) -> String {
    let drawn = explanation.operations.iter();
    let beside = drawn.filter(|one| one.beside).count();
    let core = explanation.operations.len() - beside;
    let mut title = match (core, explanation.core.operations) {
        (1, 0) => "One operation that the verdict names".to_owned(),
        (n, 0) => format!("{n} operations that the verdict names"),
        (1, 1) => "One operation that is wrong by itself".to_owned(),
        (n, all) if n == all => format!("{n} operations that are wrong by themselves"),
        (n, all) => format!("{n} of {all} operations that are wrong by themselves"),
    };
    if beside > 0 {
        title.push_str(&format!(
            ", and {beside} more that the verdict names (grey)"
        ));
    }
    if !explanation.object.is_empty() {
        title.push_str(&format!("; {}", explanation.object));
    }
    title
}

pub(super) fn anomaly_title(anomaly: &Anomaly) -> String {
    let meaning = meaning(&anomaly.name);
    let colon = if meaning.is_empty() { "" } else { ": " };
    format!("{}{colon}{meaning}", anomaly.name)
}

/// What an anomaly is, for who meets its name for the first time.
fn meaning(name: &str) -> &'static str {
    let plain = name
        .trim_end_matches("-process")
        .trim_end_matches("-realtime");
    match plain {
        "G0" => "transactions overwrote one another in a circle",
        "G1c" => "transactions saw or overwrote one another in a circle",
        "G-single" => {
            "a transaction saw part of what others did, and missed what came before that part"
        }
        "G-nonadjacent" => {
            "transactions missed one another's writes, in a circle that snapshots do not allow"
        }
        "G2-item" | "G2" => {
            "transactions did not see one another's writes, though one had to come first"
        }
        "G1a" => "something was read that had been rolled back",
        "G1b" => "something was read that was only an intermediate step",
        "internal" => "a transaction contradicts itself",
        "garbage-read" => "something was read that nobody wrote",
        "duplicate-elements" => "an element is there twice",
        "incompatible-order" => "two reads saw different orders",
        "lost-update" => "two transactions replaced the same version, and one of them is lost",
        "dirty-update" => "something was built upon what had been rolled back",
        "future-read" => "a transaction read what it wrote only later",
        _ => "",
    }
}

/// The longest legal order as a table, the operation that can't follow in its place.
pub(super) fn order(explanation: &Explanation, place: &Place) -> Markup {
    let first = place.before.saturating_sub(STEPS_MAX);
    let label = |operation: usize| {
        let one = &explanation.operations[operation];
        format!("process {}: {}", one.process, one.label)
    };
    let after = place.order.iter().enumerate().skip(place.before);
    html! {
        div.scroll { table.order {
            thead { tr { th.n { "#" } th { "the longest legal order of these operations" } th { "state after it" } } }
            tbody {
                @if first > 0 { tr.faint { td {} td { (first + place.hidden) " operations before" } td {} } }
                @else if place.hidden > 0 {
                    tr.faint { td {} td { (place.hidden) " operations before" } td { (shortened(&place.initial)) } }
                } @else { tr.faint { td {} td { "at first" } td { (shortened(&place.initial)) } } }
                @for (at, taken) in place.order.iter().enumerate().take(place.before).skip(first) {
                    tr { td.n { (at + 1) } td { (label(taken.operation)) } td { (shortened(&taken.after)) } }
                }
                tr.wrong { td.n { "✗" } td { (label(place.stuck)) } td { "impossible: " (found(place)) } }
                @for (at, taken) in after.take(STEPS_MAX) {
                    tr { td.n { (at + 1) } td { (label(taken.operation)) } td { (shortened(&taken.after)) } }
                }
            }
        } }
    }
}

/// What the operation that can't follow could have found.
pub(super) fn found(place: &Place) -> String {
    let only = if place.complete {
        "can only be"
    } else {
        "may be, among others,"
    };
    let fits = match place.fitting.as_slice() {
        [] => String::new(),
        fitting => format!(
            "it fits where the state is {}, but then the others can't follow",
            either(fitting)
        ),
    };
    match place.states.as_slice() {
        [] if fits.is_empty() => "no order of the others leaves a place for it".to_owned(),
        [] => fits,
        states if fits.is_empty() => format!("the state there {only} {}", either(states)),
        states => format!("the state there {only} {}; {fits}", either(states)),
    }
}

fn either(states: &[String]) -> String {
    let shown: Vec<String> = states
        .iter()
        .take(STATES_MAX)
        .map(|state| shortened(state))
        .collect();
    match states.len() - shown.len() {
        0 => shown.join(" or "),
        more => format!("{} or one of {more} more", shown.join(" or ")),
    }
}

/// A long state by its beginning and its end.
fn shortened(state: &str) -> String {
    let chars: Vec<char> = state.chars().collect();
    if chars.len() <= STATE_MAX {
        return state.to_owned();
    }
    let begin: String = chars[..STATE_MAX / 2].iter().collect();
    let end: String = chars[chars.len() - STATE_MAX / 2..].iter().collect();
    format!("{begin} … {end}")
}

/// How small, how certain, and under which faults.
pub(super) fn evidence(explanation: &Explanation) -> Vec<String> {
    let core = &explanation.core;
    let mut lines = Vec::new();
    if core.operations > 0 {
        let of = format!(
            "{} of the history's {} operations {} wrong by {}",
            crate::table::count(core.operations as u64),
            crate::table::count(core.of as u64),
            if core.operations == 1 { "is" } else { "are" },
            if core.operations == 1 {
                "itself"
            } else {
                "themselves"
            }
        );
        lines.push(match core.minimal {
            true if core.operations == 1 => format!("{of}."),
            true => format!(
                "{of}: leave out any one, with those that depend on it, and the rest is legal."
            ),
            false => format!("{of}; there may be a smaller part."),
        });
    }
    lines.extend(
        core.remarks
            .iter()
            .map(|remark| capital(&format!("{remark}."))),
    );
    if explanation.anomalies.is_empty() {
        lines.push(witness(&explanation.witness));
    }
    for fault in &explanation.faults {
        let until = match fault.to {
            Some(to) => format!("until {}", moment(to)),
            None => "and was not healed".to_owned(),
        };
        lines.push(format!(
            "Fault meanwhile: {}, from {} {until}.",
            fault.name,
            moment(fault.from)
        ));
    }
    lines
}

pub(super) fn witness(witness: &Witness) -> String {
    match witness.confirmed {
        true if witness.independent => format!("Checked again by other means: {}.", witness.text),
        true => format!("Judged once more: {}.", witness.text),
        false => format!("Not confirmed by a second look: {}.", witness.text),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// What the kinds of dependency mean.
pub(super) fn dependencies(explanation: &Explanation) -> Markup {
    let used = |kind: &str| {
        let mut steps = explanation.anomalies.iter().flat_map(|one| &one.steps);
        steps.any(|step| step.edge.as_deref() == Some(kind))
    };
    let kinds = [
        ("ww", "the second wrote over what the first wrote"),
        ("wr", "the second read what the first wrote"),
        (
            "rw",
            "the first read what the second wrote over: so it came before",
        ),
        ("process", "one client did the first, then the second"),
        (
            "realtime",
            "the first was answered before the second was asked",
        ),
    ];
    html! {
        @if kinds.iter().any(|(kind, _)| used(kind)) {
            p.note {
                "Each arrow leads from a transaction to one that must come after it. "
                @for (kind, meaning) in kinds.iter().filter(|(kind, _)| used(kind)) {
                    strong { (kind) } ": " (meaning) ". "
                }
                "A circle can't be put in an order."
            }
        }
    }
}

pub(super) fn how_to_read(explanation: &Explanation) -> Markup {
    html! {
        dl.words {
            @if !explanation.operations.is_empty() {
                dt { "Lanes" }
                dd { "One for each process (client). A bar lasts from the request to the answer: the operation took effect somewhere in between. Distances follow the order of events and not a scale of time." }
                dt { "Bars" }
                dd { "Solid: succeeded. Dashed and open to the right: outcome unknown, it may have happened at any time after its request, or never. Dotted: failed, so it did not happen. Red: by this answer the history became illegal." }
            }
            @if explanation.place.is_some() {
                dt { "Numbers" }
                dd { "A longest order in which all the other operations can have taken effect. The strip below tells the state after each." }
                dt { "✗" }
                dd { "Where the red operation would have to stand. What it found is not what the state can have been there, in this or any other order." }
            }
            @if !explanation.faults.is_empty() {
                dt { "Bands" }
                dd { "Faults, from the moment that each took effect until it was healed." }
            }
            @if !explanation.anomalies.is_empty() {
                dt { "Boxes and arrows" }
                dd { "A box is a transaction, with what it read. Each arrow says why the next one must come later; together they lead back to where they began." }
            }
        }
    }
}
