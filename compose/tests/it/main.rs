//! Beside the peer.

#[cfg(test)]
mod peer;
