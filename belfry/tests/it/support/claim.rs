//! Ports and address ranges that no other test has, in this run or beside it.
//!
//! A claim is a lock on a file: the kernel drops it with the process, so a
//! killed test holds nothing. Ports lie below the range that the kernel gives
//! to outgoing connections, which could take one between claim and use.

use std::fs::{self, File};
use std::net::TcpListener;

const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A number that is ours until this value goes.
pub(crate) struct Claim {
    pub(crate) number: u16,
    _lock: File,
}

/// A TCP port on loopback where nothing listens.
pub(crate) fn port() -> Claim {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    claim("port", PORTS, free).expect("ten thousand ports cannot all be taken")
}

/// A number from 0 to 255, for the third byte of a network's addresses.
pub(crate) fn network() -> Claim {
    claim("network", 0..256, |_| true).expect("256 engines cannot all run")
}

fn claim(kind: &str, numbers: std::ops::Range<u16>, usable: impl Fn(u16) -> bool) -> Option<Claim> {
    // One folder for the tests of all crates, on which they must agree.
    let folder = std::env::temp_dir().join("belfry-it/claims");
    fs::create_dir_all(&folder).expect("a folder for claims");
    let count = u32::from(numbers.end - numbers.start);
    // Tests begin at different places, so that they rarely try the same file.
    let offset = std::process::id().wrapping_mul(97) % count;
    (0..count).find_map(|step| {
        let place = u16::try_from((offset + step) % count).expect("a range of u16");
        let number = numbers.start + place;
        let lock = File::create(folder.join(format!("{kind}-{number}"))).expect("a lock file");
        lock.try_lock().ok()?;
        usable(number).then_some(Claim {
            number,
            _lock: lock,
        })
    })
}
