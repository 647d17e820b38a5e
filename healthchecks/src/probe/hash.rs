//! Hashes that are published or asked for.

use ring::digest;

/// SHA-256 in lower hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-1 in base64: what a WebSocket's key is answered with.
pub(super) fn websocket_answer(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    data_encoding::BASE64.encode(hash.as_ref())
}

/// FNV-1a over the bytes of an address.
pub(super) fn address(address: std::net::IpAddr) -> u32 {
    let fnv = |bytes: &[u8]| {
        let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
        bytes.iter().fold(2_166_136_261, step)
    };
    match address {
        std::net::IpAddr::V4(address) => fnv(&address.octets()),
        std::net::IpAddr::V6(address) => fnv(&address.octets()),
    }
}
