//! The workloads by name.

use crate::{Ledger, Register, Union, Workload};

/// What `shakedown list` tells of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    pub name: &'static str,
    /// Its share when several run together.
    pub weight: u32,
    pub about: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownWorkload {
    #[error("unknown workload {name:?}; known: {known} (join several with +)")]
    Name { name: String, known: String },
    #[error("workload {0:?} is named twice")]
    Twice(String),
}

/// All single workloads.
pub const ALL: &[Description] = &[
    Description {
        name: "register",
        weight: 3,
        about: "read, write and cas over independent keys; must be linearizable",
    },
    Description {
        name: "ledger",
        weight: 1,
        about: "append 1, 2, 3, ... to a list per thread; what was acknowledged must survive (RPO)",
    },
];

/// A workload by name; `register+ledger` runs both.
pub fn by_name(name: &str) -> Result<Box<dyn Workload>, UnknownWorkload> {
    let mut parts = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for part in name.split('+').map(str::trim) {
        if names.contains(&part) {
            return Err(UnknownWorkload::Twice(part.to_owned()));
        }
        names.push(part);
        let known = ALL.iter().find(|known| known.name == part);
        let workload: Box<dyn Workload> = match part {
            "register" => Box::new(Register::default()),
            "ledger" => Box::new(Ledger::default()),
            _ => {
                let known: Vec<&str> = ALL.iter().map(|known| known.name).collect();
                return Err(UnknownWorkload::Name {
                    name: part.to_owned(),
                    known: known.join(", "),
                });
            }
        };
        parts.push((known.map_or(1, |known| known.weight), workload));
    }
    if parts.len() == 1
        && let Some((_, only)) = parts.pop()
    {
        return Ok(only);
    }
    Ok(Box::new(Union::new(parts)))
}
