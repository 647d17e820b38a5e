//! Blocks of memory that are used again: what passes through a backup would else be
//! asked of the kernel, and cleared by it, a block at a time.
//!
//! A block goes home when the last who reads it lets go, wherever that is. What is
//! home is freed with the last who can still lend.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Where blocks of one size come from.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    size: usize,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A block that is being filled.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    filled: usize,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Blocks {
    /// Of so many bytes each.
    pub(crate) fn of(size: usize) -> Self {
        Self {
            size,
            home: Arc::default(),
        }
    }

    /// An empty block.
    pub(crate) fn lend(&self) -> Block {
        let used = lock(&self.home).pop();
        Block {
            bytes: used.unwrap_or_else(|| vec![0; self.size]),
            filled: 0,
            home: Arc::clone(&self.home),
        }
    }
}

impl Block {
    /// Where it can be filled further; say how far by [`Block::fill`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// So many bytes more were written into its room.
    pub(crate) fn fill(&mut self, more: usize) {
        self.filled = self.bytes.len().min(self.filled + more);
    }

    /// Copies as much as has room into it; how much that was.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        let room = self.room();
        let taken = bytes.len().min(room.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.fill(taken);
        taken
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// What it was filled with.
    pub(crate) fn bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Nobody else is there to lend it to.
        if Arc::strong_count(&self.home) > 1 {
            lock(&self.home).push(std::mem::take(&mut self.bytes));
        }
    }
}

fn lock(home: &Mutex<Vec<Vec<u8>>>) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    home.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_lent_again_when_nobody_reads_it_any_more_and_shows_nothing_of_before() {
        let blocks = Blocks::of(4);
        let mut block = blocks.lend();
        assert!(block.is_empty());
        assert_eq!(block.take(b"abcdef"), 4);
        assert!(block.is_full());
        let at = block.as_ref().as_ptr();
        let (bytes, other) = (block.bytes(), blocks.lend());
        let part = bytes.slice(1..3);
        drop(bytes);
        assert_ne!(other.bytes.as_ptr(), at);
        assert_eq!(&part[..], b"bc");
        drop(part);
        let mut again = blocks.lend();
        assert_eq!(again.bytes.as_ptr(), at);
        again.room()[0] = b'x';
        again.fill(1);
        assert_eq!(again.bytes(), "x");
    }
}
