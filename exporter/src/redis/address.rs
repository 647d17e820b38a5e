//! Where a Redis server listens, and how it is spelled.

use std::path::PathBuf;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Address {
    Tcp(String, u16),
    /// With TLS.
    Tls(String, u16),
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host, port) | Self::Tls(host, port) => write!(out, "{host}:{port}"),
            Self::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

impl Address {
    /// Reads `host`, `host:port`, `redis://host:port`, `rediss://host:port`, `/path`
    /// or `unix:/path`. None of these holds a password.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix("unix://").or(text.strip_prefix("unix:"));
        let path = path.or_else(|| text.starts_with('/').then_some(text));
        if let Some(path) = path {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let (place, tls) = match text.strip_prefix("rediss://") {
            Some(place) => (place, true),
            None => (text.strip_prefix("redis://").unwrap_or(text), false),
        };
        let (host, port) = host_and_port(place.trim_end_matches('/'))?;
        Some(match tls {
            true => Self::Tls(host, port),
            false => Self::Tcp(host, port),
        })
    }
}

fn host_and_port(place: &str) -> Option<(String, u16)> {
    if place.is_empty() || place.contains(['@', '/', ' ']) {
        return None;
    }
    if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(Ok(6379), str::parse);
        return Some((host.to_owned(), port.ok()?));
    }
    match place.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !host.contains(':') => {
            Some((host.to_owned(), port.parse().ok()?))
        }
        Some(_) => None,
        None => Some((place.to_owned(), 6379)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form_and_never_hold_a_password() {
        let tcp = |host: &str, port| Some(Address::Tcp(host.to_owned(), port));
        let tls = |host: &str, port| Some(Address::Tls(host.to_owned(), port));
        for (text, address) in [
            ("db", tcp("db", 6379)),
            ("db:7000", tcp("db", 7000)),
            ("redis://127.0.0.1:6380/", tcp("127.0.0.1", 6380)),
            ("rediss://db", tls("db", 6379)),
            ("rediss://[::1]:6380", tls("::1", 6380)),
            ("[::1]:6380", tcp("::1", 6380)),
            ("[::1]", tcp("::1", 6379)),
            (
                "/run/redis.sock",
                Some(Address::Unix("/run/redis.sock".into())),
            ),
            ("unix:///run/r", Some(Address::Unix("/run/r".into()))),
            ("redis://:secret@db:6379", None),
            ("rediss://:secret@db:6379", None),
            ("", None),
            ("unix:relative", None),
            ("db:port", None),
            ("::1", None),
            (":6379", None),
        ] {
            assert_eq!(Address::parse(text), address, "{text:?}");
        }
    }
}
