//! Counters of the network protocols: `/proc/net/{netstat,snmp,snmp6}`.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let mut result = Ok(());
    for (file, encode) in [
        ("netstat", encode_pairs as fn(&str, &mut Writer)),
        ("snmp", encode_pairs),
        ("snmp6", encode_list),
    ] {
        match files.net(file) {
            Ok(text) => encode(&text, page),
            // A kernel without IPv6 has no snmp6.
            Err(Failure::Absent(_)) if file == "snmp6" => {}
            Err(err) => result = Err(err),
        }
    }
    result
}

/// Two lines for each protocol: names, then values.
fn encode_pairs(text: &str, page: &mut Writer) {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (Some((protocol, names)), Some((same, values))) =
            (names.split_once(':'), values.split_once(':'))
        else {
            continue;
        };
        if protocol != same {
            continue;
        }
        for (field, value) in names
            .split_ascii_whitespace()
            .zip(values.split_ascii_whitespace())
        {
            encode(protocol, field, value, page);
        }
    }
}

/// A line for each field, the protocol in front of its name.
fn encode_list(text: &str, page: &mut Writer) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(value)) = (words.next(), words.next()) else {
            continue;
        };
        if let Some(at) = name.find('6') {
            let (protocol, field) = name.split_at(at + 1);
            encode(protocol, field, value, page);
        }
    }
}

fn encode(protocol: &str, field: &str, value: &str, page: &mut Writer) {
    if !is_kept(protocol, field) {
        return;
    }
    if let Ok(value) = value.parse() {
        let name = format!("node_netstat_{protocol}_{field}");
        page.single(
            &name,
            "A counter of the kernel's network protocols.",
            Kind::Untyped,
            value,
        );
    }
}

/// The fields that dashboards draw; the kernel has some 400.
fn is_kept(protocol: &str, field: &str) -> bool {
    if matches!(field, "InErrors" | "InErrs") {
        return true;
    }
    match protocol {
        "Ip" => field == "Forwarding",
        "Ip6" | "IpExt" => matches!(field, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(field, "InMsgs" | "OutMsgs"),
        "Tcp" => matches!(
            field,
            "ActiveOpens"
                | "InSegs"
                | "OutSegs"
                | "OutRsts"
                | "PassiveOpens"
                | "RetransSegs"
                | "CurrEstab"
                | "MaxConn"
        ),
        "TcpExt" => {
            field.starts_with("Listen")
                || field.starts_with("Syncookies")
                || matches!(
                    field,
                    "TCPSynRetrans" | "TCPTimeouts" | "TCPOFOQueue" | "TCPRcvQDrop"
                )
        }
        "Udp" | "Udp6" => matches!(
            field,
            "InDatagrams" | "OutDatagrams" | "NoPorts" | "RcvbufErrors" | "SndbufErrors"
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_matched_by_place() {
        let mut page = Writer::new();
        encode_pairs(
            "Tcp: RtoMin CurrEstab MaxConn\nTcp: 200 7 -1\nUdp: InErrors\nUdpLite: 1\nodd\n",
            &mut page,
        );
        encode_list(
            "Ip6InOctets \t 9\nUdpLite6InErrors 3\nIcmp6OutType143 2\nbad\n",
            &mut page,
        );
        let page = page.finish();
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let want = [
            "node_netstat_Tcp_CurrEstab 7",
            "node_netstat_Tcp_MaxConn -1",
            "node_netstat_Ip6_InOctets 9",
            "node_netstat_UdpLite6_InErrors 3",
        ];
        assert_eq!(samples, want);
    }
}
