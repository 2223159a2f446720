//! The folder of the secrets, and one file of it.

use super::value::{MAX_BYTES, Value};
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::Mode,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// How often the way to a file is gone again, because a mount was swapped under it.
const ATTEMPTS: usize = 4;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoValue {
    Missing,
    /// A clause for people, without anything of the content: "is empty".
    Unusable(String),
}

/// Reads the secret `name`, which is a plain file name. Symlinks are followed as long as they stay in the folder, as
/// those of a Kubernetes mount do. Blocking.
///
/// # Errors
/// When there is no such file, or none that can be a secret.
pub fn read(folder: &Path, name: &str) -> Result<Value, NoValue> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(unusable("is not a plain file name"));
    }
    let file = open(folder, name)?;
    let failed = |error: io::Error| unusable(format!("cannot be read: {error}"));
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(unusable("is not a regular file"));
    }
    let too_large = || unusable("is larger than 64 KiB");
    if metadata.len() > MAX_BYTES {
        return Err(too_large());
    }
    // Room for more than may be there, so that growing leaves no copies of a secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(0) + 64));
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    Value::new(content).map_err(unusable)
}

fn unusable(why: impl Into<String>) -> NoValue {
    NoValue::Unusable(why.into())
}

/// Never waits: whatever has taken the file's place is opened without blocking, and found to be no file after.
fn open(folder: &Path, name: &str) -> Result<File, NoValue> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let root = match nix::fcntl::open(folder, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()) {
        Ok(root) => root,
        Err(errno) => return Err(not_opened(errno)),
    };
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_BENEATH);
    let mut last = Errno::EAGAIN;
    for _ in 0..ATTEMPTS {
        match openat2(&root, name, how) {
            Ok(file) => return Ok(file.into()),
            // Something was renamed on the way.
            Err(Errno::EAGAIN) => {}
            // An old kernel, or a filter that refuses the call.
            Err(Errno::ENOSYS | Errno::EPERM) => match open_resolved(folder, name, flags) {
                Err(NoValue::Missing) => last = Errno::ENOENT,
                result => return result,
            },
            // What open says to a socket, or to a device without a driver.
            Err(Errno::ENXIO | Errno::ENODEV) => return Err(unusable("is not a regular file")),
            Err(Errno::EXDEV) => return Err(unusable("leads out of the folder of the secrets")),
            Err(errno) => return Err(not_opened(errno)),
        }
    }
    Err(not_opened(last))
}

/// The same without the kernel's help. What changes in between is the work of somebody who may write in the folder.
fn open_resolved(folder: &Path, name: &str, flags: OFlag) -> Result<File, NoValue> {
    let resolve = |path: &Path| fs::canonicalize(path).map_err(|error| not_opened(errno_of(&error)));
    let (folder, file) = (resolve(folder)?, resolve(&folder.join(name))?);
    if !file.starts_with(&folder) {
        return Err(unusable("leads out of the folder of the secrets"));
    }
    let flags = (flags | OFlag::O_NOFOLLOW).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(&file);
    opened.map_err(|error| not_opened(errno_of(&error)))
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn not_opened(errno: Errno) -> NoValue {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => NoValue::Missing,
        errno => unusable(format!("cannot be read: {}", io::Error::from(errno))),
    }
}

/// The files of the folder that every user of the machine can read, by name. Blocking.
pub fn readable_by_all(folder: &Path) -> Vec<String> {
    let is_open = |path: &Path, bit: u32| fs::metadata(path).is_ok_and(|metadata| metadata.mode() & bit != 0);
    if !is_open(folder, 0o001) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file() && is_open(&entry.path(), 0o004))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn shown(result: Result<Value, NoValue>) -> String {
        match result {
            Ok(value) => String::from_utf8_lossy(value.reveal()).into_owned(),
            Err(NoValue::Missing) => "missing".into(),
            Err(NoValue::Unusable(why)) => why,
        }
    }

    #[test]
    fn only_small_files_of_the_folder_are_secrets() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("secrets");
        fs::create_dir_all(folder.join("sub")).unwrap();
        let write = |name: &str, content: &[u8]| fs::write(folder.join(name), content).unwrap();
        fs::write(base.path().join("outside"), "not yours").unwrap();
        write("plain", b"hush\n");
        write("sub/inner", b"deep");
        write(".hidden", b"x");
        write("full", &[b'x'; 64 << 10]);
        write("over", &[b'x'; (64 << 10) + 1]);
        write("empty", b"\n");
        write("nul", b"a\0b");
        symlink("plain", folder.join("link")).unwrap();
        symlink("sub/inner", folder.join("deep")).unwrap();
        symlink("../outside", folder.join("out")).unwrap();
        symlink(base.path().join("outside"), folder.join("absolute")).unwrap();
        symlink("loop", folder.join("loop")).unwrap();
        symlink("nowhere", folder.join("dangling")).unwrap();
        nix::unistd::mkfifo(&folder.join("fifo"), Mode::S_IRWXU).unwrap();
        let table = [
            ("plain", "hush"),
            ("link", "hush"),
            ("deep", "deep"),
            ("missing", "missing"),
            ("dangling", "missing"),
            ("over", "is larger than 64 KiB"),
            ("empty", "is empty"),
            ("nul", "has a NUL in it, which no environment variable can"),
            ("out", "leads out of the folder of the secrets"),
            ("absolute", "leads out of the folder of the secrets"),
            ("sub", "is not a regular file"),
            ("fifo", "is not a regular file"),
            ("sub/inner", "is not a plain file name"),
            ("../outside", "is not a plain file name"),
            ("..", "is not a plain file name"),
            (".hidden", "is not a plain file name"),
            ("", "is not a plain file name"),
        ];
        for (name, expected) in table {
            assert_eq!(shown(read(&folder, name)), expected, "{name}");
            // An old kernel must come to the same.
            if !name.is_empty() && !expected.contains("plain") && !matches!(name, "sub" | "fifo") {
                let opened = open_resolved(&folder, name, OFlag::O_CLOEXEC);
                let wrong = matches!(expected, "missing" | "leads out of the folder of the secrets");
                assert_eq!(opened.is_err(), wrong, "{name}");
            }
        }
        assert_eq!(shown(read(&folder, "full")).len(), 64 << 10);
        assert!(shown(read(&folder, "loop")).starts_with("cannot be read: "));
        assert_eq!(shown(read(&base.path().join("nowhere"), "plain")), "missing");
    }

    #[test]
    fn what_everybody_can_read_is_found() {
        let base = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(base.path(), 0o755);
        for (name, bits) in [("open", 0o644), ("group", 0o640), ("own", 0o600), (".hidden", 0o644)] {
            fs::write(base.path().join(name), "x").unwrap();
            mode(&base.path().join(name), bits);
        }
        symlink("open", base.path().join("link")).unwrap();
        symlink("own", base.path().join("closed")).unwrap();
        assert_eq!(readable_by_all(base.path()), ["link", "open"]);
        mode(base.path(), 0o700);
        assert!(readable_by_all(base.path()).is_empty());
        assert!(readable_by_all(&base.path().join("nowhere")).is_empty());
    }
}
