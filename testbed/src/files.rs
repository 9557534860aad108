//! What a node of this machine does with its files and processes when it is asked to look at them.

use crate::{Error, Process, Result};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(at(path))
}

pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

pub(crate) fn tail(path: &Path, most: u64) -> Result<Vec<u8>> {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut tail = Vec::new();
        file.take(most).read_to_end(&mut tail)?;
        Ok(tail)
    };
    read().map_err(at(path))
}

/// A file that is removed while we look counts nothing.
pub(crate) fn bytes(path: &Path) -> Result<u64> {
    let inside = |path: &Path| -> io::Result<u64> {
        let about = path.symlink_metadata()?;
        if !about.is_dir() {
            return Ok(about.len());
        }
        let mut sum = 0;
        for entry in fs::read_dir(path)? {
            match bytes(&entry?.path()) {
                Ok(bytes) => sum += bytes,
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(sum)
    };
    inside(path).map_err(at(path))
}

/// From `/proc/<pid>/status`; 0 if it has ended.
pub(crate) fn resident(process: &Process) -> u64 {
    let kib = || {
        let text = fs::read_to_string(format!("/proc/{}/status", process.pid)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    kib().unwrap_or_default() << 10
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::io(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;

    #[test]
    fn a_folder_is_made_weighed_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        fs::write(folder.join("x"), [0; 100]).unwrap();
        fs::write(root.path().join("a/y"), [0; 11]).unwrap();
        assert_eq!(bytes(&root.path().join("a")).unwrap(), 111);
        remove_folder(&folder).unwrap();
        remove_folder(&folder).unwrap();
        assert_eq!(bytes(&root.path().join("a")).unwrap(), 11);
        let error = bytes(&folder).unwrap_err().to_string();
        assert!(error.contains("a/b"), "{error}");
    }

    #[test]
    fn the_end_of_a_file_is_what_was_asked_for_and_no_more() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(tail(&path, 4).unwrap(), b"two\n");
        assert_eq!(tail(&path, 400).unwrap(), b"one\ntwo\n");
        assert!(tail(&root.path().join("none"), 4).is_err());
    }

    #[test]
    fn this_process_is_resident_and_one_that_is_not_there_is_not() {
        let resident_of = |pid| {
            let node = NodeId::new("n1");
            resident(&Process {
                node,
                pid,
                started: 0,
            })
        };
        assert!(resident_of(std::process::id() as i32) > 1 << 20);
        assert_eq!(resident_of(i32::MAX), 0);
    }
}
