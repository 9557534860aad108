//! The one door to files: nothing else of `serve` opens any.
//!
//! A name from outside becomes an [`Id`] or a [`Name`] first, which hold plain components only. What they lead to is
//! resolved and must lie below the store, so that a link can't lead out of it. Only files whose names a run, a
//! sweep or a suite writes are opened, and only regular ones.

use results::Folder;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Runs and collections lie at most so deep below the store.
const DEPTH: usize = 8;
/// Longer addresses are nobody's.
const LENGTH_MAX: usize = 1_024;

const FILES: [&str; 21] = [
    "report.html",
    "results.json",
    "spec.yaml",
    "history.jsonl",
    "history.jsonl.zst",
    "faults.jsonl",
    "probes.jsonl",
    "status.jsonl",
    "processes.jsonl",
    "junit.xml",
    "shakedown.log",
    "report.md",
    "summary.md",
    "sweep.json",
    "sweep.yaml",
    "repeats.jsonl",
    "calibration.jsonl",
    "suite.json",
    "suite.jsonl",
    "compare.html",
    "compare.json",
];

/// A folder below the store: plain components, never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

/// A file below such a folder, out of those that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Id {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        (text.len() <= LENGTH_MAX && text.split('/').all(plain)).then(|| Self(text.to_owned()))
    }
}

impl Name {
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let ends = |part: &str, ending: &str| plain(part) && part.ends_with(ending);
        let shown = match parts.as_slice() {
            [file] => FILES.contains(file),
            ["plots", file] => ends(file, ".svg"),
            ["nodes", node, file] => plain(node) && ends(file, ".log"),
            _ => false,
        };
        shown.then(|| Self(text.to_owned()))
    }

    /// Splits an address into folder and file: the longest folder for which the rest is a file that is shown.
    pub fn split(path: &str) -> Option<(Id, Self)> {
        let parts: Vec<&str> = path.split('/').collect();
        (1..=3.min(parts.len().saturating_sub(1))).find_map(|tail| {
            let (folder, file) = parts.split_at(parts.len() - tail);
            Some((Id::parse(&folder.join("/"))?, Self::parse(&file.join("/"))?))
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a component can only name an entry of its folder.
fn plain(part: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_.+=,@".contains(c);
    !part.is_empty() && !part.starts_with('.') && part.chars().all(letter)
}

/// The folder of the runs. Read only.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What a walk through the store found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub runs: Vec<Id>,
    /// Folders of sweeps and suites.
    pub collections: Vec<Id>,
}

impl Store {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder itself, resolved; `None` where there is none, or it lies elsewhere.
    pub fn folder(&self, id: &Id) -> Option<PathBuf> {
        let path = self.inside(Path::new(&id.0))?;
        path.is_dir().then_some(path)
    }

    pub fn run(&self, id: &Id) -> Option<Folder> {
        Folder::open(&self.folder(id)?).ok()
    }

    /// Opens a file for reading.
    pub fn open(&self, id: &Id, name: &Name) -> io::Result<(File, Metadata)> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let path = Path::new(&id.0).join(&name.0);
        let path = self.inside(&path).ok_or_else(missing)?;
        // Before opening: that of a pipe would wait for a writer.
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(missing());
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        match metadata.is_file() {
            true => Ok((file, metadata)),
            false => Err(missing()),
        }
    }

    pub fn metadata(&self, id: &Id, name: &str) -> Option<Metadata> {
        let path = self.inside(&Path::new(&id.0).join(&Name::parse(name)?.0))?;
        fs::symlink_metadata(path).ok().filter(Metadata::is_file)
    }

    /// The files of a folder that are shown, with their lengths.
    pub fn files(&self, id: &Id) -> Vec<results::web::run::File> {
        let mut names: Vec<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
        let Some(folder) = self.folder(id) else {
            return Vec::new();
        };
        names.extend(entries(&folder.join("plots")).map(|file| format!("plots/{file}")));
        for node in entries(&folder.join("nodes")) {
            let logs = entries(&folder.join("nodes").join(&node));
            names.extend(logs.map(|file| format!("nodes/{node}/{file}")));
        }
        let present = names.into_iter().filter_map(|name| {
            let bytes = self.metadata(id, &name)?.len();
            Some(results::web::run::File { name, bytes })
        });
        present.collect()
    }

    /// All runs and collections. Links are not followed: `latest` would show a run twice.
    pub fn find(&self) -> io::Result<Found> {
        let mut found = Found::default();
        match fs::metadata(&self.root) {
            Ok(_) => walk(&self.root, "", DEPTH, &mut found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(found)
    }

    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let root = self.root.canonicalize().ok()?;
        let path = root.join(path).canonicalize().ok()?;
        (path != root && path.starts_with(&root)).then_some(path)
    }
}

/// Plain names in a folder, in order; none if it can't be read.
fn entries(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = read.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| plain(name)).collect();
    names.sort();
    names.into_iter()
}

fn walk(folder: &Path, id: &str, depth: usize, found: &mut Found) -> io::Result<()> {
    // A folder may vanish, or be closed to us, while others are looked at.
    let Ok(read) = fs::read_dir(folder) else {
        return match id {
            "" => Err(io::Error::other(format!(
                "{} can't be read",
                folder.display()
            ))),
            _ => Ok(()),
        };
    };
    for entry in read.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !plain(&name) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let below = match id {
            "" => name,
            id => format!("{id}/{name}"),
        };
        let path = entry.path();
        let has = |name: &str| path.join(name).exists();
        if has("sweep.json") || has("suite.json") || has("compare.html") {
            found.collections.push(Id(below.clone()));
        } else if has("spec.yaml") || (has("results.json") && has("history.jsonl")) {
            found.runs.push(Id(below));
            continue;
        }
        if depth > 1 {
            walk(&path, &below, depth - 1, found)?;
        }
    }
    Ok(())
}

/// When a file was changed last.
pub fn changed(metadata: &Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
