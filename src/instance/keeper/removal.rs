//! Removing what a server has left in its directory, however deep: it may mean harm, so nothing here goes down with the
//! depth, neither the stack nor the number of open files.

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, renameat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, unlinkat},
};
use std::{
    ffi::OsString,
    fs, io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

/// Removes a directory with all that is in it. Follows no symlink.
///
/// # Errors
/// Of the first thing that cannot be removed.
pub fn remove_all(path: &Path) -> io::Result<()> {
    let top = open(&nix::fcntl::AT_FDCWD, path)?;
    let mut number = 0_u64;
    loop {
        let names = names(&top)?;
        if names.is_empty() {
            return fs::remove_dir(path);
        }
        for name in names.iter().filter(|name| !is_removed(&top, Path::new(name))) {
            let folder = open(&top, Path::new(name))?;
            // What is in a folder of the top becomes the top's, until there are no folders in folders any more.
            for inner in self::names(&folder)?.iter().filter(|inner| !is_removed(&folder, Path::new(inner))) {
                while let Err(errno) = renameat(&folder, Path::new(inner), &top, number.to_string().as_str()) {
                    // The name is taken.
                    if !matches!(errno, Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) {
                        return Err(errno.into());
                    }
                    number += 1;
                }
                number += 1;
            }
            unlinkat(&top, Path::new(name), UnlinkatFlags::RemoveDir)?;
        }
    }
}

/// Removes a file or an empty folder. Whatever is left is to be looked into.
fn is_removed(folder: &OwnedFd, name: &Path) -> bool {
    let removed = |flag| unlinkat(folder, name, flag).is_ok();
    removed(UnlinkatFlags::NoRemoveDir) || removed(UnlinkatFlags::RemoveDir)
}

fn open(at: &impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, path, flags, Mode::empty())
}

fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::mkdirat;

    #[test]
    fn it_removes_whatever_is_there_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let top = base.path().join("top");
        for folder in ["a/b/c", "a/0", "1", "x/0/0/0"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        for file in ["a/b/c/file", "0", "2", "x/0/0/1", "a/0/f"] {
            fs::write(top.join(file), "x").unwrap();
        }
        fs::create_dir(base.path().join("other")).unwrap();
        fs::write(base.path().join("other/kept"), "x").unwrap();
        std::os::unix::fs::symlink(base.path().join("other"), top.join("a/link")).unwrap();
        remove_all(&top).unwrap();
        assert!(!top.exists() && base.path().join("other/kept").exists());
        std::os::unix::fs::symlink(base.path().join("other"), &top).unwrap();
        assert!(remove_all(&top).is_err() && base.path().join("other/kept").exists());
        assert!(remove_all(&base.path().join("missing")).is_err());
    }

    #[test]
    fn depth_is_no_shelter() {
        let base = tempfile::tempdir().unwrap();
        let top = base.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut folder = open(&nix::fcntl::AT_FDCWD, &top).unwrap();
        for _ in 0..10_000 {
            mkdirat(&folder, "d", Mode::S_IRWXU).unwrap();
            folder = open(&folder, Path::new("d")).unwrap();
        }
        drop(folder);
        remove_all(&top).unwrap();
        assert!(!top.exists());
    }
}
