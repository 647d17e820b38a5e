//! The kernel's own load balancer, which swarms use: `/proc/net/ip_vs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files};

const SUMS: [&str; 5] = [
    "node_ipvs_connections_total",
    "node_ipvs_incoming_packets_total",
    "node_ipvs_outgoing_packets_total",
    "node_ipvs_incoming_bytes_total",
    "node_ipvs_outgoing_bytes_total",
];
const HELP: &str = "A value of /proc/net/ip_vs.";

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let mut found = Gathered::default();
    sums(&files.net("ip_vs_stats")?, &mut found);
    if let Ok(text) = files.net("ip_vs") {
        backends(&text, &mut found);
    }
    found.write(page);
    Ok(())
}

/// The third line, in hexadecimal digits.
fn sums(text: &str, found: &mut Gathered) {
    let line = text.lines().nth(2).unwrap_or_default();
    for (name, word) in SUMS.iter().zip(line.split_ascii_whitespace()) {
        if let Ok(value) = u64::from_str_radix(word, 16) {
            found.add(name, HELP, &[], value as f64);
        }
    }
}

fn backends(text: &str, found: &mut Gathered) {
    let mut service = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match *words {
            [protocol @ ("TCP" | "UDP" | "SCTP"), place, ..] => {
                service =
                    place_of(place).map(|(address, port)| (protocol, address, port, String::new()));
            }
            ["FWM", mark, ..] => {
                service = Some(("FWM", String::new(), "0".to_owned(), mark.to_owned()));
            }
            ["->", place, _, weight, active, inactive] => {
                let (Some((protocol, local, port, mark)), Some((remote, remote_port))) =
                    (&service, place_of(place))
                else {
                    continue;
                };
                let labels = [
                    ("local_address", &**local),
                    ("local_mark", &**mark),
                    ("local_port", &**port),
                    ("proto", *protocol),
                    ("remote_address", &*remote),
                    ("remote_port", &*remote_port),
                ];
                for (name, value) in [
                    ("node_ipvs_backend_weight", weight),
                    ("node_ipvs_backend_connections_active", active),
                    ("node_ipvs_backend_connections_inactive", inactive),
                ] {
                    if let Ok(value) = value.parse() {
                        found.add(name, HELP, &labels, value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Address and port of `C0A80016:0CEA` or `[fe80:...]:0CEA`.
fn place_of(text: &str) -> Option<(String, String)> {
    let (address, port) = text.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address: IpAddr = match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into(),
        None => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?).into(),
    };
    Some((address.to_string(), port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_those_behind_them_are_told() {
        let mut found = Gathered::default();
        let table = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n\
            \x20 -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  C0A80016:0CEA wlc\n\
            \x20 -> C0A85216:0CEA      Tunnel  100    248        2\n  -> nonsense:0CEA Tunnel 1 2 3\n\
            UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr\n  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:0035 Masq 1 0 x\n\
            FWM  10001000 wlc\n  -> C0A8321A:0CEA      Tunnel  20     64         1\n";
        backends(table, &mut found);
        sums(
            "   Total\n   Conns\n 16AA370 E33656E5        0     51D8C8883AB3   zz\n",
            &mut found,
        );
        sums("torn", &mut found);
        let mut page = Writer::new();
        found.write(&mut page);
        let page = page.finish();
        for line in [
            "node_ipvs_backend_connections_active{local_address=\"192.168.0.22\",local_port=\"3306\",proto=\"TCP\",remote_address=\"192.168.82.22\",remote_port=\"3306\"} 248\n",
            "node_ipvs_backend_weight{local_mark=\"10001000\",local_port=\"0\",proto=\"FWM\",remote_address=\"192.168.50.26\",remote_port=\"3306\"} 20\n",
            "node_ipvs_backend_weight{local_address=\"2001:db8::1\",local_port=\"53\",proto=\"UDP\",remote_address=\"2001:db8::2\",remote_port=\"53\"} 1\n",
            "node_ipvs_connections_total 23765872\n",
            "node_ipvs_incoming_bytes_total 89991519156915\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("nonsense") && !page.contains("outgoing_bytes"));
    }
}
