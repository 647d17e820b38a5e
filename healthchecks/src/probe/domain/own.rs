//! The addresses of this host, as the kernel lists them: none of loopback, and
//! none that is good on one cable only.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All of them; none where the kernel does not tell.
pub(super) fn addresses() -> BTreeSet<IpAddr> {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let four = four(&text("/proc/net/fib_trie"))
        .into_iter()
        .map(IpAddr::V4);
    let six = six(&text("/proc/net/if_inet6")).into_iter().map(IpAddr::V6);
    four.chain(six)
        .filter(|address| !address.is_loopback())
        .collect()
}

/// Those that the routing table calls local.
fn four(table: &str) -> Vec<Ipv4Addr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found
}

/// Those of all interfaces whose scope is the world.
fn six(table: &str) -> Vec<Ipv6Addr> {
    let lines = table.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let digits = words.next()?;
        let scope = words.nth(2)?;
        let number = u128::from_str_radix(digits, 16).ok()?;
        (scope == "00").then(|| Ipv6Addr::from(number))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 4\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n";
        assert_eq!(
            four(table),
            [Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::LOCALHOST]
        );
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fe8000000000000000155dfffe000001 02 40 20 80     eth0\n\
                     20010db8000000000000000000000001 02 40 00 80     eth0\nbroken\n";
        assert_eq!(six(table), ["2001:db8::1".parse::<Ipv6Addr>().unwrap()]);
    }

    #[test]
    fn this_host_has_no_address_of_loopback() {
        assert!(addresses().iter().all(|address| !address.is_loopback()));
    }
}
