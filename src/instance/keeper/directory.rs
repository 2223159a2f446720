//! The private directories of instances.

use super::{
    errno_of,
    removal::remove_all,
    wire::{Directory, Failure, Order, Step},
};
use nix::{
    libc,
    unistd::{self, Gid, Uid},
};
use std::{
    ffi::CString,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// An empty directory for one instance. Locked while it is in use, so that a sweep leaves it alone; removed on drop.
pub struct PrivateDirectory {
    path: PathBuf,
    lock: File,
}

impl PrivateDirectory {
    /// Makes the directory that the order asks for, if it asks for one. It belongs to the server's user, and only that
    /// user can enter it.
    pub fn make(order: &Order) -> Result<Option<PrivateDirectory>, Failure> {
        let (parent, name) = match &order.directory {
            Directory::Private { parent, name } | Directory::Given { temporary: Some((parent, name)), .. } => {
                (parent, name)
            }
            Directory::Given { temporary: None, .. } => return Ok(None),
        };
        let failure = |error: io::Error| Failure::new(Step::MakeDirectory, errno_of(&error)).at(parent.join(name));
        DirBuilder::new().recursive(true).mode(0o711).create(parent).map_err(failure)?;
        let directory = create(parent, name).map_err(failure)?;
        // Where nothing can be locked no sweep takes it either.
        if let Err(TryLockError::WouldBlock) = directory.lock.try_lock() {
            return Err(failure(io::ErrorKind::WouldBlock.into()));
        }
        if let Some(user) = &order.user {
            unistd::fchown(&directory.lock, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
                .map_err(|errno| failure(errno.into()))?;
        }
        Ok(Some(directory))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes this the home of a server whose environment names none, because its user has none.
    pub fn be_home(&self, environment: &mut Vec<CString>) {
        self.be(b"HOME=", environment);
    }

    /// The same for its temporary files.
    pub fn be_temporary(&self, environment: &mut Vec<CString>) {
        self.be(b"TMPDIR=", environment);
    }

    fn be(&self, variable: &[u8], environment: &mut Vec<CString>) {
        if !environment.iter().any(|entry| entry.as_bytes().starts_with(variable)) {
            let entry = [variable, self.path.as_os_str().as_bytes()].concat();
            environment.extend(CString::new(entry));
        }
    }
}

/// The name is taken if a keeper of an agent that was killed has not finished yet, or was killed itself.
fn create(parent: &Path, name: &str) -> io::Result<PrivateDirectory> {
    let make = |path: PathBuf| -> io::Result<PrivateDirectory> {
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(PrivateDirectory { lock: File::open(&path)?, path })
    };
    match make(parent.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            make(parent.join(format!("{name}.{}", unistd::getpid())))
        }
        result => result,
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // What cannot be removed is left to the sweep at the agent's next start.
        let _ = remove_all(&self.path);
    }
}

/// Removes the private directories below `runtime_dir` that no keeper uses any more, and says how many.
///
/// # Errors
/// `runtime_dir` cannot be read. That it does not exist is no error.
pub fn sweep(runtime_dir: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(runtime_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let path = entry?.path();
        if let Some(_lock) = lock_unused(&path)
            && remove_all(&path).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

fn lock_unused(path: &Path) -> Option<File> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let directory = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    directory.try_lock().ok().map(|()| directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_nobody_holds() {
        let base = tempfile::tempdir().unwrap();
        let runtime_dir = base.path().join("run");
        assert_eq!(sweep(&runtime_dir).unwrap(), 0);
        let order = |name: &str| Order {
            program: crate::instance::launch::Program::OwnBinary,
            arguments: vec![],
            environment: vec![],
            directory: Directory::Private { parent: runtime_dir.clone(), name: name.into() },
            user: None,
            open_files: None,
            removal: None,
            groups: vec![],
            plan: crate::instance::confine::plan::Plan::default(),
        };
        let held = PrivateDirectory::make(&order("one")).unwrap().unwrap();
        let second = PrivateDirectory::make(&order("one")).unwrap().unwrap();
        assert_ne!(held.path(), second.path());
        fs::create_dir_all(runtime_dir.join("left/over")).unwrap();
        fs::write(runtime_dir.join("file"), "not ours").unwrap();
        std::os::unix::fs::symlink(base.path(), runtime_dir.join("link")).unwrap();

        assert_eq!(sweep(&runtime_dir).unwrap(), 1);
        assert!(held.path().is_dir() && second.path().is_dir());
        assert!(!runtime_dir.join("left").exists());
        assert!(runtime_dir.join("file").exists() && runtime_dir.join("link").exists());

        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
