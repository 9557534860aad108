//! What is written down before anything is broken or left running.
//!
//! `faults.jsonl` has a line per step of each fault; the line that says what will be broken is on the
//! disk before it is. `processes.jsonl` has a line per process that a run started, with what identifies
//! it for good: the machine's boot, the process-id namespace and the kernel's start time. Whoever finds
//! the folder after a crash knows what may still be there and can't mistake a stranger for it.

use crate::proc::{self, Place};
use crate::{Error, Result};
use checker::history::faults::FaultRecord;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use testbed::Process;

pub const FAULTS_FILE: &str = "faults.jsonl";
pub const PROCESSES_FILE: &str = "processes.jsonl";

/// A file to which whole lines are appended.
struct Lines {
    path: PathBuf,
    file: Mutex<File>,
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self> {
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        match opened {
            Ok(file) => Ok(Self {
                path,
                file: Mutex::new(file),
            }),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    fn append(&self, line: &impl Serialize, durable: bool) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_vec(line)
            .map_err(std::io::Error::from)
            .and_then(|mut bytes| {
                bytes.push(b'\n');
                file.write_all(&bytes)
            })
            .and_then(|()| if durable { file.sync_data() } else { Ok(()) });
        written.map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })
    }
}

/// `faults.jsonl` of one run.
pub struct FaultJournal(Arc<Lines>);

impl FaultJournal {
    pub fn create(folder: &Path) -> Result<Self> {
        Ok(Self(Arc::new(Lines::create(folder.join(FAULTS_FILE))?)))
    }

    /// Returns when the record is on the disk.
    pub async fn append(&self, record: &FaultRecord) -> Result<()> {
        let (lines, record) = (Arc::clone(&self.0), record.clone());
        // Syncing takes milliseconds, in which the clients must not stand still.
        let written = tokio::task::spawn_blocking(move || lines.append(&record, true));
        written
            .await
            .unwrap_or_else(|panic| Err(Error::Failed(format!("fault journal: {panic}"))))
    }
}

/// The first line of `processes.jsonl`: who ran, and where its process ids mean anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub version: u32,
    #[serde(flatten)]
    pub place: Place,
    /// The harness's own process, and when the kernel started it.
    pub controller: i32,
    pub started: u64,
}

/// `processes.jsonl` of one run. A machine that crashes takes its processes with it, so these lines need
/// to outlive the harness, not the kernel: they are written, not synced.
pub struct ProcessJournal(Lines);

impl ProcessJournal {
    pub fn create(folder: &Path) -> Result<Self> {
        let lines = Lines::create(folder.join(PROCESSES_FILE))?;
        let controller = std::process::id() as i32;
        let origin = Origin {
            version: 1,
            place: Place::here()?,
            controller,
            started: proc::start_time(controller).unwrap_or_default(),
        };
        lines.append(&origin, false)?;
        Ok(Self(lines))
    }

    /// Notes down a process as ours.
    pub fn started(&self, process: &Process) -> Result<()> {
        self.0.append(process, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::history::faults::Step;

    #[tokio::test]
    async fn a_record_can_be_read_back_as_soon_as_it_was_appended() {
        let folder = tempfile::tempdir().unwrap();
        let journal = FaultJournal::create(folder.path()).unwrap();
        let record = FaultRecord {
            fault: 1,
            step: Step::Intend,
            time: 5,
            kind: "kill".into(),
            variant: String::new(),
            targets: vec!["n1".into()],
            leader: None,
            hit_leader: false,
            hit_majority: false,
            proof: Default::default(),
            error: None,
        };
        journal.append(&record).await.unwrap();
        let text = std::fs::read_to_string(folder.path().join(FAULTS_FILE)).unwrap();
        assert_eq!(
            text,
            "{\"fault\":1,\"step\":\"intend\",\"time\":5,\"kind\":\"kill\",\"targets\":[\"n1\"],\
             \"hit_leader\":false,\"hit_majority\":false}\n"
        );
        assert_eq!(serde_json::from_str::<FaultRecord>(&text).unwrap(), record);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let missing = Path::new("no-such-folder");
        let error = FaultJournal::create(missing).err().unwrap().to_string();
        assert!(
            error.starts_with("no-such-folder/faults.jsonl: "),
            "{error}"
        );
    }
}
