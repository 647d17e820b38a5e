//! Network devices: `/proc/net/dev`, and the neighbours in `/proc/net/arp`.

use std::collections::BTreeMap;

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

/// The columns of `/proc/net/dev` in order, as family, help. The kernel adds
/// missed packets to drops and the finer errors to frame and carrier.
const COLUMNS: [(&str, &str); 16] = [
    ("node_network_receive_bytes_total", "Bytes received."),
    ("node_network_receive_packets_total", "Packets received."),
    ("node_network_receive_errs_total", "Receive errors."),
    (
        "node_network_receive_drop_total",
        "Received packets that were dropped.",
    ),
    ("node_network_receive_fifo_total", "Receive queue overruns."),
    (
        "node_network_receive_frame_total",
        "Frames with a wrong form, length or checksum.",
    ),
    (
        "node_network_receive_compressed_total",
        "Compressed packets received.",
    ),
    (
        "node_network_receive_multicast_total",
        "Multicast packets received.",
    ),
    ("node_network_transmit_bytes_total", "Bytes sent."),
    ("node_network_transmit_packets_total", "Packets sent."),
    ("node_network_transmit_errs_total", "Send errors."),
    (
        "node_network_transmit_drop_total",
        "Packets dropped instead of sent.",
    ),
    ("node_network_transmit_fifo_total", "Send queue overruns."),
    ("node_network_transmit_colls_total", "Collisions."),
    (
        "node_network_transmit_carrier_total",
        "Carrier losses while sending.",
    ),
    (
        "node_network_transmit_compressed_total",
        "Compressed packets sent.",
    ),
];

/// The counters of one device, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Device<'a> {
    pub(crate) name: &'a str,
    pub(crate) columns: [f64; 16],
}

/// Reads `/proc/net/dev`; a line that is not understood is passed over.
pub(crate) fn parse(text: &str) -> Vec<Device<'_>> {
    let device = |line: &'_ str| -> Option<([f64; 16], usize)> {
        let colon = line.rfind(':')?;
        let mut columns = [0.0; 16];
        let mut words = line[colon + 1..].split_ascii_whitespace();
        for column in &mut columns {
            *column = words.next()?.parse().ok()?;
        }
        Some((columns, colon))
    };
    let named = |line| {
        let (columns, colon) = device(line)?;
        let name = line[..colon].trim();
        Some(Device { name, columns })
    };
    text.lines().filter_map(named).collect()
}

pub(super) fn netdev(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let text = files.net("dev")?.into_owned();
    let devices = parse(&text);
    for (at, (name, help)) in COLUMNS.iter().enumerate() {
        page.family(name, help, Kind::Counter);
        for device in &devices {
            page.sample(&[("device", device.name)], device.columns[at]);
        }
    }
    page.family(
        "node_network_receive_nohandler_total",
        "Packets received for which there was no protocol.",
        Kind::Counter,
    );
    for Device { name, .. } in devices {
        let path = files
            .roots
            .sys
            .join("class/net")
            .join(name)
            .join("statistics/rx_nohandler");
        if let Some(value) = files.number(&path) {
            page.sample(&[("device", name)], value);
        }
    }
    Ok(())
}

pub(super) fn arp(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let text = files.net("arp")?;
    let mut entries: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines().skip(1) {
        if let Some(device) = line.split_ascii_whitespace().nth(5) {
            *entries.entry(device).or_default() += 1;
        }
    }
    page.family(
        "node_arp_entries",
        "Neighbours known on a device.",
        Kind::Gauge,
    );
    for (device, count) in entries {
        page.sample(&[("device", device)], f64::from(count));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_even_without_a_blank_behind_the_name() {
        let text = "Inter-| Receive\n face |bytes\n\
                    eth0:123 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n\
                    br:0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17\n  bad: 1 2\n";
        let devices = parse(text);
        let told: Vec<_> = devices
            .iter()
            .map(|device| (device.name, device.columns[0], device.columns[15]))
            .collect();
        assert_eq!(told, [("eth0", 123.0, 16.0), ("br:0", 1.0, 17.0)]);
    }
}
