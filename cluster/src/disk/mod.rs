//! The only door to stable storage.
//!
//! Everything that strata keeps goes through [`Disk`], so that a simulated disk can lose, tear and fail
//! what a real one would. Names are relative to the data folder; a folder inside it is part of the name.

mod power_loss;
mod real;
mod sim;

pub use power_loss::PowerLossDisk;
pub use real::RealDisk;
pub use sim::{CrashRng, SimDisk};

use std::io;

/// A data folder.
pub trait Disk: Send + Sync {
    /// Names of all files below `folder` (empty: the data folder itself), sorted, not recursive.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Creates a file, or empties it when it exists. Its name is durable after [`Disk::sync_folder`].
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Replaces `to` atomically. Durable after [`Disk::sync_folder`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals in this folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    fn create_folder(&self, folder: &str) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send {
    fn length(&self) -> io::Result<u64>;
    /// Fills `buf` from `offset`; an error when the file ends before.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// Makes the content and length durable.
    fn sync(&mut self) -> io::Result<()>;
}
