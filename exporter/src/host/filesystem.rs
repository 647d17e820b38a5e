//! Writes what the file systems said, and which said nothing.

use exposition::{Kind, Writer};

use super::mounts::{Mount, Room};
use crate::crew::Outcome;

/// A family about a mount: its name, its help, and the value.
type Family = (&'static str, &'static str, fn(&Room) -> f64);

const FAMILIES: [Family; 5] = [
    (
        "node_filesystem_size_bytes",
        "Bytes of the file system.",
        |room| room.size,
    ),
    (
        "node_filesystem_free_bytes",
        "Bytes that are free.",
        |room| room.free,
    ),
    (
        "node_filesystem_avail_bytes",
        "Bytes that users other than root can still fill.",
        |room| room.available,
    ),
    (
        "node_filesystem_files",
        "Inodes of the file system.",
        |room| room.inodes,
    ),
    (
        "node_filesystem_files_free",
        "Inodes that are free.",
        |room| room.inodes_free,
    ),
];

pub(super) fn encode(table: &[Mount], answers: &[Outcome<Option<Room>>], page: &mut Writer) {
    for (name, help, value) in FAMILIES {
        page.family(name, help, Kind::Gauge);
        for (mount, answer) in table.iter().zip(answers) {
            if let Outcome::Done(Some(room), _) = answer {
                page.sample(&labels(mount, ""), value(room));
            }
        }
    }
    page.family(
        "node_filesystem_readonly",
        "Whether nothing can be written.",
        Kind::Gauge,
    );
    for (mount, answer) in table.iter().zip(answers) {
        let read_only = f64::from(u8::from(mount.read_only));
        page.sample(&labels(mount, trouble(answer)), read_only);
    }
    page.family(
        "node_filesystem_device_error",
        "Whether the file system could not say how full it is.",
        Kind::Gauge,
    );
    for (mount, answer) in table.iter().zip(answers) {
        let trouble = trouble(answer);
        let failed = f64::from(u8::from(!trouble.is_empty()));
        page.sample(&labels(mount, trouble), failed);
    }
    page.family(
        "node_filesystem_mount_info",
        "The device numbers of a mount.",
        Kind::Gauge,
    );
    for mount in table {
        let labels = [
            ("device", mount.device.as_str()),
            ("major", &mount.major),
            ("minor", &mount.minor),
            ("mountpoint", &mount.point),
        ];
        page.sample(&labels, 1.0);
    }
}

/// The text of the `device_error` label; empty when all is well.
fn trouble(answer: &Outcome<Option<Room>>) -> &'static str {
    match answer {
        Outcome::Done(Some(_), _) => "",
        Outcome::Done(None, _) | Outcome::Panicked => "statfs failed",
        Outcome::Late => "mountpoint timeout",
    }
}

fn labels<'a>(mount: &'a Mount, trouble: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("device", &mount.device),
        ("device_error", trouble),
        ("fstype", &mount.kind),
        ("mountpoint", &mount.point),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mount(point: &str) -> Mount {
        Mount {
            id: "1".into(),
            major: "8".into(),
            minor: "1".into(),
            device: "/dev/x".into(),
            point: point.into(),
            kind: "ext4".into(),
            read_only: false,
        }
    }

    #[test]
    fn a_silent_mount_has_an_error_and_no_sizes() {
        let room = Room {
            size: 10.0,
            free: 5.0,
            available: 4.0,
            inodes: 3.0,
            inodes_free: 2.0,
        };
        let mut page = Writer::new();
        let answers = [Outcome::Done(Some(room), Duration::ZERO), Outcome::Late];
        encode(&[mount("/"), mount("/dead")], &answers, &mut page);
        let page = page.finish();
        let wanted = [
            "node_filesystem_avail_bytes{device=\"/dev/x\",fstype=\"ext4\",mountpoint=\"/\"} 4\n",
            "node_filesystem_device_error{device=\"/dev/x\",fstype=\"ext4\",mountpoint=\"/\"} 0\n",
            "node_filesystem_device_error{device=\"/dev/x\",device_error=\"mountpoint timeout\",fstype=\"ext4\",mountpoint=\"/dead\"} 1\n",
        ];
        for line in wanted {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        assert!(
            !page.contains("size_bytes{device=\"/dev/x\",fstype=\"ext4\",mountpoint=\"/dead\"}")
        );
    }
}
