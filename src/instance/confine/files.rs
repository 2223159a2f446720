//! Landlock: what a sandboxed server may do in the file system.

use super::{path::follow, plan::Files};
use crate::instance::keeper::wire::{Failure, Step};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use nix::{errno::Errno, libc};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, OpenOptionsExt},
        },
    },
    path::{Path, PathBuf},
};

/// What every sandboxed server may read and execute, as far as it is there: programs and libraries, and of `/etc` what
/// they look up. What else is in `/etc` may be somebody's secret.
pub const READABLE: &[&str] = &[
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/opt",
    "/sbin",
    "/usr",
    "/proc",
    "/sys/devices/system/cpu",
    "/dev/fd",
    "/dev/random",
    "/dev/urandom",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/run/NetworkManager/resolv.conf",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/var/lib/ca-certificates",
];

/// What every sandboxed server may also write to.
pub const WRITABLE: &[&str] = &["/dev/full", "/dev/null", "/dev/tty", "/dev/zero"];

/// What a server needs besides, which differs from one to another.
pub struct Needs<'a> {
    /// Its PATH. Its folders may be read, and beside a folder `bin` its `lib`, where Node.js and Python have modules.
    pub path: &'a [u8],
    /// Its own folder, which it may write to.
    pub private: Option<&'a Path>,
    /// The file of the program, where it is a path.
    pub program: Option<&'a Path>,
    /// The program as a descriptor.
    pub own_binary: &'a dyn Descriptor,
}

/// An open file.
pub trait Descriptor {
    fn duplicate(&self) -> io::Result<File>;
}

impl<D: AsFd> Descriptor for D {
    fn duplicate(&self) -> io::Result<File> {
        Ok(self.as_fd().try_clone_to_owned()?.into())
    }
}

/// Restricts this thread, and all that it becomes and starts, for good: to these files, and if `no_tcp` names a version
/// of landlock, from TCP.
pub fn restrict(files: Option<&Files>, no_tcp: Option<u32>, needs: &Needs<'_>) -> Result<(), Failure> {
    let Some(version) = files.map(|files| files.landlock).or(no_tcp) else { return Ok(()) };
    let abi = ABI::from(i32::try_from(version).unwrap_or(i32::MAX));
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if files.is_some() {
        ruleset = ruleset.handle_access(AccessFs::from_all(abi)).map_err(failure)?;
        let scope = Scope::from_all(abi);
        if !scope.is_empty() {
            ruleset = ruleset.scope(scope).map_err(failure)?;
        }
    }
    if no_tcp.is_some() {
        ruleset = ruleset.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp).map_err(failure)?;
    }
    // With what a server has planted there at its last run, if that is below another one: then it is one too many here,
    // and less is granted.
    let writable = files.into_iter().flat_map(|files| &files.write).map(PathBuf::as_path).chain(needs.private);
    let writable = writable.filter_map(|path| follow(path, &[]).ok().flatten()).collect();
    let mut rules = Rules { ruleset: ruleset.create().map_err(failure)?, abi, writable };
    if let Some(files) = files {
        rules = rules.usual(needs)?;
        for (paths, access) in [(&files.read, rules.read()), (&files.write, rules.write())] {
            for path in paths {
                if let Some(real) = follow(path, &rules.writable).map_err(|error| failed(&error).at(path))? {
                    let opened = open(&real).map_err(|error| failed(&error).at(path))?;
                    rules = rules.allow(opened, access)?;
                }
            }
        }
    }
    rules.ruleset.restrict_self().map_err(failure).map(drop)
}

struct Rules {
    ruleset: RulesetCreated,
    abi: ABI,
    /// Folders of which the server has all that is in them; see [`follow`].
    writable: Vec<PathBuf>,
}

impl Rules {
    fn read(&self) -> BitFlags<AccessFs> {
        AccessFs::from_read(self.abi)
    }

    fn write(&self) -> BitFlags<AccessFs> {
        AccessFs::from_all(self.abi)
    }

    /// What no app has to ask for. Whatever of it is not there, or not for this user, is no matter.
    fn usual(mut self, needs: &Needs<'_>) -> Result<Rules, Failure> {
        let (read, write) = (self.read(), self.write());
        let folders = needs.path.split(|byte| *byte == b':').map(|folder| Path::new(OsStr::from_bytes(folder)));
        let folders: Vec<&Path> = folders.filter(|folder| folder.is_absolute()).collect();
        let beside = folders.iter().filter(|folder| folder.ends_with("bin")).map(|folder| folder.with_file_name("lib"));
        for path in folders.iter().map(|folder| folder.to_path_buf()).chain(beside) {
            // Whoever puts the root into a PATH does not mean that all may be read.
            if let Some(real) = self.there(&path)?.filter(|real| real.parent().is_some()) {
                self = self.allow_if_there(&real, read)?;
            }
        }
        for path in READABLE.iter().map(Path::new).chain(needs.program) {
            if let Some(real) = self.there(path)? {
                self = self.allow_if_there(&real, read)?;
            }
        }
        for path in WRITABLE.iter().map(Path::new).chain(needs.private) {
            self = self.allow_if_there(path, write)?;
        }
        let binary = needs.own_binary.duplicate().map_err(|error| failed(&error))?;
        self.allow(binary, read)
    }

    /// Where a path leads, if it is there for this user.
    fn there(&self, path: &Path) -> Result<Option<PathBuf>, Failure> {
        follow(path, &self.writable).or_else(|error| only_missing(&error).map(|()| None))
    }

    fn allow_if_there(self, path: &Path, access: BitFlags<AccessFs>) -> Result<Rules, Failure> {
        match open(path) {
            Ok(opened) => self.allow(opened, access),
            Err(error) => only_missing(&error).map(|()| self),
        }
    }

    fn allow(self, opened: File, access: BitFlags<AccessFs>) -> Result<Rules, Failure> {
        let kind = opened.metadata().map_err(|error| failed(&error))?.file_type();
        // What landlock does not govern: pipes behind /dev/fd.
        if kind.is_fifo() || kind.is_socket() {
            return Ok(self);
        }
        let access = if kind.is_dir() { access } else { access & AccessFs::from_file(self.abi) };
        let ruleset = self.ruleset.add_rule(PathBeneath::new(opened, access)).map_err(failure)?;
        Ok(Rules { ruleset, ..self })
    }
}

/// Needs no right to read.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)
}

/// A path may be missing. A server that starts without the system's libraries, because there was no descriptor left to
/// open their folder, would be a riddle.
fn only_missing(error: &io::Error) -> Result<(), Failure> {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => Err(failed(error)),
        _ => Ok(()),
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Step::Sandbox, error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
}

/// The number of the error is somewhere below.
fn failure(error: RulesetError) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return failed(error);
        }
        cause = error.source();
    }
    Failure::new(Step::Sandbox, Errno::ENOTSUP)
}
