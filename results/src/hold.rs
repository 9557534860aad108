//! A folder that is worked on: a lock that ends with the program that took it, however that ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// While this lives, [`Hold::take`] of the same folder gives none, here or in another program.
#[derive(Debug)]
pub struct Hold {
    _folder: File,
}

impl Hold {
    /// `None`: the folder is held already.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        let file = File::open(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _folder: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_until_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Hold::take(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(Hold::take(folder.path()).unwrap().is_none());
        drop(first);
        assert!(Hold::take(folder.path()).unwrap().is_some());
    }
}
