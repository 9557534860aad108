//! What the servers run: a figure, or a verdict, without its program says nothing.

use crate::exit::{Failure, Result};
use results::Program;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// What a file was when it was read: one that is built anew in the middle of a sweep is another program.
type Seen = (PathBuf, u64, Option<SystemTime>);

static KNOWN: LazyLock<Mutex<HashMap<Seen, Program>>> = LazyLock::new(Mutex::default);

/// The program at this path. A file that has not changed is read once.
pub fn identify(path: &Path) -> Result<Program> {
    let failed = |error| Failure::harness(format!("{}: {error}", path.display()));
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let seen = (path.to_owned(), metadata.len(), metadata.modified().ok());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = known.get(&seen) {
        return Ok(program.clone());
    }
    let (sha256, bytes) = hash(path).map_err(failed)?;
    let program = Program {
        path: path.display().to_string(),
        bytes,
        sha256,
    };
    known.insert(seen, program.clone());
    Ok(program)
}

/// In hexadecimal digits, with the number of bytes.
fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            let digits = hash.finalize();
            return Ok((
                digits.iter().map(|byte| format!("{byte:02x}")).collect(),
                bytes,
            ));
        }
        hash.update(&piece[..count]);
        bytes += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_by_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server");
        std::fs::write(&path, "abc").unwrap();
        let program = identify(&path).unwrap();
        assert_eq!(program.bytes, 3);
        // FIPS 180-4, the example of one block.
        assert_eq!(
            program.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(program.short(), "ba7816bf8f01");
        assert_eq!(identify(&path).unwrap(), program);
        std::fs::write(&path, "abcd").unwrap();
        assert!(!identify(&path).unwrap().is_same(&program));
        let error = identify(&dir.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
