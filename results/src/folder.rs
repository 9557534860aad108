//! The run folder: `<root>/<name>/<utc-time>-<seed>/`, with `<root>/latest` linking to the newest.
//!
//! Records grow line by line and each line is handed to the kernel at once, so a killed harness loses
//! nothing that it had recorded. Documents (results, report, plots) are written beside their place and
//! renamed, so a reader sees the old one, the new one or none, never a part. A folder without
//! `results.json` is a run that did not finish.

use crate::measure::Results;
use crate::observe::{Probe, Sample};
use crate::plots::Plots;
use crate::recorded::Recorded;
use checker::History;
use checker::history::faults::FaultRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's own words follow: no space left, permission denied, ...
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{}, line {line}: {source}", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        source: serde_json::Error,
    },
    #[error("{}: {source}", path.display())]
    Document {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("run name {0:?} cannot name a folder: use letters, digits, `-`, `_` and `.`")]
    Name(String),
    #[error("{} is not a run folder: it has neither spec.yaml nor a history", .0.display())]
    NotARun(PathBuf),
}

pub type Result<T> = std::result::Result<T, Error>;

/// One run's place on disk.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// A file of one JSON object a line, open for appending. Shared by reference between writers.
pub struct Lines<T> {
    path: PathBuf,
    file: Mutex<File>,
    of: PhantomData<fn(&T)>,
}

/// What a file of lines held.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<T> {
    pub items: Vec<T>,
    /// The file ended in the middle of a line (its writer was killed); everything before it was read.
    pub truncated: bool,
}

impl Folder {
    /// Makes the folder of a new run and points `latest` at it.
    pub fn create(root: &Path, name: &str, seed: u64) -> Result<Self> {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        Self::create_at(root, name, &format!("{time}-{seed}"))
    }

    fn create_at(root: &Path, name: &str, stem: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || name == "latest" || !name.chars().all(plain)
        {
            return Err(Error::Name(name.to_owned()));
        }
        let parent = root.join(name);
        fs::create_dir_all(&parent).map_err(io_error("create", &parent))?;
        // Two runs of one seed within a second get a number, never each other's folder.
        let mut leaf = stem.to_owned();
        for attempt in 2.. {
            let path = parent.join(&leaf);
            match fs::create_dir(&path) {
                Ok(()) => break,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    leaf = format!("{stem}.{attempt}");
                }
                Err(e) => return Err(io_error("create", &path)(e)),
            }
        }
        let path = parent.join(&leaf);
        point_latest(root, &Path::new(name).join(&leaf))?;
        Ok(Self { path })
    }

    /// Opens the folder of an earlier run; `path` may be the `latest` link.
    pub fn open(path: &Path) -> Result<Self> {
        let path = fs::canonicalize(path).map_err(io_error("open", path))?;
        let folder = Self { path };
        let known = [folder.spec(), folder.history(), folder.history_compressed()];
        if known.iter().any(|file| file.exists()) {
            Ok(folder)
        } else {
            Err(Error::NotARun(folder.path))
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn spec(&self) -> PathBuf {
        self.path.join("spec.yaml")
    }

    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    pub fn history_compressed(&self) -> PathBuf {
        self.path.join("history.jsonl.zst")
    }

    pub fn faults(&self) -> PathBuf {
        self.path.join("faults.jsonl")
    }

    pub fn probes(&self) -> PathBuf {
        self.path.join("probes.jsonl")
    }

    pub fn status(&self) -> PathBuf {
        self.path.join("status.jsonl")
    }

    pub fn results(&self) -> PathBuf {
        self.path.join("results.json")
    }

    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    pub fn plots(&self) -> PathBuf {
        self.path.join("plots")
    }

    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("shakedown.log")
    }

    /// The folder for a node's logs; made when asked for.
    pub fn node(&self, node: &str) -> Result<PathBuf> {
        let path = self.path.join("nodes").join(node);
        fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        Ok(path)
    }

    pub fn append_faults(&self) -> Result<Lines<FaultRecord>> {
        Lines::open(self.faults())
    }

    pub fn append_probes(&self) -> Result<Lines<Probe>> {
        Lines::open(self.probes())
    }

    pub fn append_status(&self) -> Result<Lines<Sample>> {
        Lines::open(self.status())
    }

    pub fn read_faults(&self) -> Result<Read<FaultRecord>> {
        read_lines(&self.faults())
    }

    pub fn read_probes(&self) -> Result<Read<Probe>> {
        read_lines(&self.probes())
    }

    pub fn read_status(&self) -> Result<Read<Sample>> {
        read_lines(&self.status())
    }

    pub fn write_spec(&self, yaml: &str) -> Result<()> {
        replace(&self.spec(), yaml.as_bytes())
    }

    pub fn read_spec(&self) -> Result<String> {
        let path = self.spec();
        fs::read_to_string(&path).map_err(io_error("read", &path))
    }

    pub fn write_results(&self, results: &Results) -> Result<()> {
        let path = self.results();
        let mut text = serde_json::to_string_pretty(results).map_err(|source| Error::Document {
            path: path.clone(),
            source,
        })?;
        text.push('\n');
        replace(&path, text.as_bytes())
    }

    pub fn read_results(&self) -> Result<Results> {
        let path = self.results();
        let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
        serde_json::from_str(&text).map_err(|source| Error::Document { path, source })
    }

    /// An earlier run as it was recorded, with what only its results know; for drawing and measuring
    /// it again. `history` is read by the caller, who may also put new verdicts in.
    pub fn recorded(&self, results: &Results, history: History) -> Result<Recorded> {
        let mut samples = self.read_status()?.items;
        samples.sort_by_key(|sample| sample.time);
        Ok(Recorded {
            run: results.run.clone(),
            history,
            faults: self.read_faults()?.items,
            probes: self.read_probes()?.items,
            samples,
            marks: results.marks,
            verdicts: results.checks.clone(),
            ledgers: results.rpo.ledgers.clone(),
            method: results.method,
        })
    }

    pub fn write_report(&self, html: &str) -> Result<()> {
        replace(&self.report(), html.as_bytes())
    }

    pub fn write_junit(&self, xml: &str) -> Result<()> {
        replace(&self.junit(), xml.as_bytes())
    }

    pub fn write_plots(&self, plots: &Plots) -> Result<()> {
        let folder = self.plots();
        fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
        for picture in plots.pictures() {
            let path = folder.join(format!("{}.svg", picture.name));
            replace(&path, picture.document().as_bytes())?;
        }
        Ok(())
    }
}

impl<T: Serialize> Lines<T> {
    /// Opens for appending. A torn last line, left by a killed writer, is cut off first, so that it
    /// can't swallow the next one.
    pub fn open(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)
            .map_err(io_error("open", &path))?;
        cut_torn_line(&file).map_err(io_error("repair", &path))?;
        Ok(Self {
            path,
            file: Mutex::new(file),
            of: PhantomData,
        })
    }

    /// Appends one line in a single write: once this returns, the line outlives this process.
    pub fn append(&self, item: &T) -> Result<()> {
        let mut line = serde_json::to_vec(item).map_err(|source| Error::Document {
            path: self.path.clone(),
            source,
        })?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(|e| e.into_inner());
        file.write_all(&line).map_err(io_error("write", &self.path))
    }

    /// Waits until what was appended is on the disk itself.
    pub fn sync(&self) -> Result<()> {
        let file = self.file.lock().unwrap_or_else(|e| e.into_inner());
        file.sync_data().map_err(io_error("sync", &self.path))
    }
}

/// Reads a file of lines. A missing file holds nothing; a last line without its end is left out and
/// reported; any other line that cannot be understood is an error that names it.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Read<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    let complete = complete_length(&bytes);
    let items = bytes[..complete]
        .split(|&b| b == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|source| Error::Line {
                path: path.to_owned(),
                line: at + 1,
                source,
            })
        })
        .collect::<Result<Vec<T>>>()?;
    Ok(Read {
        items,
        truncated: complete < bytes.len(),
    })
}

fn cut_torn_line(file: &File) -> io::Result<()> {
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let mut reader = file;
    reader.read_to_end(&mut bytes)?;
    let complete = complete_length(&bytes);
    if complete < bytes.len() {
        file.set_len(complete as u64)?;
    }
    Ok(())
}

/// Length of the part that ends with a line's end.
fn complete_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1)
}

/// Puts a whole document in place: written beside it, synced, renamed.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let write = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // What was there before stays; a half-written neighbour only takes space.
        let _ = fs::remove_file(&beside);
        io_error("write", path)(source)
    })
}

fn point_latest(root: &Path, target: &Path) -> Result<()> {
    let link = root.join("latest");
    let beside = root.join(format!(".latest-{}", std::process::id()));
    let _ = fs::remove_file(&beside);
    std::os::unix::fs::symlink(target, &beside).map_err(io_error("link", &beside))?;
    fs::rename(&beside, &link).map_err(io_error("link", &link))
}

pub(crate) fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { verb, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Connection;

    fn probe(intended: u64) -> Probe {
        Probe {
            intended,
            sent: intended,
            done: intended + 1,
            node: "n1".into(),
            connection: Connection::Kept,
            write: false,
            ok: true,
            error: None,
        }
    }

    #[test]
    fn latest_follows_the_newest_run_and_equal_stems_get_their_own_folder() {
        let root = tempfile::tempdir().unwrap();
        let first = Folder::create_at(root.path(), "smoke", "20261122T000000Z-7").unwrap();
        let second = Folder::create_at(root.path(), "smoke", "20261122T000000Z-7").unwrap();
        assert_ne!(first.path(), second.path());
        second.write_spec("seed: 7\n").unwrap();
        let latest = Folder::open(&root.path().join("latest")).unwrap();
        assert_eq!(
            latest.path(),
            fs::canonicalize(second.path()).unwrap().as_path()
        );
        assert_eq!(latest.read_spec().unwrap(), "seed: 7\n");
    }

    #[test]
    fn a_name_that_leaves_the_root_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for name in ["", "..", "a/b", ".hidden", "latest"] {
            assert!(matches!(
                Folder::create(root.path(), name, 1),
                Err(Error::Name(_))
            ));
        }
    }

    #[test]
    fn a_folder_that_is_no_run_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let error = Folder::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("is not a run folder"), "{error}");
    }

    #[test]
    fn a_cut_last_line_costs_only_itself() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "cut", 1).unwrap();
        let lines = folder.append_probes().unwrap();
        lines.append(&probe(1)).unwrap();
        lines.append(&probe(2)).unwrap();
        let whole = fs::read(folder.probes()).unwrap();
        fs::write(folder.probes(), &whole[..whole.len() - 3]).unwrap();
        let read = folder.read_probes().unwrap();
        assert_eq!(read.items, vec![probe(1)]);
        assert!(read.truncated);
        folder.append_probes().unwrap().append(&probe(3)).unwrap();
        let read = folder.read_probes().unwrap();
        assert_eq!(read.items, vec![probe(1), probe(3)]);
        assert!(!read.truncated);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "broken", 1).unwrap();
        fs::write(folder.faults(), "{\"fault\":1\n{}\n").unwrap();
        let error = folder.read_faults().unwrap_err().to_string();
        assert!(error.contains("faults.jsonl, line 1"), "{error}");
    }

    #[test]
    fn a_missing_record_is_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "none", 1).unwrap();
        assert_eq!(folder.read_status().unwrap().items, vec![]);
    }

    #[test]
    fn a_failed_write_names_the_file_and_keeps_what_was_there() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "full", 1).unwrap();
        folder.write_report("old").unwrap();
        // A folder where the neighbour file should go makes the write fail on any machine, root or not.
        fs::create_dir(folder.path().join("report.html.tmp")).unwrap();
        let error = folder.write_report("new").unwrap_err().to_string();
        assert!(error.contains("report.html"), "{error}");
        assert_eq!(fs::read_to_string(folder.report()).unwrap(), "old");
    }

    #[test]
    fn a_full_disk_is_reported_with_the_file() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            println!("skipped: no /dev/full");
            return;
        }
        let lines: Lines<Probe> = Lines::open(full.to_owned()).unwrap();
        let error = lines.append(&probe(1)).unwrap_err().to_string();
        assert!(error.contains("/dev/full"), "{error}");
    }
}
