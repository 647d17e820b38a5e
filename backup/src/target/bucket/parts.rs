//! A stream as an upload of equal parts, each tried again by itself. One that was cut
//! off goes on where it was, when what it is of is there to be read again.

use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{Error as Store, PutPayload};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::ledger::{PARTS, Upload};
use super::super::{Error, Flow};
use super::Bucket;
use super::part::Part;
use super::trouble::{late, why};

const MIB: u64 = 1 << 20;
/// The least that all buckets take as a part that is not the last.
const LEAST: u64 = 8 * MIB;
/// The most that R2 takes.
const MOST: u64 = 5 * 1024 * MIB - 5 * MIB;
/// So many are under way at once; memory follows from it.
const AT_ONCE: usize = 2;
/// How often a part is sent, beside the client's own retries.
const TRIES: u32 = 3;

const ENDED: &str = "the upload was ended by the store";
const OTHER: &str = "what had arrived of it is not what lies here; it is sent anew";

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
    flow: mpsc::Receiver<Flow>,
) -> Result<(), Error> {
    let mut upload = None;
    let size = part_size(expected);
    let stream = Stream {
        flow: bucket.fed(flow),
        rest: Part::default(),
        goes_on: false,
    };
    let done = sent(bucket, key, size, stream, &mut upload).await;
    if done.is_err() {
        give_up(upload).await;
    }
    done
}

/// The same of what is there to be read again, so many bytes: what has arrived of it is
/// not sent once more, and if it fails too, it can go on later.
pub(super) async fn go_on(
    bucket: &Bucket,
    key: &str,
    bytes: u64,
    mut flow: mpsc::Receiver<Flow>,
) -> Result<(), Error> {
    let begun = bucket.ledger.begun(bucket.name(), key, bytes);
    let size = begun
        .as_ref()
        .map_or_else(|| part_size(bytes), |upload| upload.size);
    let mut upload = begun.map(|upload| Sending::again(bucket, upload));
    let done = async {
        let mut rest = Part::default();
        if let Some(sending) = &upload {
            arrived(&sending.upload, &mut flow, &mut rest).await?;
        }
        // What need not be sent is not held back.
        let stream = Stream {
            flow: bucket.fed(flow),
            rest,
            goes_on: true,
        };
        sent(bucket, key, size, stream, &mut upload).await
    }
    .await;
    let Err(err) = &done else { return done };
    let goes_on = match err {
        // What it is of is not what it was, or the store knows no such upload.
        Error::Abandoned | Error::Missing(_) => false,
        Error::Failed(why) => why != ENDED && why != OTHER,
        _ => true,
    };
    match upload {
        // When all has arrived, and still is not taken, some of it is at fault.
        Some(mut sending) if goes_on && !sending.sent => sending.parts.shutdown().await,
        upload => give_up(upload).await,
    }
    done
}

/// Reads what has arrived of an upload, which must be what has arrived.
async fn arrived(
    upload: &Upload,
    flow: &mut mpsc::Receiver<Flow>,
    rest: &mut Part,
) -> Result<(), Error> {
    for sum in &upload.sums {
        while rest.bytes < upload.size {
            match flow.recv().await {
                Some(Flow::Block(block)) => rest.push(block),
                _ => return Err(Error::Abandoned),
            }
        }
        if rest.split(upload.size).sum().await != *sum {
            return Err(Error::Failed(OTHER.to_owned()));
        }
    }
    Ok(())
}

/// What is to be sent.
struct Stream {
    flow: mpsc::Receiver<Flow>,
    /// What was read of it and stands before all else.
    rest: Part,
    /// Whether it can go on later.
    goes_on: bool,
}

async fn sent<'a>(
    bucket: &'a Bucket,
    key: &str,
    size: u64,
    mut stream: Stream,
    upload: &mut Option<Sending<'a>>,
) -> Result<(), Error> {
    let mut part = stream.rest;
    let end = loop {
        while part.bytes > size {
            let full = part.split(size);
            let sending = match upload {
                Some(sending) => sending,
                None => {
                    let begun = Sending::begin(bucket, key, size, stream.goes_on).await?;
                    upload.insert(begun)
                }
            };
            sending.part(full).await?;
        }
        match stream.flow.recv().await {
            Some(Flow::Block(block)) => part.push(block),
            Some(Flow::End(sum)) => break Some(sum),
            None => break None,
        }
    };
    let sum = end.ok_or(Error::Abandoned)?;
    let Some(sending) = upload else {
        return bucket.put(key, Bytes::from(part.blocks.concat())).await;
    };
    // All of it may have arrived before it was cut off.
    if part.bytes > 0 {
        sending.part(part).await?;
    }
    sending.complete(sum.stored_bytes).await
}

async fn give_up(upload: Option<Sending<'_>>) {
    if let Some(mut sending) = upload {
        sending.parts.shutdown().await;
        // What cannot be ended now is swept later. Meanwhile nothing goes on with it:
        // what arrived may be of a source that was damaged.
        sending.upload.parts.clear();
        sending.upload.sums.clear();
        let (bucket, upload) = (sending.bucket, &sending.upload);
        let noted = bucket.ledger.note(upload);
        if abort(bucket, upload).await.is_err() && noted.is_err() {
            // One that nobody ends costs less than a copy that is wrong.
            bucket.ledger.forget(upload);
        }
    }
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

struct Sending<'a> {
    bucket: &'a Bucket,
    upload: Upload,
    parts: JoinSet<(usize, Result<PartId, Error>)>,
    done: Vec<Option<PartId>>,
    /// The sums of those that are as large as all but the last must be, where it can go on.
    sums: Vec<String>,
    goes_on: bool,
    /// Whether all of them have arrived.
    sent: bool,
}

impl<'a> Sending<'a> {
    /// One that was cut off: what arrived is there.
    fn again(bucket: &'a Bucket, upload: Upload) -> Self {
        let arrived = upload.parts.iter().cloned();
        let done: Vec<_> = arrived
            .map(|content_id| Some(PartId { content_id }))
            .collect();
        Self {
            bucket,
            sums: upload.sums.clone(),
            upload,
            parts: JoinSet::new(),
            done,
            goes_on: true,
            sent: false,
        }
    }

    async fn begin(bucket: &'a Bucket, key: &str, size: u64, goes_on: bool) -> Result<Self, Error> {
        let path = bucket.path(key);
        let begun = timeout(bucket.while_asking(), bucket.store.create_multipart(&path)).await;
        let id = begun
            .map_err(|_| late("create"))?
            .map_err(|err| why(key, &err))?;
        let upload = Upload {
            target: bucket.name().to_owned(),
            key: key.to_owned(),
            id,
            size,
            parts: Vec::new(),
            sums: Vec::new(),
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
            sums: Vec::new(),
            goes_on,
            sent: false,
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
        if self.goes_on && part.bytes == self.upload.size {
            self.sums.push(part.sum().await);
        }
        let patience = self
            .bucket
            .patience(usize::try_from(part.bytes).unwrap_or(usize::MAX));
        let (store, path) = (
            self.bucket.store.clone(),
            self.bucket.path(&self.upload.key),
        );
        let (id, key) = (self.upload.id.clone(), self.upload.key.clone());
        let again = self.bucket.again.clone();
        self.parts.spawn(async move {
            let mut tried = 0;
            loop {
                tried += 1;
                let payload: PutPayload = part.blocks.iter().cloned().collect();
                let sent = timeout(patience, store.put_part(&path, &id, at, payload)).await;
                let err = match sent {
                    Ok(Ok(part)) => return (at, Ok(part)),
                    Ok(Err(Store::NotFound { .. })) => {
                        return (at, Err(Error::Failed(ENDED.to_owned())));
                    }
                    Ok(Err(err)) => {
                        let err = why(&key, &err);
                        // Only here is such an answer one that passes.
                        if matches!(&err, Error::Failed(said) if said.contains(" 400 ")) {
                            again.note();
                        }
                        err
                    }
                    Err(_) => {
                        again.note();
                        late("part")
                    }
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
                self.note();
                Ok(())
            }
            Some(Err(_)) => Err(Error::Failed("sending a part panicked".into())),
            None => Ok(()),
        }
    }

    /// Writes down what has arrived without a gap; where that fails, it is sent again.
    fn note(&mut self) {
        let known = self.upload.parts.len();
        let full = &self.done[known..self.sums.len()];
        let more = full.iter().map_while(Option::as_ref);
        let more: Vec<_> = more.map(|part| part.content_id.clone()).collect();
        if !more.is_empty() {
            let sums = &self.sums[known..known + more.len()];
            self.upload.sums.extend_from_slice(sums);
            self.upload.parts.extend(more);
            let _ = self.bucket.ledger.note(&self.upload);
        }
    }

    async fn complete(&mut self, bytes: u64) -> Result<(), Error> {
        while !self.parts.is_empty() {
            self.arrived().await?;
        }
        self.sent = true;
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
}
