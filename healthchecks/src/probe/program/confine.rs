//! Keeping what a thread starts from writing: no program gives it more rights than it
//! has (`no_new_privs`), and by Landlock it writes to no file but those that were named,
//! root neither. Where the kernel has no Landlock only the first holds.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstat, open};

/// What may be done to a file, and to what lies in a folder, as Landlock numbers it.
const WRITE_FILE: u64 = 1 << 1;
/// Removing and making whatever there is.
const REMOVE_AND_MAKE: u64 = 0x1ff << 4;
/// Moving from folder to folder, since version 2.
const REFER: u64 = 1 << 13;
/// Cutting short, since version 3.
const TRUNCATE: u64 = 1 << 14;
/// Signals to those outside, since version 6.
const SIGNALS: u64 = 1 << 1;

/// Asks for the version that the kernel has.
const VERSION: u32 = 1;
/// A rule for what is beneath a path.
const BENEATH: u32 = 1;
/// Whoever writes there changes nothing.
const NOWHERE: &str = "/dev/null";

/// What a set of rules is about.
#[repr(C)]
struct About {
    files: u64,
    net: u64,
    scope: u64,
}

/// What may be done beneath a path.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    path: RawFd,
}

/// Confines this thread and what it starts from now on, and says whether it cannot write.
/// Who may write everywhere is not confined at all: whatever is, the kernel keeps from
/// looking into the processes of others.
///
/// # Errors
/// It could get more rights.
pub(super) fn confine(may_write: &[PathBuf]) -> io::Result<bool> {
    if may_write.iter().any(|path| path == Path::new("/")) {
        return Ok(false);
    }
    rustix::thread::set_no_new_privs(true)?;
    // What surrounds us may forbid all of this, or a part of it.
    Ok(kept_from_writing(may_write).unwrap_or(false))
}

/// By Landlock; false where the kernel has none.
fn kept_from_writing(may_write: &[PathBuf]) -> io::Result<bool> {
    let Ok(version @ 1..) = version() else {
        return Ok(false);
    };
    let since = |first: libc::c_long, right: u64| if version >= first { right } else { 0 };
    let handled = WRITE_FILE | REMOVE_AND_MAKE | since(2, REFER) | since(3, TRUNCATE);
    let rules = rules(&About {
        files: handled,
        net: 0,
        scope: since(6, SIGNALS),
    })?;
    let named = may_write.iter().map(PathBuf::as_path);
    for path in named.chain([Path::new(NOWHERE)]) {
        // What is not there cannot be written.
        let Ok(there) = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else {
            continue;
        };
        let kind = rustix::fs::FileType::from_raw_mode(fstat(&there)?.st_mode);
        let allowed = match kind.is_dir() {
            true => handled,
            false => handled & (WRITE_FILE | TRUNCATE),
        };
        // What cannot be named, such as a pipe, cannot be written either.
        let _ = allow(&rules, &there, allowed);
    }
    enforce(&rules)?;
    Ok(true)
}

#[expect(unsafe_code, reason = "no safe crate of ours wraps Landlock")]
fn version() -> io::Result<libc::c_long> {
    // SAFETY: with no structure and this flag the kernel reads and writes nothing of ours.
    told(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<About>(),
            0_usize,
            VERSION,
        )
    })
}

#[expect(unsafe_code, reason = "no safe crate of ours wraps Landlock")]
fn rules(about: &About) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as the structure has.
    let fd = told(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::from_ref(about),
            size_of::<About>(),
            0_u32,
        )
    })?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[expect(unsafe_code, reason = "no safe crate of ours wraps Landlock")]
fn allow(rules: &OwnedFd, path: &OwnedFd, allowed: u64) -> io::Result<()> {
    let rule = Beneath {
        allowed,
        path: path.as_raw_fd(),
    };
    // SAFETY: the kernel reads the structure, and both files are open.
    told(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            rules.as_raw_fd(),
            BENEATH,
            std::ptr::from_ref(&rule),
            0_u32,
        )
    })
    .map(drop)
}

#[expect(unsafe_code, reason = "no safe crate of ours wraps Landlock")]
fn enforce(rules: &OwnedFd) -> io::Result<()> {
    // SAFETY: the file is open, and no memory is handed over.
    told(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0_u32) })
        .map(drop)
}

fn told(answer: libc::c_long) -> io::Result<libc::c_long> {
    match answer {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}
