//! A machine in trouble with its tables, its clock, a disk, a network device and its
//! memory: all for real, under a kernel that runs as a program, so that nobody else notices.

mod shortage;

use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use super::Watched;
use crate::kernel;
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

#[test]
fn rules_about_the_machine_fire_for_a_kernel_that_is_in_trouble() {
    if !kernel::is_own() {
        kernel::run(&[
            "firing::guest::rules_about_the_machine_fire_for_a_kernel_that_is_in_trouble",
        ]);
        return;
    }
    lose_a_disk();
    // Every datagram is a connection in the kernel's eyes. Ours of TCP are to leave the
    // table at once: where it is full the next has to wait, a minute at worst.
    sh(
        "iptables-legacy -A INPUT -m conntrack --ctstate NEW -j ACCEPT
        cd /proc/sys/net/netfilter
        echo 2000 > nf_conntrack_max; echo 600 > nf_conntrack_udp_timeout
        for ended in close close_wait fin_wait last_ack time_wait; do
            echo 1 > nf_conntrack_tcp_timeout_$ended
        done",
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
            // Before the table is full: what is in it may go on.
            for _ in 0..50 {
                send(&socket, "10.8.8.2", 20);
            }
            send(&socket, "127.0.0.1", 1960);
        },
    );
    sh("iptables-legacy -F INPUT; echo 100000 > /proc/sys/net/netfilter/nf_conntrack_max");
    tell_offset(-400_000);
    watched.fires(&[("ClockSkew", "warning")], || {});
    shortage::run_short(&watched);
}
