//! Block devices: `/proc/diskstats`, and who they are.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

const SECTOR_BYTES: f64 = 512.0;
const SECONDS: f64 = 1e-3;

/// The columns behind the device name: family, help, factor, kind.
const COLUMNS: [(&str, &str, f64, Kind); 17] = [
    (
        "node_disk_reads_completed_total",
        "Reads finished.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_reads_merged_total",
        "Reads merged with a neighbour.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_read_bytes_total",
        "Bytes read.",
        SECTOR_BYTES,
        Kind::Counter,
    ),
    (
        "node_disk_read_time_seconds_total",
        "Seconds of all reads together.",
        SECONDS,
        Kind::Counter,
    ),
    (
        "node_disk_writes_completed_total",
        "Writes finished.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_writes_merged_total",
        "Writes merged with a neighbour.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_written_bytes_total",
        "Bytes written.",
        SECTOR_BYTES,
        Kind::Counter,
    ),
    (
        "node_disk_write_time_seconds_total",
        "Seconds of all writes together.",
        SECONDS,
        Kind::Counter,
    ),
    ("node_disk_io_now", "Requests in flight.", 1.0, Kind::Gauge),
    (
        "node_disk_io_time_seconds_total",
        "Seconds in which requests were in flight.",
        SECONDS,
        Kind::Counter,
    ),
    (
        "node_disk_io_time_weighted_seconds_total",
        "Seconds of all requests together.",
        SECONDS,
        Kind::Counter,
    ),
    (
        "node_disk_discards_completed_total",
        "Discards finished.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_discards_merged_total",
        "Discards merged with a neighbour.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_discarded_sectors_total",
        "Sectors of 512 bytes discarded.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_discard_time_seconds_total",
        "Seconds of all discards together.",
        SECONDS,
        Kind::Counter,
    ),
    (
        "node_disk_flush_requests_total",
        "Flushes finished.",
        1.0,
        Kind::Counter,
    ),
    (
        "node_disk_flush_requests_time_seconds_total",
        "Seconds of all flushes together.",
        SECONDS,
        Kind::Counter,
    ),
];

/// One line; older kernels have fewer columns.
#[derive(Debug, PartialEq)]
struct Disk<'a> {
    major: &'a str,
    minor: &'a str,
    name: &'a str,
    columns: Vec<f64>,
}

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let text = files.proc("diskstats")?.into_owned();
    let disks = parse(&text);
    for (at, (name, help, factor, kind)) in COLUMNS.iter().enumerate() {
        let mut open = false;
        for disk in &disks {
            let Some(value) = disk.columns.get(at) else {
                continue;
            };
            if !open {
                page.family(name, help, *kind);
                open = true;
            }
            page.sample(&[("device", disk.name)], value * factor);
        }
    }
    identify(&disks, files, page);
    Ok(())
}

fn parse(text: &str) -> Vec<Disk<'_>> {
    let disk = |line| {
        let mut words = str::split_ascii_whitespace(line);
        let (major, minor, name) = (words.next()?, words.next()?, words.next()?);
        if is_part(name) {
            return None;
        }
        let columns: Result<Vec<f64>, _> = words.map(str::parse).collect();
        Some(Disk {
            major,
            minor,
            name,
            columns: columns.ok()?,
        })
    };
    text.lines().filter_map(disk).collect()
}

/// Whether a device is left out: partitions, whose whole disk is told, and
/// devices in memory.
fn is_part(name: &str) -> bool {
    let head = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if head.len() == name.len() {
        return false;
    }
    let disk_letter = |head: &str| {
        let letter = ["hd", "sd", "vd", "xvd"]
            .iter()
            .find_map(|kind| head.strip_prefix(kind));
        letter.is_some_and(|letter| {
            letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_lowercase())
        })
    };
    let nvme_part = |head: &str| head.starts_with("nvme") && head.ends_with('p');
    matches!(head, "ram" | "zram" | "loop" | "fd") || disk_letter(head) || nvme_part(head)
}

/// What udev noted about each device.
fn identify(disks: &[Disk<'_>], files: &mut Files<'_>, page: &mut Writer) {
    page.family(
        "node_disk_info",
        "Who a block device is, as udev knows it.",
        Kind::Gauge,
    );
    let mut filesystems = Vec::new();
    let mut mapped = Vec::new();
    for disk in disks {
        let note = files
            .roots
            .root
            .join(format!("run/udev/data/b{}:{}", disk.major, disk.minor));
        let note = files
            .text(&note)
            .map(|text| text.into_owned())
            .unwrap_or_default();
        let entry = |key: &str| {
            let lines = note.lines().filter_map(|line| line.strip_prefix("E:"));
            let mut entries = lines.filter_map(|line| line.split_once('='));
            entries
                .find(|(name, _)| *name == key)
                .map_or("", |(_, value)| value)
        };
        let serial = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"].map(entry);
        let serial = serial
            .into_iter()
            .find(|serial| !serial.is_empty())
            .unwrap_or_default();
        let rotational = files
            .roots
            .sys
            .join("block")
            .join(disk.name)
            .join("queue/rotational");
        let rotational = files.word(&rotational).unwrap_or_default();
        page.sample(
            &[
                ("device", disk.name),
                ("major", disk.major),
                ("minor", disk.minor),
                ("model", entry("ID_MODEL")),
                ("path", entry("ID_PATH")),
                ("revision", entry("ID_REVISION")),
                ("rotational", &rotational),
                ("serial", serial),
                ("wwn", entry("ID_WWN")),
            ],
            1.0,
        );
        let pick = |keys: [&str; 4]| {
            [disk.name.to_owned()]
                .into_iter()
                .chain(keys.map(|key| entry(key).to_owned()))
                .collect::<Vec<_>>()
        };
        if !entry("ID_FS_TYPE").is_empty() {
            filesystems.push(pick([
                "ID_FS_TYPE",
                "ID_FS_USAGE",
                "ID_FS_UUID",
                "ID_FS_VERSION",
            ]));
        }
        if !entry("DM_NAME").is_empty() {
            let mut labels = pick(["DM_NAME", "DM_VG_NAME", "DM_LV_NAME", "DM_LV_LAYER"]);
            labels.push(entry("DM_UUID").to_owned());
            mapped.push(labels);
        }
    }
    let mut told = |name, help, keys: &[&str], rows: &[Vec<String>]| {
        if !rows.is_empty() {
            page.family(name, help, Kind::Gauge);
        }
        for row in rows {
            let labels: Vec<_> = keys
                .iter()
                .copied()
                .zip(row.iter().map(String::as_str))
                .collect();
            page.sample(&labels, 1.0);
        }
    };
    told(
        "node_disk_filesystem_info",
        "The file system on a block device, as udev knows it.",
        &["device", "type", "usage", "uuid", "version"],
        &filesystems,
    );
    told(
        "node_disk_device_mapper_info",
        "The volume behind a mapped device.",
        &["device", "name", "vg_name", "lv_name", "lv_layer", "uuid"],
        &mapped,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_disks_in_memory_are_left_out() {
        for part in [
            "sda1",
            "vdb12",
            "xvda1",
            "nvme0n1p2",
            "loop0",
            "ram3",
            "zram0",
            "fd0",
            "hda5",
        ] {
            assert!(is_part(part), "{part}");
        }
        for disk in [
            "sda", "vda", "nvme0n1", "dm-0", "md127", "sdaa1", "mmcblk0", "sr0", "xvda",
        ] {
            assert!(!is_part(disk), "{disk}");
        }
    }

    #[test]
    fn old_kernels_have_fewer_columns_and_a_bad_line_costs_only_itself() {
        let text = " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n 8 16 sdb 1 x\n 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n short\n";
        let disks = parse(text);
        let sizes: Vec<_> = disks
            .iter()
            .map(|disk| (disk.name, disk.columns.len()))
            .collect();
        assert_eq!(sizes, [("sda", 11), ("vda", 17)]);
    }
}
