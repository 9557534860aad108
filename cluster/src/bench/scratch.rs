//! The folder that a benchmark works in, removed whatever happens.

use super::BenchError;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Status of a program that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(parent: Option<&Path>) -> Result<Self, BenchError> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let dir = parent.join(format!("strata-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(BenchError::io(dir.display().to_string()))?;
        Ok(Self(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes an empty folder inside; `name` must be new.
    pub fn dir(&self, name: &str) -> Result<PathBuf, BenchError> {
        let dir = self.0.join(name);
        std::fs::create_dir(&dir).map_err(BenchError::io(dir.display().to_string()))?;
        Ok(dir)
    }

    /// Removes the folder and ends the program when it is interrupted; the servers end with it.
    pub fn remove_when_interrupted(&self) -> impl Future<Output = ()> + Send + 'static {
        let dir = self.0.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            // Servers that still run may write in between: a second look finds what they made.
            for _ in 0..10 {
                if std::fs::remove_dir_all(&dir).is_ok() || !dir.exists() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::process::exit(INTERRUPTED);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("strata bench: {}: {error}", self.0.display());
        }
    }
}

/// Copies a folder, so that many runs can begin from the same state.
pub fn copy_dir(from: &Path, to: &Path) -> Result<(), BenchError> {
    let failed = |path: &Path| BenchError::io(path.display().to_string());
    std::fs::create_dir_all(to).map_err(failed(to))?;
    for entry in std::fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_dir(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).map_err(failed(&source))?;
        }
    }
    Ok(())
}

/// Writes all files of a folder to the disk, so that what is left to write does not slow what is measured next.
pub fn settle(dir: &Path) -> Result<(), BenchError> {
    let failed = |path: &Path| BenchError::io(path.display().to_string());
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        if path.is_dir() {
            settle(&path)?;
        } else {
            let file = std::fs::File::open(&path).map_err(failed(&path))?;
            file.sync_all().map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// Bytes of all files in a folder; reading them all brings them into the page cache.
pub fn read_all(dir: &Path) -> Result<u64, BenchError> {
    let failed = |path: &Path| BenchError::io(path.display().to_string());
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        bytes += if path.is_dir() {
            read_all(&path)?
        } else {
            let mut file = std::fs::File::open(&path).map_err(failed(&path))?;
            std::io::copy(&mut file, &mut std::io::sink()).map_err(failed(&path))?
        };
    }
    Ok(bytes)
}
