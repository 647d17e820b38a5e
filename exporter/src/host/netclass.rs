//! What `/sys/class/net` says of each device: state, speed, addresses.

use std::path::PathBuf;

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files, names};

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

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("class/net");
    let devices: Vec<(String, PathBuf)> = names(&folder)
        .into_iter()
        // Bonding puts a plain file there.
        .filter(|name| name != "bonding_masters")
        .map(|name| (name.clone(), folder.join(name)))
        .collect();
    if devices.is_empty() {
        return Err(Failure::Absent("network devices".into()));
    }
    for (file, name, help, kind) in NUMBERS {
        let mut open = false;
        for (device, path) in &devices {
            let value = files.word(&path.join(file)).and_then(|word| number(&word));
            let Some(value) = value else { continue };
            let value = if file == "speed" {
                value * BYTES_IN_MEGABIT
            } else {
                value
            };
            if !open {
                page.family(name, help, kind);
                open = true;
            }
            page.sample(&[("device", device)], value);
        }
    }
    let mut up = Vec::with_capacity(devices.len());
    page.family(
        "node_network_info",
        "The addresses and states of a device.",
        Kind::Gauge,
    );
    for (device, path) in &devices {
        let words = ["address", "broadcast", "duplex", "ifalias", "operstate"];
        let [address, broadcast, duplex, alias, state] = words.map(|file| {
            files
                .word(&path.join(file))
                .map_or(String::new(), |word| word.into_owned())
        });
        let flags = files
            .word(&path.join("flags"))
            .and_then(|word| number(&word));
        let admin = flags.map_or(
            "",
            |flags| if flags as u64 & 1 == 1 { "up" } else { "down" },
        );
        page.sample(
            &[
                ("address", &address),
                ("adminstate", admin),
                ("broadcast", &broadcast),
                ("device", device),
                ("duplex", &duplex),
                ("ifalias", &alias),
                ("operstate", &state),
            ],
            1.0,
        );
        up.push(f64::from(u8::from(state == "up")));
    }
    page.family(
        "node_network_up",
        "Whether the device can carry packets.",
        Kind::Gauge,
    );
    for ((device, _), up) in devices.iter().zip(up) {
        page.sample(&[("device", device)], up);
    }
    Ok(())
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
}
