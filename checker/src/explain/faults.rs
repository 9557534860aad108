//! Which faults were active while a few operations ran, from the nemesis events of the history.

use super::explanation::FaultSpan;
use crate::History;
use crate::history::NemesisEvent;
use serde_json::Value as Json;

/// Faults that are shown.
const SHOWN_MAX: usize = 6;

/// What a nemesis event does, by its name: our own files say `kill` and `heal-kill`, others `start-kill`
/// and `stop-kill`, or `start` and `stop`.
enum Deed<'a> {
    Begins(&'a str),
    Ends(&'a str),
    /// Tried, without effect.
    Fails,
}

fn deed(f: &str) -> Deed<'_> {
    for prefix in ["heal-", "stop-"] {
        if let Some(kind) = f.strip_prefix(prefix) {
            return Deed::Ends(kind);
        }
    }
    match f {
        "stop" | "heal" => Deed::Ends("fault"),
        "start" => Deed::Begins("fault"),
        _ if f.starts_with("failed-") => Deed::Fails,
        _ => Deed::Begins(f.strip_prefix("start-").unwrap_or(f)),
    }
}

/// The faults active between the first and the last of `moments`: the events that are drawn, each with
/// its index and its time. With how many more there were.
pub fn active(history: &History, moments: &[(u64, u64)]) -> (Vec<FaultSpan>, usize) {
    let (Some((first, _)), Some((last, _))) = (moments.first(), moments.last()) else {
        return (Vec::new(), 0);
    };
    let mut spans: Vec<(FaultSpan, u64, Option<u64>, Json)> = Vec::new();
    for event in &history.nemesis {
        match deed(&event.f) {
            Deed::Begins(kind) => {
                // Some tools record the order and then its completion.
                let again = spans.iter().any(|(span, _, end, id)| {
                    span.kind == kind && end.is_none() && *id == id_of(event)
                });
                if !again {
                    spans.push((begun(kind, event), event.index, None, id_of(event)));
                }
            }
            Deed::Ends(kind) => {
                let open = spans.iter_mut().rev().find(|(span, _, end, id)| {
                    span.kind == kind && end.is_none() && *id == id_of(event)
                });
                if let Some((span, _, end, _)) = open {
                    span.to = Some(event.time);
                    *end = Some(event.index);
                }
            }
            Deed::Fails => {}
        }
    }
    let place = |index: u64| moments.partition_point(|(other, _)| *other < index);
    let mut active: Vec<FaultSpan> = spans
        .into_iter()
        .filter(|(_, begin, end, _)| begin < last && end.is_none_or(|end| end > *first))
        .map(|(span, begin, end, _)| FaultSpan {
            from_at: place(begin),
            to_at: end.map_or(moments.len(), place),
            ..span
        })
        .collect();
    let more = active.len().saturating_sub(SHOWN_MAX);
    // The latest are the likely ones.
    active.drain(..more);
    (active, more)
}

fn id_of(event: &NemesisEvent) -> Json {
    event.value.get("fault").cloned().unwrap_or(Json::Null)
}

fn begun(kind: &str, event: &NemesisEvent) -> FaultSpan {
    let targets: Vec<&str> = event
        .value
        .get("targets")
        .and_then(Json::as_array)
        .map(|targets| targets.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    let mut name = kind.to_owned();
    if !targets.is_empty() {
        name.push(' ');
        name.push_str(&targets.join(" "));
    }
    FaultSpan {
        name,
        kind: kind.to_owned(),
        from: event.time,
        to: None,
        from_at: 0,
        to_at: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(index: u64, f: &str, fault: u32) -> NemesisEvent {
        NemesisEvent {
            index,
            time: index * 1_000,
            f: f.to_owned(),
            value: json!({"fault": fault, "targets": ["n1"]}),
        }
    }

    #[test]
    fn a_fault_is_shown_if_it_was_active_between_the_first_and_the_last_event() {
        let history = History {
            nemesis: vec![
                event(1, "kill", 1),
                event(3, "heal-kill", 1),
                event(4, "partition", 2),
                event(11, "heal-partition", 2),
                event(12, "pause", 3),
                event(13, "failed-lag", 4),
                event(40, "kill", 5),
            ],
            ..History::default()
        };
        let (spans, more) = active(&history, &[(10, 10_000), (15, 15_000), (20, 20_000)]);
        let told: Vec<(&str, usize, usize)> = spans
            .iter()
            .map(|span| (span.name.as_str(), span.from_at, span.to_at))
            .collect();
        assert_eq!(told, [("partition n1", 0, 1), ("pause n1", 1, 3)]);
        assert_eq!(more, 0);
    }
}
