//! Sockets, packet queues and tracked connections.

use std::collections::BTreeMap;

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

pub(super) fn sockstat(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    encode_sockstat(&files.net("sockstat")?, page);
    if let Ok(text) = files.net("sockstat6") {
        encode_sockstat(&text, page);
    }
    Ok(())
}

fn encode_sockstat(text: &str, page: &mut Writer) {
    for line in text.lines() {
        let Some((protocol, rest)) = line.split_once(':') else {
            continue;
        };
        let mut words = rest.split_ascii_whitespace();
        while let (Some(field), Some(value)) = (words.next(), words.next()) {
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            let name = format!("node_sockstat_{protocol}_{field}");
            page.single(&name, "A count of /proc/net/sockstat.", Kind::Gauge, value);
            if field == "mem" {
                let bytes = value * rustix::param::page_size() as f64;
                page.single(
                    &(name + "_bytes"),
                    "Memory of socket buffers in bytes.",
                    Kind::Gauge,
                    bytes,
                );
            }
        }
    }
}

/// Column, family, help, kind.
const SOFTNET: [(usize, &str, &str, Kind); 7] = [
    (
        0,
        "node_softnet_processed_total",
        "Packets processed.",
        Kind::Counter,
    ),
    (
        1,
        "node_softnet_dropped_total",
        "Packets dropped because the backlog was full.",
        Kind::Counter,
    ),
    (
        2,
        "node_softnet_times_squeezed_total",
        "Times the budget ran out with packets left.",
        Kind::Counter,
    ),
    (
        8,
        "node_softnet_cpu_collision_total",
        "Collisions over a device's send lock.",
        Kind::Counter,
    ),
    (
        9,
        "node_softnet_received_rps_total",
        "Times another processor woke this one for packets.",
        Kind::Counter,
    ),
    (
        10,
        "node_softnet_flow_limit_count_total",
        "Times a flow was limited.",
        Kind::Counter,
    ),
    (
        11,
        "node_softnet_backlog_len",
        "Packets in the backlog.",
        Kind::Gauge,
    ),
];
const SOFTNET_CPU: usize = 12;

pub(super) fn softnet(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    encode_softnet(&files.net("softnet_stat")?, page);
    Ok(())
}

fn encode_softnet(text: &str, page: &mut Writer) {
    let row = |line: &str| {
        let words = line.split_ascii_whitespace();
        words
            .map(|word| u32::from_str_radix(word, 16).ok())
            .collect::<Option<Vec<u32>>>()
    };
    let rows: Vec<Vec<u32>> = text.lines().filter_map(row).collect();
    for (column, name, help, kind) in SOFTNET {
        if rows.iter().any(|row| row.len() > column) {
            page.family(name, help, kind);
        }
        for (at, row) in rows.iter().enumerate() {
            // Rows of processors that are off are left out by the kernel, so
            // newer kernels number them.
            let cpu = row.get(SOFTNET_CPU).map_or(at, |cpu| *cpu as usize);
            if let Some(value) = row.get(column) {
                page.sample(&[("cpu", &cpu.to_string())], f64::from(*value));
            }
        }
    }
}

pub(super) fn udp_queues(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (file, version) in [("udp", "v4"), ("udp6", "v6")] {
        match files.net(file) {
            Ok(text) => rows.push((version, sum_queues(&text))),
            Err(Failure::Absent(_)) => {}
            Err(err) => return Err(err),
        }
    }
    page.family(
        "node_udp_queues",
        "Bytes in the queues of all UDP sockets.",
        Kind::Gauge,
    );
    for (version, (sent, received)) in rows {
        page.sample(&[("ip", version), ("queue", "tx")], sent as f64);
        page.sample(&[("ip", version), ("queue", "rx")], received as f64);
    }
    Ok(())
}

fn sum_queues(text: &str) -> (u64, u64) {
    let queues = |line: &str| {
        let (sent, received) = line.split_ascii_whitespace().nth(4)?.split_once(':')?;
        let hex = |word| u64::from_str_radix(word, 16).ok();
        Some((hex(sent)?, hex(received)?))
    };
    let all = text.lines().skip(1).filter_map(queues);
    let add =
        |(sent, received): (u64, u64), (s, r)| (sent.saturating_add(s), received.saturating_add(r));
    all.fold((0, 0), add)
}

pub(super) fn conntrack(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    for (file, name, help) in [
        (
            "nf_conntrack_count",
            "node_nf_conntrack_entries",
            "Connections tracked now.",
        ),
        (
            "nf_conntrack_max",
            "node_nf_conntrack_entries_limit",
            "Connections that can be tracked.",
        ),
    ] {
        let text = files.proc(&format!("sys/net/netfilter/{file}"))?;
        let value = text
            .trim()
            .parse()
            .map_err(|_| Failure::Malformed("a conntrack count"))?;
        page.single(name, help, Kind::Gauge, value);
    }
    if let Ok(text) = files.net("stat/nf_conntrack") {
        encode_conntrack(&text, page);
    }
    Ok(())
}

fn encode_conntrack(text: &str, page: &mut Writer) {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .collect();
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for line in lines {
        for (column, word) in columns.iter().zip(line.split_ascii_whitespace()) {
            if let Ok(value) = u64::from_str_radix(word, 16) {
                let sum = sums.entry(column).or_default();
                *sum = sum.saturating_add(value);
            }
        }
    }
    for column in [
        "found",
        "invalid",
        "ignore",
        "insert",
        "insert_failed",
        "drop",
        "early_drop",
        "search_restart",
    ] {
        if let Some(sum) = sums.get(column) {
            let name = format!("node_nf_conntrack_stat_{column}");
            page.single(
                &name,
                "A counter of connection tracking, over all processors.",
                Kind::Gauge,
                *sum as f64,
            );
        }
    }
}

/// Reads a text as counters of connection tracking, for those who throw any at it.
pub(super) fn any(text: &str) {
    encode_conntrack(text, &mut Writer::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(page: Writer) -> Vec<String> {
        let page = page.finish();
        page.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn socket_memory_is_told_in_pages_and_bytes() {
        let mut page = Writer::new();
        encode_sockstat(
            "sockets: used 18\nTCP: inuse 2 mem 3\nFRAG: inuse 0 memory 0\nodd\n",
            &mut page,
        );
        let bytes = 3 * rustix::param::page_size();
        assert_eq!(
            samples(page)[..4],
            [
                "node_sockstat_sockets_used 18".to_owned(),
                "node_sockstat_TCP_inuse 2".to_owned(),
                "node_sockstat_TCP_mem 3".to_owned(),
                format!("node_sockstat_TCP_mem_bytes {bytes}"),
            ]
        );
    }

    #[test]
    fn softnet_rows_are_hexadecimal_and_may_be_short() {
        let mut page = Writer::new();
        encode_softnet("0000001a 1 2 0 0 0 0 0 4 5 6 7 3\nff 0 0\nzz\n", &mut page);
        let samples = samples(page);
        assert!(samples.contains(&"node_softnet_processed_total{cpu=\"3\"} 26".to_owned()));
        assert!(samples.contains(&"node_softnet_processed_total{cpu=\"1\"} 255".to_owned()));
        assert!(samples.contains(&"node_softnet_backlog_len{cpu=\"3\"} 7".to_owned()));
    }

    #[test]
    fn queues_of_all_sockets_are_summed() {
        let text = "head\n 1: 0100007F:0035 00000000:0000 07 00000010:00000020 00:0\n 2: a b 07 00000001:00000002 x\nodd\n";
        assert_eq!(sum_queues(text), (0x11, 0x22));
        let absurd = " 1: a b 07 ffffffffffffffff:1 x\n".repeat(2);
        assert_eq!(sum_queues(&format!("head\n{absurd}")), (u64::MAX, 2));
    }

    #[test]
    fn conntrack_counters_are_summed_over_processors() {
        let mut page = Writer::new();
        encode_conntrack("entries found drop\n6 a 1\n6 b 2\n", &mut page);
        assert_eq!(
            samples(page),
            [
                "node_nf_conntrack_stat_found 21",
                "node_nf_conntrack_stat_drop 3"
            ]
        );
    }
}
