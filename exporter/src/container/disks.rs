//! The disks with mounted file systems under cAdvisor's names: of the machine, since of
//! a container alone no kernel of today counts these.

use std::collections::{BTreeMap, BTreeSet};

use exposition::{Kind, Writer};

use crate::files::Files;

const MILLIS: f64 = 1e-3;

/// Name, help, kind, place among the numbers of a device, what it is multiplied with.
const FAMILIES: [(&str, &str, Kind, usize, f64); 9] = [
    (
        "container_fs_reads_merged_total",
        "Reads that were merged with others.",
        Kind::Counter,
        1,
        1.0,
    ),
    (
        "container_fs_sector_reads_total",
        "Sectors read.",
        Kind::Counter,
        2,
        1.0,
    ),
    (
        "container_fs_read_seconds_total",
        "Seconds of all reads together.",
        Kind::Counter,
        3,
        MILLIS,
    ),
    (
        "container_fs_writes_merged_total",
        "Writes that were merged with others.",
        Kind::Counter,
        5,
        1.0,
    ),
    (
        "container_fs_sector_writes_total",
        "Sectors written.",
        Kind::Counter,
        6,
        1.0,
    ),
    (
        "container_fs_write_seconds_total",
        "Seconds of all writes together.",
        Kind::Counter,
        7,
        MILLIS,
    ),
    (
        "container_fs_io_current",
        "Requests under way.",
        Kind::Gauge,
        8,
        1.0,
    ),
    (
        "container_fs_io_time_seconds_total",
        "Seconds in which requests were under way.",
        Kind::Counter,
        9,
        MILLIS,
    ),
    (
        "container_fs_io_time_weighted_seconds_total",
        "Those seconds, as many times as there were requests.",
        Kind::Counter,
        10,
        MILLIS,
    ),
];

/// A mounted device and its numbers.
type Disk = (String, Vec<f64>);

pub(super) fn encode(files: &mut Files<'_>, page: &mut Writer) {
    let mounted = match files.proc("1/mountinfo") {
        Ok(text) => mounted(&text),
        Err(_) => return,
    };
    let disks = match files.proc("diskstats") {
        Ok(text) => disks(&text, &mounted),
        Err(_) => return,
    };
    for (name, help, kind, at, factor) in FAMILIES {
        for (place, (device, numbers)) in disks.iter().enumerate() {
            if place == 0 {
                page.family(name, help, kind);
            }
            let value = numbers[at] * factor;
            page.sample(&[("device", device), ("id", "/")], value);
        }
    }
}

/// The devices below mounted file systems, by their numbers such as `8:1`.
fn mounted(mounts: &str) -> BTreeMap<String, String> {
    let mut devices = BTreeMap::new();
    for line in mounts.lines() {
        let Some((head, tail)) = line.split_once(" - ") else {
            continue;
        };
        let numbers = head.split_ascii_whitespace().nth(2);
        let device = tail.split_ascii_whitespace().nth(1);
        if let (Some(numbers), Some(device)) = (numbers, device)
            && device.starts_with("/dev/")
        {
            let known = devices.entry(numbers.to_owned());
            known.or_insert_with(|| device.to_owned());
        }
    }
    devices
}

fn disks(text: &str, mounted: &BTreeMap<String, String>) -> Vec<Disk> {
    let disk = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let numbers = format!("{}:{}", words.next()?, words.next()?);
        let device = mounted.get(&numbers)?.clone();
        let columns: Option<Vec<f64>> = words
            .skip(1)
            .take(11)
            .map(|word| word.parse().ok())
            .collect();
        let columns = columns.filter(|columns| columns.len() == 11)?;
        Some((device, columns))
    };
    let mut seen = BTreeSet::new();
    let disks = text.lines().filter_map(disk);
    disks
        .filter(|(device, _)| seen.insert(device.clone()))
        .collect()
}

/// Reads a text as both files, for those who throw any at it.
pub(super) fn any(text: &str) {
    disks(text, &mounted(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounted_devices_alone_are_told_each_once() {
        let mounts = "27 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
                      28 1 253:0 / /data rw - xfs /dev/mapper/vg-data rw\n\
                      29 1 253:0 /x /other rw - xfs /dev/mapper/vg-data rw\n\
                      30 1 0:5 / /proc rw - proc proc rw\nodd\n";
        let stats = "8 0 sda 1 1 1 1 1 1 1 1 1 1 1\n   8 1 sda1 1 2 3 4000 5 6 7 8000 9 10000 11000 12 13\n\
                     253 0 dm-0 1 2 3 4 5 6 7 8 9 10 11\n253 1 dm-1 1\n8 1 sda1 1 x\n8 1 sda1 9 9 9 9 9 9 9 9 9 9 9\n";
        let disks = disks(stats, &mounted(mounts));
        let told: Vec<_> = disks
            .iter()
            .map(|(device, numbers)| (device.as_str(), numbers[8]))
            .collect();
        assert_eq!(told, [("/dev/sda1", 9.0), ("/dev/mapper/vg-data", 9.0)]);
        assert_eq!(disks[0].1.len(), 11);
    }
}
