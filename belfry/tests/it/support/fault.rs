//! File systems that fail: one that is too small, one that never answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::scratch::Scratch;
use super::{poll, program};

/// A file system of a few megabytes, which a test can fill to the last byte.
pub(crate) struct SmallDisk {
    scratch: Scratch,
}

impl SmallDisk {
    /// Mounts one of so many bytes.
    #[track_caller]
    pub(crate) fn new(size_bytes: u64) -> Self {
        let disk = Self {
            scratch: Scratch::new(),
        };
        fs::create_dir(disk.path()).expect("a place to mount at");
        let options = format!("size={size_bytes},mode=0777");
        program::run(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &options, "small"])
                .arg(disk.path()),
        );
        disk
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path.join("disk")
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut filler =
            fs::File::create(self.path().join("filler")).expect("a file on the small disk");
        let copied = std::io::copy(&mut std::io::repeat(0), &mut filler);
        let err = copied.expect_err("a small disk has an end");
        assert_eq!(err.kind(), std::io::ErrorKind::StorageFull, "{err}");
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.path().join("filler")).expect("the disk was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.path());
    }
}

/// A mount that hangs like a network file system whose server is gone: any look
/// at it waits until this value goes.
pub(crate) struct HungMount {
    // A process that holds the kernel's side of a FUSE mount, and never reads from it.
    _holder: Process,
    scratch: Scratch,
}

impl HungMount {
    /// Mounts one.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let path = scratch.path.join("hung");
        fs::create_dir(&path).expect("a place to mount at");
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "exec 3<>/dev/fuse; mount -i -t fuse -o \"$0\" hung \"$1\" && exec sleep infinity",
            ])
            .arg("fd=3,rootmode=40000,user_id=0,group_id=0,allow_other")
            .arg(&path);
        let mut holder =
            Process::spawn("hung mount", &mut command, &scratch.path.join("holder.log"));
        holder.ready("the hung mount should stand", || {
            mounted(&path).then_some(())
        });
        Self {
            _holder: holder,
            scratch,
        }
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path.join("hung")
    }
}

impl Drop for HungMount {
    fn drop(&mut self) {
        // Lazily: the holder ends after this, and with it every hanging look.
        unmount(&self.path());
        poll::holds("the hung mount should be gone", || !mounted(&self.path()));
    }
}

fn mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/mounts").expect("/proc/mounts");
    mounts.lines().any(|line| {
        line.split(' ')
            .nth(1)
            .is_some_and(|at| Path::new(at) == path)
    })
}

fn unmount(path: &Path) {
    let _ = program::attempt(Command::new("umount").arg("--lazy").arg(path));
}

/// A disk that can be made to hang: whoever writes to it waits until it goes on.
pub(crate) struct FreezableDisk {
    scratch: Scratch,
    frozen: bool,
}

impl FreezableDisk {
    /// Makes one of 32 MiB in a file, and mounts it.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let disk = Self {
            scratch: Scratch::new(),
            frozen: false,
        };
        fs::create_dir(disk.path()).expect("a place to mount at");
        let image = disk.scratch.path.join("image");
        let file = fs::File::create(&image).expect("a file for the disk");
        file.set_len(32 << 20).expect("room for the disk");
        let mkfs = program::find("mkfs.ext4", "e2fsprogs");
        program::run(Command::new(mkfs).arg("-q").arg(&image));
        program::run(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(disk.path()),
        );
        disk
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path.join("disk")
    }

    /// From now on every write waits.
    #[track_caller]
    pub(crate) fn freeze(&mut self) {
        program::run(Command::new("fsfreeze").arg("-f").arg(self.path()));
        self.frozen = true;
    }

    /// Lets all writes go on.
    pub(crate) fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            program::run(Command::new("fsfreeze").arg("-u").arg(self.path()));
        }
    }
}

impl Drop for FreezableDisk {
    fn drop(&mut self) {
        self.thaw();
        unmount(&self.path());
    }
}
