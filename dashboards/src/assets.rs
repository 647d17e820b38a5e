//! Style, script and icon, inside the binary.
//!
//! The address of each carries a hash of its content, so that browsers may keep
//! it for ever and still never show an old one.

use std::sync::LazyLock;

/// A file to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
    /// The content compressed, for `Content-Encoding: gzip`.
    pub gzip: Option<&'static [u8]>,
    /// Whether the address names exactly this content: then it may be kept for
    /// ever (`Cache-Control: public, max-age=31536000, immutable`), else not
    /// at all.
    pub immutable: bool,
}

struct Entry {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
    hash: u64,
}

macro_rules! entry {
    ($name:literal, $content_type:literal) => {
        entry!($name, $content_type, None)
    };
    ($name:literal, $content_type:literal, gzip) => {
        entry!(
            $name,
            $content_type,
            Some(include_bytes!(concat!("../assets/", $name, ".gz")))
        )
    };
    ($name:literal, $content_type:literal, $gzip:expr) => {
        Entry {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../assets/", $name)),
            gzip: $gzip,
            hash: const { hash(include_bytes!(concat!("../assets/", $name))) },
        }
    };
}

static TABLE: [Entry; 3] = [
    entry!("belfry.css", "text/css; charset=utf-8", gzip),
    entry!("belfry.js", "text/javascript; charset=utf-8", gzip),
    entry!("belfry.svg", "image/svg+xml"),
];

static URLS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let url = |entry: &Entry| format!("/assets/{:016x}/{}", entry.hash, entry.name);
    TABLE.iter().map(url).collect()
});

/// The file at `path` (`/assets/{hash}/belfry.css`). A page that is older than
/// this binary asks with an old hash and still gets the present file.
#[must_use]
pub fn get(path: &str) -> Option<Asset> {
    let (_, name) = path.strip_prefix("/assets/")?.split_once('/')?;
    let at = TABLE.iter().position(|entry| entry.name == name)?;
    let entry = &TABLE[at];
    Some(Asset {
        content_type: entry.content_type,
        bytes: entry.bytes,
        gzip: entry.gzip,
        immutable: URLS[at] == path,
    })
}

/// The address of the file `name`; empty if there is none.
pub(crate) fn url(name: &str) -> &'static str {
    let at = TABLE.iter().position(|entry| entry.name == name);
    at.map_or("", |at| URLS[at].as_str())
}

/// 64-bit FNV-1a, computed while compiling.
const fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests;
