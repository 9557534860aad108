//! What the names of checks and gates claim, in a sentence each: shown where the name stands.

/// Of a check under `checks` in `results.json`; none for a name that other tools brought.
pub(super) fn check(name: &str) -> Option<&'static str> {
    Some(match name {
        "linearizable" => {
            "All operations can be put into one order that agrees with every answer and in which each stands \
             between its call and its return."
        }
        "ledger" => {
            "Of the numbers 1, 2, 3, ... that each client appended to lists of its own, the final reads hold every \
             one that was acknowledged, in order and once, and none that nobody wrote."
        }
        "stats" => "Every kind of operation succeeded at least once.",
        "availability" => "Outside the faults and what they excuse, somebody was served.",
        "crashes" => "No server ended unless a fault ended it.",
        "log-patterns" => {
            "No server's log tells of a panic, a failed assertion or another thing that must never be written."
        }
        "history" => "The history was written to its end.",
        "bank" => "Every read of all accounts shows the same total.",
        "session" => "Each client sees its own writes, and time never runs backwards for it.",
        "sequential" => "There is one order of all operations that keeps every client's own.",
        "causal" => "Whoever sees an effect sees its causes.",
        "causal-reverse" => "No write is seen without those that were acknowledged before it.",
        "bounded-staleness" => "Reads may be old, but no older than the bound.",
        "counter-bounds" => "Each read lies between what was added and what may have been.",
        "long-fork" => "No two reads see the same two writes in opposite orders.",
        "monotonic" => "A number that only grows is never seen to shrink.",
        "set-full" => "Every element that was added is seen, and stays.",
        "total-queue" => "What was put in comes out, once.",
        "unique-ids" => "No id was given twice.",
        _ => return None,
    })
}

/// Of a gate under `gates`: what would be wrong with a run that does not pass it.
pub(super) fn gate(name: &str) -> Option<&'static str> {
    Some(match name {
        "enough-operations" => "A run that hardly did anything shows nothing.",
        "faults-injected" => "A run that was to be disturbed and was not shows only fair weather.",
        "every-fault-effective" => "A fault without proof may have broken nothing.",
        "every-fault-healed" => "What stays broken spoils everything that comes after it.",
        "lag-installs-snapshot" => {
            "A server that was held back is to need an image; otherwise the log had not been cut and that path was \
             not taken."
        }
        "checkers-ran" => "Silence is no verdict.",
        "probes-recorded" => "Without probes nothing is known of outages.",
        "recovery-observed" => "A recovery that nobody watched has no length.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn meanings_are_sentences_and_foreign_names_have_none() {
        for name in ["linearizable", "ledger", "crashes", "bank", "unique-ids"] {
            assert!(
                super::check(name).is_some_and(|text| text.ends_with('.')),
                "{name}"
            );
        }
        assert_eq!(super::check("elle"), None);
        assert_eq!(super::gate("elle"), None);
    }
}
