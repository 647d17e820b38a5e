//! A file from a bucket as a stream. One that breaks or stands still goes on where it
//! was: a download of hours must not fail of a minute. One that is slow is not cut.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{Error as Store, GetOptions, GetRange, ObjectStore};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::super::Error;
use super::Bucket;
use super::trouble::{late, why};

/// So often it is tried without a byte more, beside the client's own retries.
const TRIES: u32 = 3;

type Stream = BoxStream<'static, Result<Bytes, Store>>;

/// Begins; the stream ends with an error if it cannot be read to its end.
pub(super) async fn read(
    bucket: &Bucket,
    key: &str,
) -> Result<mpsc::Receiver<Result<Bytes, Error>>, Error> {
    let mut download = Download {
        store: bucket.store.clone(),
        path: bucket.path(key),
        key: key.to_owned(),
        patience: bucket.while_asking(),
        at: 0,
        end: 0,
        etag: None,
    };
    let stream = download.begin().await?;
    let (give, flow) = mpsc::channel(4);
    tokio::spawn(async move { download.pass(stream, &give).await });
    Ok(flow)
}

struct Download {
    store: AmazonS3,
    path: Path,
    key: String,
    patience: Duration,
    at: u64,
    end: u64,
    etag: Option<String>,
}

impl Download {
    async fn begin(&mut self) -> Result<Stream, Error> {
        let (stream, end, etag) = self.asked(GetOptions::default()).await?;
        (self.end, self.etag) = (end, etag);
        Ok(stream)
    }

    /// What is still missing. A file under the same key that is another one is refused.
    async fn resume(&self) -> Result<Stream, Error> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(self.at..self.end)),
            if_match: self.etag.clone(),
            ..GetOptions::default()
        };
        self.asked(options).await.map(|(stream, _, _)| stream)
    }

    async fn asked(&self, options: GetOptions) -> Result<(Stream, u64, Option<String>), Error> {
        let answer = timeout(self.patience, self.store.get_opts(&self.path, options)).await;
        let answer = answer.map_err(|_| late("GET"))?;
        let answer = answer.map_err(|err| why(&self.key, &err))?;
        let (end, etag) = (answer.meta.size, answer.meta.e_tag.clone());
        Ok((answer.into_stream(), end, etag))
    }

    async fn pass(mut self, mut stream: Stream, give: &mpsc::Sender<Result<Bytes, Error>>) {
        let mut tried = 0;
        loop {
            let err = match timeout(self.patience, stream.next()).await {
                Ok(Some(Ok(block))) => {
                    self.at += block.len() as u64;
                    tried = 0;
                    if give.send(Ok(block)).await.is_err() {
                        return;
                    }
                    continue;
                }
                // All of it is there, however it ended: no range is left to ask for.
                _ if self.at >= self.end => return,
                Ok(None) => Error::Failed(format!("{} was cut", self.key)),
                Ok(Some(Err(err))) => why(&self.key, &err),
                Err(_) => late("GET"),
            };
            match self.go_on(&mut tried, err).await {
                Ok(next) => stream = next,
                Err(err) => {
                    let _ = give.send(Err(err)).await;
                    return;
                }
            }
        }
    }

    /// What goes on after something went wrong; or what that was.
    async fn go_on(&self, tried: &mut u32, mut err: Error) -> Result<Stream, Error> {
        while *tried < TRIES && !matches!(err, Error::Refused(_) | Error::Missing(_)) {
            *tried += 1;
            sleep(Duration::from_millis(500) * *tried).await;
            match self.resume().await {
                Ok(stream) => return Ok(stream),
                Err(Error::Exists(key)) => {
                    return Err(Error::Failed(format!("{key} is another file by now")));
                }
                Err(worse) => err = worse,
            }
        }
        Err(err)
    }
}
