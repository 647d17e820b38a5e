//! A group of programs that does not fit into what it may use, so that its pages go to
//! the swap and come back; then memory that runs short.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command};

use super::super::Watched;
use super::{number, sh};
use crate::kernel;

const MIB: usize = 1 << 20;
/// Parts of all memory, a little less than the rules' levels. Of all there is so much
/// that what programs need of their files fits into the smaller.
const SHORT: f64 = 0.15;
const LOW: f64 = 0.04;
/// What may be used before anything goes to the swap, in MiB.
const ALLOWED: u64 = 32;
/// Nine tenths of the swap are wanted, in MiB.
const SWAPPED: u64 = kernel::SWAP.1 * 9 / 10;

/// Bytes, by what the kernel says of its memory.
fn memory(name: &str) -> usize {
    let kib = number("/proc/meminfo", &format!("{name}:"));
    (kib as usize) << 10
}

/// What can be put nowhere, so that little is left.
struct Pinned(fs::File);

impl Pinned {
    /// Takes more until as little is left as is wanted, a part of all.
    fn leave(&mut self, part: f64) {
        let wanted = memory("MemTotal") as f64 * part;
        while memory("MemAvailable") as f64 > wanted {
            self.0.write_all(&[1; MIB]).expect("memory that is left");
        }
    }
}

/// Programs that use more than they may, until they are dropped.
struct Hog(Child);

impl Hog {
    fn start() -> Self {
        let script = format!(
            "cd /sys/fs/cgroup; echo +memory > cgroup.subtree_control
            mkdir hog; echo {ALLOWED}M > hog/memory.max; echo $$ > hog/cgroup.procs
            dd if=/dev/zero of=/dev/shm/hog bs=1M count={} 2>/dev/null
            while :; do cat /dev/shm/hog > /dev/null; sleep 0.5; done",
            ALLOWED + SWAPPED
        );
        let shell = Command::new("sh").args(["-e", "-c", &script]).spawn();
        Self(shell.expect("a shell"))
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        // It may have ended by itself, which the rules have told.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the rules about memory fire.
pub(super) fn run_short(watched: &Watched) {
    sh(&format!(
        "mkswap {0} >/dev/null; swapon {0}; mkdir /run/held; mount -t ramfs held /run/held",
        kernel::SWAP.0
    ));
    let pages = fs::File::create("/run/held/pages").expect("a file in memory");
    let mut pinned = Pinned(pages);
    pinned.leave(SHORT);
    let hog = Hog::start();
    watched.fires(
        &[("SwapFull", "warning"), ("SwapThrashing", "warning")],
        || {},
    );
    drop(hog);
    sh("rm /dev/shm/hog; swapoff -a");
    let low = [("MemoryLow", "warning"), ("MemoryLow", "critical")];
    watched.fires(&low, || pinned.leave(LOW));
    drop(pinned);
    sh("umount /run/held");
}
