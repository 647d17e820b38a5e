//! Values of Prometheus' flags.

use std::net::SocketAddr;
use std::time::Duration;

use settings::Size;

use crate::config::Level;

/// `15d`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    settings::parse_duration(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "not a duration; write 15s, 5m or 1h30m".to_owned())
}

/// The same, or none: `0s`.
pub(super) fn duration_or_none(text: &str) -> Result<Duration, String> {
    settings::parse_duration(text).ok_or_else(|| "not a duration; write 15s, 5m or 0s".to_owned())
}

/// `256MiB`. In Prometheus' flags `256MB` means the same: its units are powers of two.
pub(super) fn size(text: &str) -> Result<Size, String> {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    let theirs = UNITS.into_iter().find_map(|unit| {
        let number = text.strip_suffix(unit)?;
        Some(format!("{number}{}iB", &unit[..1]))
    });
    theirs
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|()| "not a size; write 256MiB or 1GB".to_owned())
}

/// `127.0.0.1:9090`, `localhost:9090`, or `:9090` for all interfaces.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let full = match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => text.replacen("localhost:", "127.0.0.1:", 1),
    };
    full.parse()
        .map_err(|_| "not an address and port; write 127.0.0.1:9090 or :9090".to_owned())
}

/// An address of http, without a slash at its end.
pub(super) fn external_url(text: &str) -> Result<String, String> {
    let scheme = text.starts_with("http://") || text.starts_with("https://");
    if text.is_empty() || scheme && text.parse::<axum::http::Uri>().is_ok() {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("not an address that begins with http:// or https://".to_owned())
    }
}

/// `debug`, `info`, `warn` or `error`.
pub(super) fn level(text: &str) -> Result<Level, String> {
    let all = [Level::Debug, Level::Info, Level::Warn, Level::Error];
    all.into_iter()
        .find(|level| level.as_str() == text)
        .ok_or_else(|| "one of debug, info, warn, error is wanted".to_owned())
}
