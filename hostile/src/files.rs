//! What stands on the disk: chunks in snapshots and archives, samples in logs, hours
//! in roll-ups. Checksums are made good, since a fuzzer would not get past them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use exposition::Labels;
use series::{Settings, Store, Summary};

use crate::NOW;

const MAGIC: &[u8] = b"series1\n";
/// The files of a folder, by the number that a payload begins with.
const NAMES: [&str; 4] = [
    "snapshot",
    "log-00000001",
    "rollup/19675-0000",
    "archive/00000001",
];

/// The bytes are payloads of records: which file, how long, and so many bytes.
///
/// # Panics
/// If what was read is out of order.
pub fn files(bytes: &[u8]) {
    let Ok(dir) = tempfile::tempdir() else {
        return;
    };
    let folder = dir.path().join("series");
    for name in ["rollup", "archive"] {
        if fs::create_dir_all(folder.join(name)).is_err() {
            return;
        }
    }
    let mut contents = NAMES.map(|_| MAGIC.to_vec());
    let mut rest = bytes;
    while let [file, low, high, more @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (payload, behind) = more.split_at(length);
        record(&mut contents[usize::from(*file) % NAMES.len()], payload);
        rest = behind;
    }
    for (name, content) in NAMES.iter().zip(contents) {
        if fs::write(folder.join(name), content).is_err() {
            return;
        }
    }
    read(dir.path());
}

fn read(dir: &Path) {
    let _ = series::check(dir);
    let (store, _) = Store::open(dir, Settings::default());
    let in_order = |_: &Labels, samples: &mut Vec<(i64, f64)>| {
        assert!(samples.windows(2).all(|two| two[0].0 < two[1].0));
        Ok::<_, ()>(())
    };
    for summary in [Summary::Last, Summary::Mean] {
        let _ = store.visit_history(&[], i64::MIN, i64::MAX, summary, in_order);
    }
    let _ = store.series_history(&[], i64::MIN, i64::MAX);
    let _ = store.newest(&[], i64::MIN, i64::MAX);
    let _ = store.maintain(NOW);
    let _ = store.flush();
    let _ = store.roll_up(NOW);
    let _ = store.put_away(NOW);
}

/// A record with its checksums.
fn record(out: &mut Vec<u8>, payload: &[u8]) {
    let mut head = Vec::from((payload.len() as u32).to_le_bytes());
    head.extend(crc32fast::hash(payload).to_le_bytes());
    let check = crc32fast::hash(&head);
    out.extend(head);
    out.extend(check.to_le_bytes());
    out.extend(payload);
}

/// The payloads of folders that a store wrote.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    [0, 1 << 20].into_iter().filter_map(written).collect()
}

fn written(log_bytes: u64) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().ok()?;
    let settings = Settings {
        retention: Duration::from_secs(4 * 3600),
        log_bytes,
        ..Settings::default()
    };
    let (store, _) = Store::open(dir.path(), settings);
    for at in 0..600_i64 {
        let time = NOW + at * 15_000;
        let of = |name: &str| Labels::from_pairs([("__name__", name), ("host", "a")]);
        store.append(&of("limit"), time, 5.0).ok()?;
        store.append(&of("wave"), time, (at as f64).sin()).ok()?;
        store.append(&of("count"), time, (at * 3) as f64).ok()?;
        if at % 100 == 99 {
            store.flush().ok()?;
        }
    }
    store.roll_up(NOW + 600 * 15_000).ok()?;
    store.maintain(NOW + 600 * 15_000);
    store.put_away(NOW + 600 * 15_000).ok()?;
    let mut out = Vec::new();
    for (number, name) in NAMES.iter().enumerate() {
        let file = match number {
            2 => fs::read_dir(dir.path().join("series/rollup"))
                .ok()?
                .flatten()
                .next()?
                .path(),
            _ => dir.path().join("series").join(name),
        };
        let Ok(bytes) = fs::read(file) else {
            // The log may be folded away; an archive there must be.
            assert!(!name.starts_with("archive"), "nothing was put away");
            continue;
        };
        let mut rest = bytes.strip_prefix(MAGIC)?;
        while let Some((head, behind)) = rest.split_at_checked(12) {
            let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
            let (payload, next) = behind.split_at_checked(length)?;
            out.push(number as u8);
            out.extend(u16::try_from(length).ok()?.to_le_bytes());
            out.extend(payload);
            rest = next;
        }
    }
    Some(out)
}
