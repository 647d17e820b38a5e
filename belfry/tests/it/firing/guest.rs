//! A machine in trouble with its memory, its tables, its clock, a disk and a network
//! device: all for real, under a kernel that runs as a program, so that nobody else
//! notices.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Watched;
use crate::kernel::{self, DISK};
use crate::setup::Setup;
use crate::support::program;

fn sh(script: &str) {
    program::run(Command::new("sh").args(["-e", "-c", script]));
}

/// The first number of a line that begins so.
fn number(file: &str, start: &str) -> f64 {
    let text = fs::read_to_string(file).expect("a file of the kernel");
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    let words = line.unwrap_or_else(|| panic!("no {start} in {text}"));
    let word = words.split_ascii_whitespace().next().expect("a number");
    word.parse().expect("a number")
}

/// A mirror of two disks in memory, one of which fails.
fn lose_a_disk() {
    sh("modprobe raid1; modprobe brd rd_nr=2 rd_size=8192
        echo md0 > /sys/module/md_mod/parameters/new_array
        cd /sys/block/md0/md
        echo none > metadata_version; echo raid1 > level; echo 2 > raid_disks
        for disk in 0 1; do cat /sys/block/ram$disk/dev > new_dev; done
        echo 8192 > component_size
        for disk in 0 1; do echo $disk > dev-ram$disk/slot; done
        echo active > array_state; echo faulty > dev-ram1/state");
}

/// Sends one datagram to each of so many ports.
fn send(socket: &UdpSocket, host: &str, ports: u16) {
    for port in 10_000..10_000 + ports {
        // What the kernel cannot deliver it counts; that is what is wanted.
        let _ = socket.send_to(b"x", (host, port));
    }
}

/// Tells the kernel as a time service does how far the clock is off, in microseconds.
#[expect(unsafe_code, reason = "no safe crate of ours wraps adjtimex")]
fn tell_offset(micros: i64) {
    // SAFETY: timex is made of integers only, for which zeroes are valid.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    clock.modes = libc::ADJ_OFFSET | libc::ADJ_STATUS | libc::ADJ_TIMECONST;
    clock.status = libc::STA_PLL;
    clock.offset = micros;
    clock.constant = 6;
    // SAFETY: the pointer is to a timex that we own.
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    assert!(state >= 0, "{}", std::io::Error::last_os_error());
}

/// Files in memory that fill it, and the swap behind it.
struct Hog(usize);

impl Hog {
    const FOLDER: &str = "/fill";

    fn new() -> Self {
        sh(&format!(
            "umask 077; truncate -s 0 {0}/swap; dd if=/dev/zero of={0}/swap bs=1M count=32 2>&1
             mkswap {0}/swap; swapon {0}/swap; echo 200 > /proc/sys/vm/swappiness
             mkdir {1}; mount -t tmpfs -o size=4G tmpfs {1}",
            DISK.0,
            Self::FOLDER
        ));
        Self(0)
    }

    /// Takes a little more, unless next to nothing is left.
    fn grow(&mut self) {
        let file = "/proc/meminfo";
        let share = |part, whole| number(file, part) / number(file, whole);
        for _ in 0..20 {
            if share("MemAvailable:", "MemTotal:") < 0.04 && share("SwapFree:", "SwapTotal:") < 0.12
            {
                return;
            }
            let name = Path::new(Self::FOLDER).join(self.0.to_string());
            let _ = fs::write(name, vec![1_u8; 2 << 20]);
            self.0 += 1;
        }
    }

    /// Reads all of it again and again, so that it comes and goes.
    fn thrash(until: &AtomicBool) {
        while !until.load(Ordering::Relaxed) {
            for file in fs::read_dir(Self::FOLDER).expect("files").flatten() {
                let _ = fs::read(file.path());
                if until.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }
}

#[test]
fn rules_about_the_machine_fire_for_a_kernel_that_is_in_trouble() {
    if !kernel::is_own() {
        kernel::run(&[
            "firing::guest::rules_about_the_machine_fire_for_a_kernel_that_is_in_trouble",
        ]);
        return;
    }
    // When nothing is left at all, somebody else goes first.
    fs::write("/proc/self/oom_score_adj", "-900").expect("a score");
    lose_a_disk();
    // Every datagram is a connection in the kernel's eyes.
    sh(
        "iptables-legacy -A INPUT -m conntrack --ctstate NEW -j ACCEPT
        cd /proc/sys/net/netfilter
        echo 2000 > nf_conntrack_max; echo 600 > nf_conntrack_udp_timeout",
    );
    // A tunnel whose other end cannot be reached.
    sh("modprobe ipip
        ip tunnel add t0 mode ipip remote 10.9.9.9 local 127.0.0.1
        ip link set t0 up; ip address add 10.8.8.1/24 dev t0");
    // As engines hide files of the kernel from a container.
    sh("mount --bind /dev/null /proc/loadavg");
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let watched = Watched::start(Setup::new());
    // Of what is open, as many more as a tenth may be.
    let open = number("/proc/sys/fs/file-nr", "");
    fs::write("/proc/sys/fs/file-max", format!("{:.0}", open * 1.1)).expect("another limit");
    watched.fires(
        &[
            ("DiskArrayDegraded", "critical"),
            ("ConntrackFull", "warning"),
            ("ConntrackFull", "critical"),
            ("NetworkErrors", "warning"),
            ("FilesOpenNearLimit", "warning"),
            ("CollectorFailing", "warning"),
            // No time service has ever run here.
            ("ClockUnsynchronised", "warning"),
        ],
        || {
            send(&socket, "127.0.0.1", 1960);
            send(&socket, "10.8.8.2", 200);
        },
    );
    sh("iptables-legacy -F INPUT; echo 100000 > /proc/sys/net/netfilter/nf_conntrack_max");
    tell_offset(-400_000);
    watched.fires(&[("ClockSkew", "warning")], || {});
    let mut hog = Hog::new();
    watched.fires(
        &[
            ("MemoryLow", "warning"),
            ("MemoryLow", "critical"),
            ("SwapFull", "warning"),
        ],
        || hog.grow(),
    );
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| Hog::thrash(&enough));
        watched.fires(&[("SwapThrashing", "warning")], || {});
        enough.store(true, Ordering::Relaxed);
    });
}
