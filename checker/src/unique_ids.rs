//! Unique ids: no id that a [`generate`](Op::Generate) gave was given twice for one key.
//!
//! Ids of unknown outcome were never seen, so they never matter. The order of ids is not judged; see
//! [`Monotonic`](crate::monotonic::Monotonic) for values that must grow.

use crate::findings::{Case, Findings, examine, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Op, Ret, Value};
use serde_json::json;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Judges the `generate` operations of a history, in linear time.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueIds;

impl Checker for UniqueIds {
    fn name(&self) -> &'static str {
        "unique-ids"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            let mut findings = Findings::of(&[("duplicated", "ids were given again")]);
            let mut given: HashMap<(&Key, &Value), &Operation<'_>> = HashMap::new();
            let mut ranges: BTreeMap<&Key, (&Value, &Value)> = BTreeMap::new();
            let (mut asked, mut got) = (0u64, 0u64);
            for operation in operations {
                limits.spend(1)?;
                let Op::Generate { key } = operation.op() else {
                    continue;
                };
                asked += 1;
                let Some(Ret::Value(id)) = operation.ret() else {
                    continue;
                };
                got += 1;
                let range = ranges.entry(key).or_insert((id, id));
                *range = (range.0.min(id), range.1.max(id));
                match given.entry((key, id)) {
                    Entry::Vacant(entry) => {
                        entry.insert(operation);
                    }
                    Entry::Occupied(entry) => findings.add("duplicated", || {
                        let first = *entry.get();
                        Case::new(
                            format!(
                                "id {id} of key {key} was given twice: to {} and to {}",
                                who(first),
                                who(operation)
                            ),
                            [first, operation],
                        )
                    }),
                }
            }
            let ranges: Vec<_> = ranges
                .iter()
                .map(|(key, (low, high))| json!({"key": key, "lowest": low, "highest": high}))
                .collect();
            let verdict = findings.verdict(|| match got {
                0 => Verdict::unknown("no id was given"),
                _ => Verdict::valid(),
            });
            Ok(verdict
                .with("asked", asked)
                .with("given", got)
                .with("ranges", ranges))
        })
    }
}
