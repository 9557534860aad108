//! A disk in memory that forgets what was not synced.
//!
//! Every write, length change, creation, rename and removal is *pending* until the file or folder is synced. At
//! a crash the caller's generator decides what of the pending becomes real: nothing, a beginning, some of it,
//! or a torn piece of one write. A test can also ask for the crash to come at exactly the k-th step.

use super::{Disk, DiskFile};
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// Decides what survives a crash.
pub type CrashRng = Pcg64Mcg;

type Inode = usize;

#[derive(Clone, Debug)]
enum Write {
    Bytes(u64, Vec<u8>),
    Len(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Link(String, Inode),
    Unlink(String),
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Write>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    names: BTreeMap<String, Inode>,
    durable_names: BTreeMap<String, Inode>,
    pending_names: Vec<NameChange>,
    steps: u64,
    crash_at: Option<u64>,
    /// Counts crashes: files opened before the last one are dead.
    generation: u64,
}

/// A simulated disk. Clones share the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes so far: writes, syncs, creations, renames and removals.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// From this step on everything fails, as if the power had gone.
    pub fn crash_at(&self, step: Option<u64>) {
        self.state().crash_at = step;
    }

    /// The power goes and comes back: of what was not synced, `rng` decides what is there.
    pub fn crash(&self, rng: &mut CrashRng) {
        let mut state = self.state();
        state.crash_at = None;
        state.generation += 1;
        for file in &mut state.files {
            let pending = std::mem::take(&mut file.pending);
            let mode = rng.next_u64() % 4;
            let prefix = rng.next_u64() as usize % (pending.len() + 1);
            for (position, write) in pending.into_iter().enumerate() {
                let survives = match mode {
                    0 => false,
                    1 => position < prefix,
                    2 => rng.next_u64().is_multiple_of(2),
                    _ if position == prefix => {
                        // A torn write: only its beginning arrived.
                        if let Write::Bytes(offset, bytes) = &write {
                            let cut = rng.next_u64() as usize % (bytes.len() + 1);
                            apply(
                                &mut file.durable,
                                &Write::Bytes(*offset, bytes[..cut].to_vec()),
                            );
                        }
                        false
                    }
                    _ => position < prefix,
                };
                if survives {
                    apply(&mut file.durable, &write);
                }
            }
            file.current = file.durable.clone();
        }
        let changes = std::mem::take(&mut state.pending_names);
        let survive = rng.next_u64() as usize % (changes.len() + 1);
        for change in changes.into_iter().take(survive) {
            change_name(&mut state.durable_names, change);
        }
        state.names = state.durable_names.clone();
    }

    /// The process ends and the machine goes on: everything written stays, but is no more durable than before.
    pub fn kill(&self) {
        let mut state = self.state();
        state.crash_at = None;
        state.generation += 1;
    }

    /// Another disk with the same content, all of it durable.
    pub fn fork(&self) -> Self {
        let state = self.state();
        let files = state.files.iter().map(|file| File {
            durable: file.current.clone(),
            current: file.current.clone(),
            pending: Vec::new(),
        });
        Self(Arc::new(Mutex::new(State {
            files: files.collect(),
            names: state.names.clone(),
            durable_names: state.names.clone(),
            ..State::default()
        })))
    }

    /// Flips a bit of a file, durably; false if the file is shorter.
    pub fn corrupt(&self, name: &str, offset: u64) -> bool {
        let mut state = self.state();
        let Some(&inode) = state.names.get(name) else {
            return false;
        };
        let file = &mut state.files[inode];
        let flipped = file
            .durable
            .get_mut(offset as usize)
            .map(|byte| *byte ^= 0x10)
            .is_some();
        if let Some(byte) = file.current.get_mut(offset as usize) {
            *byte ^= 0x10;
        }
        flipped
    }

    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.steps += 1;
        if state.crash_at.is_some_and(|at| state.steps >= at) {
            return Err(io::Error::other("the simulated power is gone"));
        }
        Ok(state)
    }

    fn file(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state();
        let inode = *state.names.get(name).ok_or_else(|| missing(name))?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            inode,
            generation: state.generation,
        }))
    }
}

impl Disk for SimDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter_map(|name| {
            let (parent, file) = split(name);
            (parent == folder).then(|| file.to_owned())
        });
        Ok(names.collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.step()?;
        match state.names.get(name).copied() {
            Some(inode) => {
                let file = &mut state.files[inode];
                file.current.clear();
                file.pending.push(Write::Len(0));
            }
            None => {
                let inode = state.files.len();
                state.files.push(File::default());
                state.names.insert(name.to_owned(), inode);
                state
                    .pending_names
                    .push(NameChange::Link(name.to_owned(), inode));
            }
        }
        drop(state);
        self.file(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.file(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.step()?;
        let inode = state.names.remove(from).ok_or_else(|| missing(from))?;
        state.names.insert(to.to_owned(), inode);
        // One atomic change: a crash shows the old name or the new one.
        let position = state.pending_names.len();
        state
            .pending_names
            .push(NameChange::Link(to.to_owned(), inode));
        state
            .pending_names
            .insert(position + 1, NameChange::Unlink(from.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.step()?;
        state.names.remove(name).ok_or_else(|| missing(name))?;
        state
            .pending_names
            .push(NameChange::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.step()?;
        let changes = std::mem::take(&mut state.pending_names);
        for change in changes {
            let (NameChange::Link(name, _) | NameChange::Unlink(name)) = &change;
            if split(name).0 == folder {
                change_name(&mut state.durable_names, change);
            } else {
                state.pending_names.push(change);
            }
        }
        Ok(())
    }

    fn create_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    inode: Inode,
    generation: u64,
}

impl SimFile {
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.step()?;
        if state.generation != self.generation {
            return Err(io::Error::other("the file was opened before a crash"));
        }
        Ok(state)
    }

    fn write(&self, write: Write) -> io::Result<()> {
        let mut state = self.step()?;
        let file = &mut state.files[self.inode];
        apply(&mut file.current, &write);
        file.pending.push(write);
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.inode].current.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        let bytes = &state.files[self.inode].current;
        let end = offset as usize + buf.len();
        let read = bytes
            .get(offset as usize..end)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(read);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(Write::Bytes(offset, bytes.to_vec()))
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.write(Write::Len(len))
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.step()?;
        let file = &mut state.files[self.inode];
        file.pending.clear();
        file.durable = file.current.clone();
        Ok(())
    }
}

fn apply(content: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Len(len) => content.resize(*len as usize, 0),
        Write::Bytes(offset, bytes) => {
            let end = *offset as usize + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset as usize..end].copy_from_slice(bytes);
        }
    }
}

fn change_name(names: &mut BTreeMap<String, Inode>, change: NameChange) {
    match change {
        NameChange::Link(name, inode) => {
            // A file has one name here: linking it anew is the other half of a rename.
            names.retain(|_, linked| *linked != inode);
            names.insert(name, inode);
        }
        NameChange::Unlink(name) => {
            names.remove(&name);
        }
    }
}

fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{name}: no such file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn what_was_synced_survives_every_crash_and_what_was_not_may_go() {
        let mut lost = 0;
        for seed in 0..100 {
            let disk = SimDisk::new();
            let mut file = disk.create("a").unwrap();
            file.write_at(0, b"kept").unwrap();
            file.sync().unwrap();
            disk.sync_folder("").unwrap();
            file.write_at(4, b"gone?").unwrap();
            disk.crash(&mut CrashRng::seed_from_u64(seed));
            let file = disk.open("a").unwrap();
            let mut kept = [0; 4];
            file.read_at(0, &mut kept).unwrap();
            assert_eq!(&kept, b"kept");
            lost += u32::from(file.length().unwrap() < 9);
        }
        assert!(
            (20..100).contains(&lost),
            "{lost} of 100 lost the unsynced bytes"
        );
    }

    #[test]
    fn a_rename_is_there_as_a_whole_or_not_at_all() {
        for seed in 0..100 {
            let disk = SimDisk::new();
            disk.create("old").unwrap().sync().unwrap();
            disk.create("tmp").unwrap().sync().unwrap();
            disk.sync_folder("").unwrap();
            disk.rename("tmp", "old").unwrap();
            disk.crash(&mut CrashRng::seed_from_u64(seed));
            let names = disk.list("").unwrap();
            assert!(names == ["old"] || names == ["old", "tmp"], "{names:?}");
        }
    }

    #[test]
    fn after_the_chosen_step_everything_fails() {
        let disk = SimDisk::new();
        disk.crash_at(Some(2));
        let mut file = disk.create("a").unwrap();
        assert!(file.write_at(0, b"x").is_err());
        assert!(disk.create("b").is_err());
    }
}
