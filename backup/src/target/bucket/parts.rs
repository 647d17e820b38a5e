//! A stream as an upload of equal parts, each tried again by itself.

use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{Error as Store, PutPayload};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::ledger::Upload;
use super::super::{Error, Flow};
use super::Bucket;
use super::trouble::{late, why};

const MIB: u64 = 1 << 20;
/// The least that all buckets take as a part that is not the last.
const LEAST: u64 = 8 * MIB;
/// The most that R2 takes.
const MOST: u64 = 5 * 1024 * MIB - 5 * MIB;
/// No bucket takes more parts.
const PARTS: usize = 10_000;
/// So many are under way at once; memory follows from it.
const AT_ONCE: usize = 2;
/// How often a part is sent, beside the client's own retries.
const TRIES: u32 = 3;

/// The size of the parts of an upload that will be about so large. Twice of it
/// fits too.
pub(super) fn part_size(expected: u64) -> u64 {
    let wanted = expected.saturating_mul(2) / (PARTS as u64 - 1000);
    wanted.div_ceil(MIB).saturating_mul(MIB).clamp(LEAST, MOST)
}

pub(super) async fn take(
    bucket: &Bucket,
    key: &str,
    expected: u64,
    mut flow: mpsc::Receiver<Flow>,
) -> Result<(), Error> {
    let size = part_size(expected);
    let mut part = Part::default();
    let mut upload: Option<Sending<'_>> = None;
    let end = loop {
        match flow.recv().await {
            Some(Flow::Block(block)) => part.push(block),
            Some(Flow::End(sum)) => break Some(sum),
            None => break None,
        }
        while part.bytes > size {
            let full = part.split(size);
            let sending = match &mut upload {
                Some(sending) => sending,
                None => upload.insert(Sending::begin(bucket, key).await?),
            };
            if let Err(err) = sending.part(full).await {
                return give_up(upload, err).await;
            }
        }
    };
    let Some(sum) = end else {
        return give_up(upload, Error::Abandoned).await;
    };
    let Some(mut sending) = upload else {
        return bucket.put(key, Bytes::from(part.blocks.concat())).await;
    };
    let done = async {
        sending.part(part).await?;
        sending.complete(sum.stored_bytes).await
    };
    match done.await {
        Ok(()) => Ok(()),
        Err(err) => give_up(Some(sending), err).await,
    }
}

async fn give_up(upload: Option<Sending<'_>>, err: Error) -> Result<(), Error> {
    if let Some(mut sending) = upload {
        sending.parts.shutdown().await;
        // What cannot be ended now stands in the ledger, for the next sweep.
        let _ = abort(sending.bucket, &sending.upload).await;
    }
    Err(err)
}

pub(super) async fn abort(bucket: &Bucket, upload: &Upload) -> Result<(), Error> {
    let path = bucket.path(&upload.key);
    let ended = timeout(
        bucket.while_asking(),
        bucket.store.abort_multipart(&path, &upload.id),
    )
    .await;
    match ended.map_err(|_| late("abort"))? {
        Ok(()) | Err(Store::NotFound { .. }) => {
            bucket.ledger.forget(upload);
            Ok(())
        }
        Err(err) => Err(why(&upload.key, &err)),
    }
}

#[derive(Default)]
struct Part {
    blocks: Vec<Bytes>,
    bytes: u64,
}

impl Part {
    fn push(&mut self, block: Bytes) {
        self.bytes += block.len() as u64;
        self.blocks.push(block);
    }

    /// Takes exactly so many bytes off the front.
    fn split(&mut self, size: u64) -> Self {
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

struct Sending<'a> {
    bucket: &'a Bucket,
    upload: Upload,
    parts: JoinSet<(usize, Result<PartId, Error>)>,
    done: Vec<Option<PartId>>,
}

impl<'a> Sending<'a> {
    async fn begin(bucket: &'a Bucket, key: &str) -> Result<Self, Error> {
        let path = bucket.path(key);
        let begun = timeout(bucket.while_asking(), bucket.store.create_multipart(&path)).await;
        let id = begun
            .map_err(|_| late("create"))?
            .map_err(|err| why(key, &err))?;
        let upload = Upload {
            target: bucket.name().to_owned(),
            key: key.to_owned(),
            id,
        };
        if let Err(err) = bucket.ledger.note(&upload) {
            let _ = abort(bucket, &upload).await;
            return Err(Error::Failed(format!("cannot note the upload: {err}")));
        }
        Ok(Self {
            bucket,
            upload,
            parts: JoinSet::new(),
            done: Vec::new(),
        })
    }

    async fn part(&mut self, part: Part) -> Result<(), Error> {
        while self.parts.len() >= AT_ONCE {
            self.arrived().await?;
        }
        let at = self.done.len();
        if at == PARTS {
            return Err(Error::Failed(format!(
                "it is larger than {PARTS} parts, since it grew far beyond the one before"
            )));
        }
        self.done.push(None);
        let patience = self
            .bucket
            .patience(usize::try_from(part.bytes).unwrap_or(usize::MAX));
        let (store, path) = (
            self.bucket.store.clone(),
            self.bucket.path(&self.upload.key),
        );
        let (id, key) = (self.upload.id.clone(), self.upload.key.clone());
        self.parts.spawn(async move {
            let mut tried = 0;
            loop {
                tried += 1;
                let payload: PutPayload = part.blocks.iter().cloned().collect();
                let sent = timeout(patience, store.put_part(&path, &id, at, payload)).await;
                let err = match sent {
                    Ok(Ok(part)) => return (at, Ok(part)),
                    Ok(Err(Store::NotFound { .. })) => {
                        return (
                            at,
                            Err(Error::Failed("the upload was ended by the store".into())),
                        );
                    }
                    Ok(Err(err)) => why(&key, &err),
                    Err(_) => late("part"),
                };
                if tried >= TRIES || matches!(err, Error::Refused(_)) {
                    return (at, Err(err));
                }
                sleep(Duration::from_millis(500) * tried).await;
            }
        });
        Ok(())
    }

    async fn arrived(&mut self) -> Result<(), Error> {
        match self.parts.join_next().await {
            Some(Ok((at, part))) => {
                self.done[at] = Some(part?);
                Ok(())
            }
            Some(Err(_)) => Err(Error::Failed("sending a part panicked".into())),
            None => Ok(()),
        }
    }

    async fn complete(&mut self, bytes: u64) -> Result<(), Error> {
        while !self.parts.is_empty() {
            self.arrived().await?;
        }
        let parts: Vec<_> = self.done.iter().flatten().cloned().collect();
        let path = self.bucket.path(&self.upload.key);
        let completed = self
            .bucket
            .store
            .complete_multipart(&path, &self.upload.id, parts);
        let completed = timeout(self.bucket.while_asking(), completed).await;
        // Whatever was answered, or not: the truth is what is there.
        let there = self.bucket.size(&self.upload.key).await;
        if there == Ok(bytes) {
            self.bucket.ledger.forget(&self.upload);
            return Ok(());
        }
        match (completed, there) {
            (Ok(Err(err)), _) => Err(why(&self.upload.key, &err)),
            (Err(_), _) => Err(late("complete")),
            (Ok(Ok(_)), Ok(there)) => {
                Err(Error::Failed(format!("{there} bytes arrived of {bytes}")))
            }
            (Ok(Ok(_)), Err(err)) => Err(err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_with_what_is_expected_and_stay_within_what_r2_takes() {
        for (expected, size) in [
            (0, LEAST),
            (30 << 30, LEAST),
            (100 << 30, 23 * MIB),
            (1 << 40, 234 * MIB),
            (u64::MAX, MOST),
        ] {
            assert_eq!(part_size(expected), size, "{expected}");
            let most = size.saturating_mul(PARTS as u64);
            assert!(most >= expected.min(MOST * 9000) / 2);
        }
    }

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
