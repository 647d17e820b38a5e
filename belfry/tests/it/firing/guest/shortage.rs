//! Memory that runs short: first all that there is, then what was put out of it comes
//! back, page by page, while others go.

use super::super::Watched;
use super::{number, sh};
use crate::kernel;

const MIB: usize = 1 << 20;
/// So much is left for all that runs before anything is put out of memory.
const LEFT: usize = 120 * MIB;
/// The kernel's own pages.
const PAGE: usize = 4096;
/// So many are used each time that somebody looks: several times as many as the rule
/// about thrashing allows, and so few that others get their turn.
const AT_ONCE: usize = 6000;

/// Bytes, by what the kernel says of its memory.
fn memory(name: &str) -> usize {
    let kib = number("/proc/meminfo", &format!("{name}:"));
    (kib as usize) << 10
}

/// Memory in use.
#[derive(Default)]
struct Hog {
    held: Vec<Vec<u8>>,
    at: usize,
}

impl Hog {
    /// Takes more until little of the swap is free, and uses the next pages of all.
    fn work(&mut self) {
        let nearly_full = || memory("SwapFree") < memory("SwapTotal") / 12;
        for _ in 0..40 {
            if nearly_full() {
                break;
            }
            self.held.push(vec![1; MIB]);
        }
        for _ in 0..AT_ONCE {
            self.at = (self.at + PAGE) % (self.held.len() * MIB);
            let byte = &mut self.held[self.at / MIB][self.at % MIB];
            *byte = byte.wrapping_add(1);
        }
    }
}

/// Has the rules about memory fire.
pub(super) fn run_short(watched: &Watched) {
    sh(&format!(
        "mkswap {0} >/dev/null; swapon {0}; mkdir /run/held; mount -t ramfs held /run/held",
        kernel::SWAP.0
    ));
    // What can be put nowhere, so that little is left.
    let spare = memory("MemAvailable").saturating_sub(LEFT) / MIB;
    sh(&format!(
        "dd if=/dev/zero of=/run/held/pages bs=1M count={spare} 2>/dev/null"
    ));
    let mut hog = Hog::default();
    watched.fires(
        &[
            ("MemoryLow", "warning"),
            ("MemoryLow", "critical"),
            ("SwapFull", "warning"),
            ("SwapThrashing", "warning"),
        ],
        || hog.work(),
    );
    drop(hog);
    sh("umount /run/held; swapoff -a");
}
