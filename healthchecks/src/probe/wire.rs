//! What is read from bytes that others send, for those who throw any bytes at it.

use super::certificate::Certificate;
use super::{celery, grpc, http, message, stapled, systemd};

/// Reads the bytes as everything that a probe reads, and says how much of that
/// could be read. It never panics, whatever they are.
#[must_use]
pub fn read(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let read = [
        message::read(bytes).is_some(),
        Certificate::read(bytes).is_some(),
        grpc::serving(bytes).is_some(),
        celery::ends(bytes),
        systemd::tells(&text),
        http::any(bytes),
        stapled::any(bytes),
    ];
    read.into_iter().filter(|read| *read).count()
}
