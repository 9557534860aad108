//! Which version each operation read or wrote.

use crate::Value;
use crate::history::Operation;
use crate::model::{Footprint, Model};
use std::collections::HashMap;

/// What an operation did with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Write = 0,
    Read = 1,
}

#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The operation, among the given ones.
    pub at: usize,
    pub kind: Kind,
    pub version: usize,
    /// Of a write by cas: the version that it found, if that is known.
    pub found: Option<usize>,
}

#[derive(Debug)]
pub struct Accesses {
    /// In the order of invocations.
    pub accesses: Vec<Access>,
    /// The initial value, then all that were written once.
    pub versions: Vec<Value>,
    pub reads: u64,
    pub ambiguous_reads: u64,
    /// The first operation that found a value which nobody wrote.
    pub from_nowhere: Option<(usize, Value)>,
}

/// What all operations together did with a value.
#[derive(Clone, Copy, Default)]
struct Uses {
    writers: u32,
    /// By an operation that certainly happened.
    is_seen: bool,
    /// If it is a version.
    version: Option<usize>,
}

pub fn accesses<M: Model>(initial: &Value, operations: &[Operation<'_>]) -> Accesses {
    let footprints: Vec<Option<Footprint>> = operations
        .iter()
        .map(|operation| match operation.failure() {
            Some(_) => None,
            None => M::footprint(operation.op(), operation.ret()),
        })
        .collect();
    let mut uses: HashMap<&Value, Uses> = HashMap::new();
    uses.entry(initial).or_default().writers = 1;
    for (operation, footprint) in operations.iter().zip(&footprints) {
        let Some(footprint) = footprint else { continue };
        if let Some(value) = &footprint.installs {
            uses.entry(value).or_default().writers += 1;
        }
        if let (Some(value), true) = (&footprint.observes, operation.is_ok()) {
            uses.entry(value).or_default().is_seen = true;
        }
    }
    let mut found = Accesses {
        accesses: Vec::with_capacity(operations.len()),
        versions: vec![initial.clone()],
        reads: 0,
        ambiguous_reads: 0,
        from_nowhere: None,
    };
    let installed = footprints.iter().flatten();
    let installed = installed.filter_map(|footprint| footprint.installs.as_ref());
    for value in std::iter::once(initial).chain(installed) {
        if let Some(uses) = uses.get_mut(value).filter(|uses| uses.writers == 1) {
            // Only the initial value is not yet among the versions when its turn comes.
            uses.version = Some(match value == initial {
                true => 0,
                false => {
                    found.versions.push(value.clone());
                    found.versions.len() - 1
                }
            });
        }
    }
    for (at, (operation, footprint)) in operations.iter().zip(&footprints).enumerate() {
        let Some(footprint) = footprint else { continue };
        let of = |value: &Option<Value>| value.as_ref().and_then(|value| uses.get(value));
        let (observed, installed) = (of(&footprint.observes), of(&footprint.installs));
        let was_seen = installed.is_some_and(|uses| uses.is_seen && uses.version.is_some());
        if !operation.is_ok() && !was_seen {
            continue;
        }
        if let Some(uses) = observed {
            found.reads += 1;
            found.ambiguous_reads += u64::from(uses.writers > 1);
            if uses.writers == 0 && found.from_nowhere.is_none() {
                found.from_nowhere = footprint.observes.clone().map(|value| (at, value));
            }
        }
        let read = observed.and_then(|uses| uses.version);
        let mut access = |kind: Kind, version: Option<usize>, found_version: Option<usize>| {
            if let Some(version) = version {
                found.accesses.push(Access {
                    at,
                    kind,
                    version,
                    found: found_version,
                });
            }
        };
        access(Kind::Read, read, None);
        access(Kind::Write, installed.and_then(|uses| uses.version), read);
    }
    found
}
