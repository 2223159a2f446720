//! Where a path leads, if a server cannot have had a hand in it.

use nix::errno::Errno;
use std::{
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// As many as the kernel follows.
const LINKS: u32 = 40;

/// Follows an absolute path and its symlinks to what it names, which is given as a path without any.
///
/// `None`: the way leads through one of the `writable` folders, which are such paths themselves. What lies in there the
/// server may use anyway; and where its symlinks lead is its own doing, and not what somebody has granted it.
///
/// # Errors
/// Those of the kernel for such a path.
pub fn follow(path: &Path, writable: &[PathBuf]) -> io::Result<Option<PathBuf>> {
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut ahead = ahead(path);
    while let Some(name) = ahead.pop() {
        if writable.iter().any(|folder| at.starts_with(folder)) {
            return Ok(None);
        }
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(name);
        if !fs::symlink_metadata(&next)?.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::ELOOP.into());
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        ahead.extend(self::ahead(&target));
    }
    Ok(Some(at))
}

/// What is still to be walked, the next step last.
fn ahead(path: &Path) -> Vec<OsString> {
    let steps = path.components().filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir));
    steps.rev().map(|step| step.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_below_a_writable_folder_is_not_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().canonicalize().unwrap();
        let at = |name: &str| base.join(name);
        for folder in ["real/deep", "open/deep", "home"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for (link, target) in [
            ("alias", "real"),
            ("real/up", "../home"),
            ("far", "alias/up/../real/deep"),
            ("open/planted", "../home"),
            ("into", "open/planted"),
            ("round", "round"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        symlink(at("home"), at("whole")).unwrap();
        let writable = [at("open")];
        let led = |name: &str| follow(&at(name), &writable).map_err(|error| error.raw_os_error());
        for (name, expected) in [
            ("real/deep", "real/deep"),
            ("alias/deep", "real/deep"),
            ("alias/up", "home"),
            ("far", "real/deep"),
            ("whole", "home"),
            ("open", "open"),
        ] {
            assert_eq!(led(name), Ok(Some(at(expected))), "{name}");
        }
        for name in ["open/deep", "open/planted", "into", "open/nowhere", "open/../home"] {
            assert_eq!(led(name), Ok(None), "{name}");
        }
        assert_eq!(led("nowhere"), Err(Some(Errno::ENOENT as i32)));
        assert_eq!(led("round"), Err(Some(Errno::ELOOP as i32)));
        assert_eq!(follow(&at("into"), &[]).unwrap(), Some(at("home")));
        assert_eq!(follow("/..".as_ref(), &writable).unwrap(), Some("/".into()));
        assert_eq!(follow("/".as_ref(), &["/".into()]).unwrap(), Some("/".into()));
        assert_eq!(follow("/usr".as_ref(), &["/".into()]).unwrap(), None);
    }
}
