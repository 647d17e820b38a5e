//! A part of an upload, as the blocks that it came in.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use tokio::task::yield_now;

#[derive(Default)]
pub(super) struct Part {
    pub(super) blocks: Vec<Bytes>,
    pub(super) bytes: u64,
}

impl Part {
    pub(super) fn push(&mut self, block: Bytes) {
        self.bytes += block.len() as u64;
        self.blocks.push(block);
    }

    /// Its SHA-256. A part may be large, and others have work to do.
    pub(super) async fn sum(&self) -> String {
        let mut hash = Context::new(&SHA256);
        for block in &self.blocks {
            hash.update(block);
            yield_now().await;
        }
        HEXLOWER.encode(hash.finish().as_ref())
    }

    /// Takes exactly so many bytes off the front.
    pub(super) fn split(&mut self, size: u64) -> Self {
        let mut front = Self::default();
        let mut blocks = std::mem::take(self).blocks.into_iter();
        for mut block in blocks.by_ref() {
            let missing = usize::try_from(size - front.bytes).unwrap_or(usize::MAX);
            if block.len() > missing {
                let rest = block.split_off(missing);
                front.push(block);
                self.push(rest);
                break;
            }
            front.push(block);
        }
        for block in blocks {
            self.push(block);
        }
        front
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_at_exactly_its_size() {
        let mut part = Part::default();
        for length in [3, 4, 5] {
            part.push(Bytes::from(vec![7; length]));
        }
        let front = part.split(5);
        assert_eq!((front.bytes, part.bytes), (5, 7));
        assert_eq!(front.blocks.concat().len(), 5);
        let all = part.split(7);
        assert_eq!((all.bytes, part.bytes, part.blocks.len()), (7, 0, 0));
    }
}
