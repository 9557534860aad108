//! Loses at a kill what a power loss would lose.
//!
//! The kernel keeps what a killed process had written; a machine without power does not. This disk holds
//! unsynced writes in the memory of the process and passes them on when the file is synced, so that `kill -9`
//! loses exactly what was not synced. For fault experiments (`strata serve --disk power-loss`); it costs memory
//! for every unsynced byte. Creations, renames and removals pass through at once: a name that a power loss would
//! also have lost remains, with the content that was synced.

use super::{Disk, DiskFile, RealDisk};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, Weak};

pub struct PowerLossDisk {
    real: RealDisk,
    /// Unsynced content by name, shared between the handles of a file.
    open: Mutex<BTreeMap<String, Weak<Mutex<Content>>>>,
}

struct Content {
    file: Box<dyn DiskFile>,
    /// Writes since the last sync, oldest first.
    pending: Vec<(u64, Vec<u8>)>,
    /// The length as the process sees it.
    len: u64,
}

impl PowerLossDisk {
    pub fn new(real: RealDisk) -> Self {
        Self {
            real,
            open: Mutex::default(),
        }
    }

    fn share(&self, name: &str, file: Box<dyn DiskFile>) -> io::Result<Box<dyn DiskFile>> {
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        open.retain(|_, content| content.strong_count() > 0);
        if let Some(content) = open.get(name).and_then(Weak::upgrade) {
            return Ok(Box::new(PowerLossFile(content)));
        }
        let len = file.length()?;
        let content = Arc::new(Mutex::new(Content {
            file,
            pending: Vec::new(),
            len,
        }));
        open.insert(name.to_owned(), Arc::downgrade(&content));
        Ok(Box::new(PowerLossFile(content)))
    }
}

impl Disk for PowerLossDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.real.list(folder)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        // An existing file is emptied at once, as a real disk may do; nothing here depends on its old content.
        let file = self.real.create(name)?;
        self.open
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .remove(name);
        self.share(name, file)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.real.open(name)?;
        self.share(name, file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.rename(from, to)?;
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match open.remove(from) {
            Some(content) => open.insert(to.to_owned(), content),
            None => open.remove(to),
        };
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.open
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .remove(name);
        self.real.remove(name)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.real.sync_folder(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.real.create_folder(folder)
    }
}

struct PowerLossFile(Arc<Mutex<Content>>);

impl PowerLossFile {
    fn with<T>(&self, act: impl FnOnce(&mut Content) -> io::Result<T>) -> io::Result<T> {
        act(&mut self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl DiskFile for PowerLossFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|content| Ok(content.len))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.with(|content| {
            let end = offset + buf.len() as u64;
            if end > content.len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buf.fill(0);
            let on_disk = content.file.length()?.clamp(offset, end) - offset;
            content.file.read_at(offset, &mut buf[..on_disk as usize])?;
            for (at, bytes) in &content.pending {
                let (from, to) = ((*at).max(offset), (at + bytes.len() as u64).min(end));
                if from < to {
                    let source = &bytes[(from - at) as usize..(to - at) as usize];
                    buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
                }
            }
            Ok(())
        })
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|content| {
            content.len = content.len.max(offset + bytes.len() as u64);
            content.pending.push((offset, bytes.to_vec()));
            Ok(())
        })
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.with(|content| {
            // A cut is only used when a torn tail is removed: it is passed on with what came before it.
            for (at, bytes) in std::mem::take(&mut content.pending) {
                content.file.write_at(at, &bytes)?;
            }
            content.len = len;
            content.file.set_len(len)
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|content| {
            for (at, bytes) in std::mem::take(&mut content.pending) {
                content.file.write_at(at, &bytes)?;
            }
            content.file.sync()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_reaches_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let disk = PowerLossDisk::new(RealDisk::open(dir.path()).unwrap());
        let mut file = disk.create("a").unwrap();
        file.write_at(0, b"one").unwrap();
        file.sync().unwrap();
        file.write_at(3, b"two").unwrap();
        let mut seen = [0; 6];
        file.read_at(0, &mut seen).unwrap();
        assert_eq!(&seen, b"onetwo");
        assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"one");
        file.sync().unwrap();
        assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"onetwo");
    }
}
