//! Hosts, ports and paths of addresses.

use std::net::IpAddr;

/// The host of an address without its port; anything else as it is.
#[must_use]
pub fn strip_port(address: &str) -> &str {
    split(address).map_or(address, |(host, _)| host)
}

/// The first part of the name, with the port if there is one; addresses stay.
pub(super) fn strip_domain(address: &str) -> String {
    let (host, port) = split(address).unwrap_or((address, ""));
    if host.parse::<IpAddr>().is_ok() {
        return address.to_owned();
    }
    let name = host.split('.').next().unwrap_or(host);
    match port {
        "" => name.to_owned(),
        port if name.contains(':') => format!("[{name}]:{port}"),
        port => format!("{name}:{port}"),
    }
}

/// The path of a URL.
pub(super) fn path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = after_scheme.find(['?', '#']).unwrap_or(after_scheme.len());
    let whole = &after_scheme[..end];
    whole.find('/').map_or("", |at| &whole[at..])
}

/// Host and port, where the address has both; Go's net.SplitHostPort.
fn split(address: &str) -> Option<(&str, &str)> {
    let (front, port) = address.rsplit_once(':')?;
    let host = match front.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if front.contains(':') => return None,
        None => front,
    };
    let stray = |text: &str| text.contains(['[', ']']);
    (!stray(host) && !stray(port)).then_some((host, port))
}
