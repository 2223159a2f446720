//! Where to look for a root that is created, removed, or replaced.
//!
//! A watch on a folder follows the folder wherever it is moved, and says nothing about another one that takes its
//! name. So the folders are watched as well in which a name decides where the root is: the one that holds the root
//! itself, those that hold the symlinks on the way to it, and, while the root does not exist, the nearest one that
//! does.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    path::{Component, Path, PathBuf},
};

/// As many symlinks as the kernel follows.
const MAX_LINKS: usize = 40;

/// A name in a folder that decides where the root is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Guard {
    /// Absolute, without symlinks.
    pub folder: PathBuf,
    pub name: OsString,
}

/// The guards of a root. What cannot be looked at ends the way, like what does not exist.
pub(super) fn guards(root: &Path) -> Vec<Guard> {
    let Ok(absolute) = std::path::absolute(root) else { return vec![] };
    let mut rest = steps(&absolute);
    let mut at = PathBuf::from("/");
    let mut guards = vec![];
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let target = next.read_link();
        if target.is_ok() || rest.is_empty() || !next.is_dir() {
            guards.push(Guard { folder: at.clone(), name });
        }
        match target {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let mut target = steps(&target);
                target.append(&mut rest);
                rest = target;
            }
            Err(_) if next.is_dir() => at = next,
            _ => break,
        }
    }
    guards
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let step = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn every_name_that_decides() {
        let dir = tempfile::tempdir().expect("temp dir");
        let base = dir.path().canonicalize().expect("an absolute path");
        fs::create_dir_all(base.join("srv/releases/1/resources")).expect("folders");
        fs::create_dir_all(base.join("etc")).expect("folder");
        symlink("releases/1", base.join("srv/current")).expect("symlink");
        symlink(base.join("srv/current/resources"), base.join("etc/fleet")).expect("symlink");
        symlink("../etc/fleet", base.join("srv/back")).expect("symlink");
        symlink("loop", base.join("loop")).expect("symlink");
        let cases: &[(&str, &[&str])] = &[
            ("srv", &["srv"]),
            ("srv/releases/1", &["srv/releases/1"]),
            ("srv/current", &["srv/current", "srv/releases/1"]),
            ("srv/current/resources", &["srv/current", "srv/releases/1/resources"]),
            ("etc/fleet", &["etc/fleet", "srv/current", "srv/releases/1/resources"]),
            ("srv/back", &["srv/back", "etc/fleet", "srv/current", "srv/releases/1/resources"]),
            ("srv/missing", &["srv/missing"]),
            ("srv/missing/x/y", &["srv/missing"]),
            ("srv/current/missing/x", &["srv/current", "srv/releases/1/missing"]),
            ("srv/../etc", &["etc"]),
        ];
        for (root, expected) in cases {
            let found: Vec<_> = guards(&base.join(root)).into_iter().map(|g| g.folder.join(g.name)).collect();
            assert_eq!(found, expected.iter().map(|path| base.join(path)).collect::<Vec<_>>(), "{root}");
        }
        assert_eq!(guards(&base.join("loop")).len(), MAX_LINKS + 1);
        assert_eq!(guards(Path::new("/")), []);
    }
}
