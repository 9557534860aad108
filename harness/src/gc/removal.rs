//! Removes a run, in an order in which a kill at any moment leaves a run folder: one that did not finish, which the
//! next collection finds again.

use super::survey::Found;
use crate::exit::{Failure, Result};
use results::hold::Hold;
use std::fs;
use std::io;

/// `false`: it has begun to be worked on since it was surveyed, and stays.
pub fn remove(run: &Found) -> Result<bool> {
    let named = |error: io::Error| Failure::harness(format!("{}: {error}", run.path.display()));
    let Some(_hold) = Hold::take(&run.path).map_err(named)? else {
        return Ok(false);
    };
    if !run.finished {
        // Its processes must not outlive what tells of them.
        let healed = nemesis::heal(&run.path)?;
        if !healed.is_clean() {
            return Ok(false);
        }
    }
    // Without results it counts as one that did not finish, without a spec as no run at all.
    let last = |name: &std::ffi::OsStr| match name.to_str() {
        Some("results.json") => 0,
        Some("spec.yaml") => 2,
        _ => 1,
    };
    let entries = fs::read_dir(&run.path).map_err(named)?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(named)?;
    entries.sort_by_key(|entry| last(&entry.file_name()));
    for entry in entries {
        // A link goes itself; what it points at stays.
        match entry.file_type().map_err(named)?.is_dir() {
            true => fs::remove_dir_all(entry.path()).map_err(named)?,
            false => fs::remove_file(entry.path()).map_err(named)?,
        }
    }
    fs::remove_dir(&run.path).map_err(named)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::time::Duration;

    fn found(path: &Path) -> Found {
        Found {
            path: path.to_owned(),
            group: "a".into(),
            age: Duration::ZERO,
            bytes: 1,
            finished: true,
            claims: BTreeSet::new(),
        }
    }

    #[test]
    fn a_run_goes_with_its_files_and_what_links_point_at_stays() {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        let run = root.path().join("a/1");
        fs::create_dir_all(run.join("nodes/n1")).unwrap();
        for file in ["spec.yaml", "results.json", "nodes/n1/log"] {
            fs::write(run.join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink(&outside, run.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, run.join("nodes/link")).unwrap();
        assert!(remove(&found(&run)).unwrap());
        assert!(!run.exists() && outside.join("precious").exists());
    }

    #[test]
    fn a_run_that_is_held_stays() {
        let root = tempfile::tempdir().unwrap();
        let _hold = Hold::take(root.path()).unwrap();
        assert!(!remove(&found(root.path())).unwrap());
        assert!(root.path().exists());
    }
}
