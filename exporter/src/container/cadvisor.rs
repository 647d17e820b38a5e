//! Writes what running containers use, under cAdvisor's names.

use std::sync::Arc;

use exposition::{Kind, Spelled, Writer};

use super::EngineState;
use super::cadvisor_families::FAMILIES;
use super::model::Container;
use super::sizes::Filesystem;
use super::usage::{Device, Interface, Usage};

/// A running container and what it uses.
pub(super) type Row = (Arc<Container>, Arc<Usage>);

/// A family with one series for each block device.
type DeviceFamily = (&'static str, &'static str, fn(&Device) -> f64);

const DEVICES: [DeviceFamily; 4] = [
    (
        "container_fs_reads_bytes_total",
        "Bytes read from a block device.",
        |device| device.read_bytes,
    ),
    (
        "container_fs_reads_total",
        "Reads from a block device.",
        |device| device.reads,
    ),
    (
        "container_fs_writes_bytes_total",
        "Bytes written to a block device.",
        |device| device.written_bytes,
    ),
    (
        "container_fs_writes_total",
        "Writes to a block device.",
        |device| device.writes,
    ),
];

/// Families of network interfaces, with their columns.
const INTERFACES: [(&str, &str, usize); 8] = [
    (
        "container_network_receive_bytes_total",
        "Bytes received.",
        0,
    ),
    (
        "container_network_receive_packets_total",
        "Packets received.",
        1,
    ),
    (
        "container_network_receive_errors_total",
        "Receive errors.",
        2,
    ),
    (
        "container_network_receive_packets_dropped_total",
        "Received packets that were dropped.",
        3,
    ),
    ("container_network_transmit_bytes_total", "Bytes sent.", 8),
    (
        "container_network_transmit_packets_total",
        "Packets sent.",
        9,
    ),
    (
        "container_network_transmit_errors_total",
        "Send errors.",
        10,
    ),
    (
        "container_network_transmit_packets_dropped_total",
        "Packets dropped instead of sent.",
        11,
    ),
];

/// Writes everything. Without an engine the containers are those last heard of.
pub(super) fn encode(rows: &[Row], engine: &EngineState, now_ms: i64, page: &mut Writer) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(container, usage)| (&**container, &**usage, labels(container, usage)))
        .collect();
    let down = f64::from(u8::from(!engine.up));
    page.single(
        "container_scrape_error",
        "Whether the engine does not answer.",
        Kind::Gauge,
        down,
    );
    page.family(
        "container_last_seen",
        "When it was last seen running, in seconds since 1970.",
        Kind::Gauge,
    );
    for (_, _, labels) in &rows {
        page.spelled("", labels, &[], now_ms as f64 / 1e3);
    }
    page.family(
        "container_cpu_usage_seconds_total",
        "Seconds of processor time.",
        Kind::Counter,
    );
    for (_, usage, labels) in &rows {
        if let Some(cpu) = usage.cpu {
            page.spelled("", labels, &[("cpu", "total")], cpu.total);
        }
    }
    for (name, help, kind, value) in FAMILIES {
        let mut open = false;
        for (container, usage, labels) in &rows {
            let Some(value) = value(container, usage) else {
                continue;
            };
            if !open {
                page.family(name, help, kind);
                open = true;
            }
            page.spelled("", labels, &[], value);
        }
    }
    page.family(
        "container_memory_failures_total",
        "Page faults.",
        Kind::Counter,
    );
    for (_, usage, labels) in &rows {
        let Some(memory) = usage.memory else { continue };
        for (kind, value) in [
            ("pgfault", memory.faults),
            ("pgmajfault", memory.major_faults),
        ] {
            for scope in ["container", "hierarchy"] {
                let own = [("failure_type", kind), ("scope", scope)];
                page.spelled("", labels, &own, value);
            }
        }
    }
    encode_devices(&rows, page);
    encode_files(&rows, page);
    for (name, help, column) in INTERFACES {
        page.family(name, help, Kind::Counter);
        for (_, usage, labels) in &rows {
            for Interface { name, columns } in &usage.network {
                page.spelled("", labels, &[("interface", name)], columns[column]);
            }
        }
    }
}

/// A container, what it uses, and the labels that all its series have.
type Labelled<'a> = (&'a Container, &'a Usage, Spelled);

fn encode_devices(rows: &[Labelled<'_>], page: &mut Writer) {
    for (name, help, value) in DEVICES {
        page.family(name, help, Kind::Counter);
        for (_, usage, labels) in rows {
            for device in &usage.devices {
                page.spelled("", labels, &[("device", &device.name)], value(device));
            }
        }
    }
    page.family(
        "container_blkio_device_usage_total",
        "Bytes read from or written to a block device.",
        Kind::Counter,
    );
    for (_, usage, labels) in rows {
        for device in &usage.devices {
            for (operation, value) in [("Read", device.read_bytes), ("Write", device.written_bytes)]
            {
                let own = [
                    ("device", device.name.as_str()),
                    ("major", &device.major),
                    ("minor", &device.minor),
                    ("operation", operation),
                ];
                page.spelled("", labels, &own, value);
            }
        }
    }
}

/// A family with one series for each container that writes to a disk.
type FilesFamily = (&'static str, &'static str, fn(&Filesystem) -> Option<f64>);

const FILES: [FilesFamily; 4] = [
    (
        "container_fs_usage_bytes",
        "Bytes that the container takes on the disk: the layer it writes to, and its folder with the log.",
        |files| files.usage,
    ),
    (
        "container_fs_limit_bytes",
        "Bytes of the file system below.",
        |files| Some(files.limit),
    ),
    (
        "container_fs_inodes_total",
        "Inodes of the file system below.",
        |files| Some(files.inodes),
    ),
    (
        "container_fs_inodes_free",
        "Free inodes of the file system below.",
        |files| Some(files.inodes_free),
    ),
];

fn encode_files(rows: &[Labelled<'_>], page: &mut Writer) {
    for (name, help, value) in FILES {
        page.family(name, help, Kind::Gauge);
        for (_, usage, labels) in rows {
            if let Some(files) = &usage.files
                && let Some(value) = value(files)
            {
                page.spelled("", labels, &[("device", &files.device)], value);
            }
        }
    }
}

fn labels(container: &Container, usage: &Usage) -> Spelled {
    let mut labels = vec![
        ("id".into(), usage.path.as_str()),
        ("image".into(), &container.image),
        ("name".into(), &container.name),
    ];
    for (name, value) in &container.labels {
        let name = label_name(name);
        // a.b and a_b are one name here.
        if labels.iter().all(|(have, _)| *have != name) {
            labels.push((name, value));
        }
    }
    let labels = labels.iter().map(|(name, value)| (name.as_str(), *value));
    Spelled::new(&labels.collect::<Vec<_>>())
}

fn label_name(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let clean = name
        .chars()
        .map(|letter| if fits(letter) { letter } else { '_' });
    "container_label_".chars().chain(clean).collect()
}
