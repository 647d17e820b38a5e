//! What `/sys/class/net` says of each device: state, speed, addresses.

use std::collections::BTreeMap;
use std::path::Path;

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files, names};
use crate::tallies::lock;

/// File, family, help, kind.
const NUMBERS: [(&str, &str, &str, Kind); 17] = [
    (
        "addr_assign_type",
        "node_network_address_assign_type",
        "How the device got its address.",
        Kind::Gauge,
    ),
    (
        "carrier",
        "node_network_carrier",
        "Whether the link has a carrier.",
        Kind::Gauge,
    ),
    (
        "carrier_changes",
        "node_network_carrier_changes_total",
        "Times the carrier came or went.",
        Kind::Counter,
    ),
    (
        "carrier_up_count",
        "node_network_carrier_up_changes_total",
        "Times the carrier came.",
        Kind::Counter,
    ),
    (
        "carrier_down_count",
        "node_network_carrier_down_changes_total",
        "Times the carrier went.",
        Kind::Counter,
    ),
    (
        "dev_id",
        "node_network_device_id",
        "Tells devices apart that share an address.",
        Kind::Gauge,
    ),
    (
        "dormant",
        "node_network_dormant",
        "Whether the device waits for something outside.",
        Kind::Gauge,
    ),
    (
        "flags",
        "node_network_flags",
        "The device's flags as a number.",
        Kind::Gauge,
    ),
    (
        "ifindex",
        "node_network_iface_id",
        "The device's number.",
        Kind::Gauge,
    ),
    (
        "iflink",
        "node_network_iface_link",
        "The number of the device below.",
        Kind::Gauge,
    ),
    (
        "link_mode",
        "node_network_iface_link_mode",
        "Whether the link comes up by itself.",
        Kind::Gauge,
    ),
    (
        "mtu",
        "node_network_mtu_bytes",
        "The largest packet in bytes.",
        Kind::Gauge,
    ),
    (
        "name_assign_type",
        "node_network_name_assign_type",
        "How the device got its name.",
        Kind::Gauge,
    ),
    (
        "netdev_group",
        "node_network_net_dev_group",
        "The group of devices it is in.",
        Kind::Gauge,
    ),
    (
        "speed",
        "node_network_speed_bytes",
        "Bytes a second that the link can carry.",
        Kind::Gauge,
    ),
    (
        "tx_queue_len",
        "node_network_transmit_queue_length",
        "Packets that the send queue holds.",
        Kind::Gauge,
    ),
    (
        "type",
        "node_network_protocol_type",
        "The kind of link as a number.",
        Kind::Gauge,
    ),
];
const BYTES_IN_MEGABIT: f64 = 125_000.0;

const WORDS: [&str; 5] = ["address", "broadcast", "duplex", "ifalias", "operstate"];
const STATE: usize = 4;
const CARRIER: usize = 1;
const CARRIER_CHANGES: usize = 2;
const FLAGS: usize = 7;
/// Pages for which a device is not read in full while its link stays as it is:
/// there are some twenty files, and a device for each container.
const PAGES: u8 = 4;

/// A device as it was read last.
#[derive(Debug, Clone, PartialEq)]
struct Link {
    numbers: [Option<f64>; NUMBERS.len()],
    words: [String; WORDS.len()],
    /// Pages before it is read in full again.
    left: u8,
}

/// The devices of the last page.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<String, Link>);

impl Links {
    /// Reads all devices of a folder; the others are forgotten.
    fn refresh(&mut self, folder: &Path, files: &mut Files<'_>) {
        let mut before = std::mem::take(&mut self.0);
        // Bonding puts a plain file there.
        let devices = names(folder)
            .into_iter()
            .filter(|name| name != "bonding_masters");
        for device in devices {
            let link = read_link(&folder.join(&device), before.remove(&device), files);
            self.0.insert(device, link);
        }
    }
}

fn read_link(path: &Path, before: Option<Link>, files: &mut Files<'_>) -> Link {
    let mut at = |at: usize| {
        files
            .word(&path.join(NUMBERS[at].0))
            .and_then(|word| number(&word))
    };
    let moving = [CARRIER, CARRIER_CHANGES].map(|column| (column, at(column)));
    let state = files
        .word(&path.join(WORDS[STATE]))
        .unwrap_or_default()
        .into_owned();
    if let Some(mut link) = before
        && link.left > 0
        && link.words[STATE] == state
        && moving
            .iter()
            .all(|(column, value)| link.numbers[*column] == *value)
    {
        link.left -= 1;
        return link;
    }
    Link {
        numbers: NUMBERS.map(|(file, ..)| {
            let value = files
                .word(&path.join(file))
                .and_then(|word| number(&word))?;
            Some(if file == "speed" {
                value * BYTES_IN_MEGABIT
            } else {
                value
            })
        }),
        words: WORDS.map(|file| {
            files
                .word(&path.join(file))
                .unwrap_or_default()
                .into_owned()
        }),
        left: PAGES - 1,
    }
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let folder = files.roots.sys.join("class/net");
    let mut links = lock(&machine.links);
    links.refresh(&folder, files);
    if links.0.is_empty() {
        return Err(Failure::Absent("network devices".into()));
    }
    encode(&links, page);
    Ok(())
}

fn encode(Links(links): &Links, page: &mut Writer) {
    for (at, (_, name, help, kind)) in NUMBERS.into_iter().enumerate() {
        let mut open = false;
        for (device, link) in links {
            let Some(value) = link.numbers[at] else {
                continue;
            };
            if !open {
                page.family(name, help, kind);
                open = true;
            }
            page.sample(&[("device", device)], value);
        }
    }
    page.family(
        "node_network_info",
        "The addresses and states of a device.",
        Kind::Gauge,
    );
    for (device, link) in links {
        let [address, broadcast, duplex, alias, state] = &link.words;
        let up = |flags: f64| if flags as u64 & 1 == 1 { "up" } else { "down" };
        page.sample(
            &[
                ("address", address),
                ("adminstate", link.numbers[FLAGS].map_or("", up)),
                ("broadcast", broadcast),
                ("device", device),
                ("duplex", duplex),
                ("ifalias", alias),
                ("operstate", state),
            ],
            1.0,
        );
    }
    page.family(
        "node_network_up",
        "Whether the device can carry packets.",
        Kind::Gauge,
    );
    for (device, link) in links {
        let up = link.words[STATE] == "up";
        page.sample(&[("device", device)], f64::from(u8::from(up)));
    }
}

/// A decimal or, with 0x in front, hexadecimal number.
fn number(word: &str) -> Option<f64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16)
            .ok()
            .map(|value| value as f64),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        for (word, value) in [
            ("0x1003", Some(4099.0)),
            ("-1", Some(-1.0)),
            ("x", None),
            ("0xg", None),
        ] {
            assert_eq!(number(word), value);
        }
    }

    #[test]
    fn a_link_is_read_in_full_when_it_changes_and_now_and_then() {
        let tree = tempfile::tempdir().unwrap();
        let device = tree.path().join("eth0");
        std::fs::create_dir(&device).unwrap();
        let write = |file: &str, text: &str| std::fs::write(device.join(file), text).unwrap();
        let roots = crate::files::Roots {
            proc: tree.path().into(),
            sys: tree.path().into(),
            root: tree.path().into(),
        };
        let mut links = Links::default();
        let mut speed = |now: &str| {
            write("speed", now);
            links.refresh(tree.path(), &mut Files::new(&roots));
            links.0["eth0"].numbers[14]
        };
        write("operstate", "up\n");
        assert_eq!(speed("8"), Some(1e6));
        // Nothing else moved, so this is not looked at for a while.
        for _ in 1..PAGES {
            assert_eq!(speed("80"), Some(1e6));
        }
        assert_eq!(speed("80"), Some(1e7));
        write("operstate", "down\n");
        assert_eq!(speed("-1"), Some(-BYTES_IN_MEGABIT));
        std::fs::remove_dir_all(&device).unwrap();
        links.refresh(tree.path(), &mut Files::new(&roots));
        assert!(links.0.is_empty());
    }
}
