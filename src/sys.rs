//! The system calls that no crate offers safely, and the choice of an allocator: the only `unsafe` of this program.

pub mod memory;

use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::Signal,
        socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg},
    },
    unistd::{ForkResult, Pid},
};
use std::{
    fs, io,
    io::IoSliceMut,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

/// The most descriptors that one message to [`receive`] may carry.
pub const MAX_DESCRIPTORS: usize = 4;

/// Forks a process that has a single thread, so that the child may do all that the parent may.
///
/// # Errors
/// Refuses with `EDEADLK` when there are more threads: locks that they hold would stay locked in the child for ever.
pub fn fork() -> nix::Result<ForkResult> {
    let threads = fs::read_dir("/proc/self/task").map_err(|_| Errno::ENOSYS)?.count();
    if threads != 1 {
        return Err(Errno::EDEADLK);
    }
    // SAFETY: this is the only thread, so no other can hold a lock or be half way through a change of memory.
    unsafe { nix::unistd::fork() }
}

/// Closes every descriptor from 3 up: those that a parent left open by mistake would otherwise be held open, and be
/// passed on, for as long as this process lives.
///
/// To be called first thing in `main`, before anything of this process owns such a descriptor.
pub fn close_inherited_descriptors() {
    let first: libc::c_uint = 3;
    // SAFETY: takes no pointers; that no owner of a descriptor exists yet is the caller's promise.
    if unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } == 0 {
        return;
    }
    // Kernels before 5.9, and sandboxes that do not know the call.
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<RawFd> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // SAFETY: as above. The directory that was read is closed by now; closing its number again does nothing.
        unsafe { libc::close(descriptor) };
    }
}

/// Makes this process react to signals as a new program expects it: nothing is ignored. (What is ignored stays so
/// across exec, and the Rust runtime ignores SIGPIPE.)
pub fn reset_signal_dispositions() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: installs no handler. Refused for SIGKILL and SIGSTOP, which cannot be ignored, and for two that belong
        // to the C library.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// A handle to a process, which stays that of this process when its number passes to another one.
///
/// # Errors
/// `ESRCH` if there is none; `ENOSYS` before Linux 5.3.
pub fn open_process(pid: Pid) -> nix::Result<OwnedFd> {
    let flags: libc::c_uint = 0;
    // SAFETY: takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), flags) };
    let descriptor = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made it for this process, and nothing else knows it. It is closed on exec.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sends a signal to the process of a handle.
///
/// # Errors
/// `ESRCH` if it has ended, `EPERM` if it is another user's.
pub fn signal_process(process: BorrowedFd<'_>, signal: Signal) -> nix::Result<()> {
    let (flags, information): (libc::c_uint, *const libc::siginfo_t) = (0, std::ptr::null());
    // SAFETY: the one pointer may be null: the kernel then says of the signal what it says after `kill`.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal as libc::c_int, information, flags)
    };
    Errno::result(result).map(drop)
}

/// Reads from a Unix socket once, with the descriptors that came along; they are closed on exec.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel has just made these descriptors for this process, and nothing else knows them.
            descriptors.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, descriptors))
}

/// Bytes of objects that libgit2 remembers, of all repositories together.
const GIT_CACHE: isize = 8 << 20;

/// Takes away what libgit2 would otherwise obey besides its arguments:
///
/// - The settings of the machine and of the user (`insteadOf`, proxies, a file that cannot be parsed): what an agent
///   does follows from its own configuration.
/// - The refusal to open a repository that belongs to another user, which would keep mounted repositories out. It is
///   there for programs that run what a repository's own settings name, such as hooks; this one reads objects and
///   references, and runs nothing.
///
/// And keeps what libgit2 remembers of objects within bounds that an agent of many months can live with: it takes 256 MiB.
///
/// To be called before anything else is done with libgit2.
pub fn prepare_git() -> Result<(), git2::Error> {
    use git2::ConfigLevel::{Global, ProgramData, System, XDG};
    for level in [System, Global, XDG, ProgramData] {
        // SAFETY: libgit2 is not yet in use by any thread: the caller's promise.
        unsafe { git2::opts::set_search_path(level, "")? };
    }
    // SAFETY: as above.
    unsafe { git2::opts::set_cache_max_size(GIT_CACHE)? };
    // SAFETY: as above.
    unsafe { git2::opts::set_verify_owner_validation(false) }
}

/// Sees to it that no capability is passed on to what this process becomes: clears the ambient and the inheritable set.
/// What root has because it is root stays.
pub fn drop_inheritable_capabilities() -> nix::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Sets {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let none: libc::c_ulong = 0;
    // SAFETY: takes no pointers.
    let cleared = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, none, none, none) };
    match Errno::result(cleared) {
        // Kernels before 4.3 have no ambient set.
        Ok(_) | Err(Errno::EINVAL) => {}
        Err(errno) => return Err(errno),
    }
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: both are what version 3 of the call wants: a header, and two sets of 32 bits each. They outlive it.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) })?;
    for half in &mut sets {
        half.inheritable = 0;
    }
    // SAFETY: as above.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) }).map(drop)
}

/// Switches on the loopback interface of this process's network.
pub fn raise_loopback() -> nix::Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: a structure of numbers only, for which all zeros are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the descriptor is open, and the structure is the one that this request reads.
    Errno::result(unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }).map(drop)
}

/// The version of landlock that the kernel has.
///
/// # Errors
/// `ENOSYS`: the kernel was built without it; `EOPNOTSUPP`: it was started without it.
pub fn landlock_version() -> nix::Result<u32> {
    const VERSION: libc::c_uint = 1;
    let size: libc::size_t = 0;
    // SAFETY: with this flag the call reads no memory.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), size, VERSION) };
    Errno::result(version).map(|version| u32::try_from(version).unwrap_or(0))
}
