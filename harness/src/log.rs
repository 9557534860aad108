//! `shakedown.log` of the run folder: what the harness and its libraries have to say.
//!
//! One subscriber for the process, whose lines go to the file of the run that is under way; between runs they go
//! nowhere.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock};

static FILE: OnceLock<Mutex<Option<File>>> = OnceLock::new();

/// From now on, lines go to this file.
pub fn to(path: &Path) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    let first = FILE.get().is_none();
    *target() = Some(file);
    if first {
        // A second subscriber is impossible, and not needed.
        let _ = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(|| Target)
            .try_init();
    }
    Ok(())
}

fn target() -> MutexGuard<'static, Option<File>> {
    let file = FILE.get_or_init(Mutex::default);
    file.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct Target;

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = target().as_mut() {
            // A full disk ends the run by what matters more than this file.
            let _ = file.write_all(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
