//! A tree of files as the source of a run: the archive, and its index.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::sink::Sink;
use super::work::{Before, Fault, Made, Work};
use crate::apart;
use crate::blocks::{Block, Blocks};
use crate::files::{self, Options, Tally, pack};
use crate::flow::Feed;
use crate::manifest::{Files, Manifest};
use crate::root::Root;

/// So much is passed on at a time.
const CHUNK: usize = 256 << 10;

impl From<files::Error> for Fault {
    fn from(err: files::Error) -> Self {
        match err {
            files::Error::Stopped => Self::Stopped,
            err => Self::Failed(err.to_string()),
        }
    }
}

impl Work<'_> {
    /// Packs a tree into all targets.
    pub(super) async fn tree(&self, sinks: &mut [Sink], before: &Before) -> Result<Made, String> {
        let root = self.answered(Root::of(self.setup, self.job)).await?;
        let scratch = self.setup.scratch(self.job)?;
        let options = self.setup.packing(self.job, &scratch);
        let done = match self.unchanged(sinks, &root, options).await {
            Ok(Some(same)) => Ok(Made::Same(same)),
            Ok(None) => {
                let packed = self.packed(sinks, before, root, &scratch).await;
                packed.map(Made::New)
            }
            Err(err) => Err(err),
        };
        // What stays is taken away by the next who needs it.
        let _ = std::fs::remove_dir_all(&scratch);
        done
    }

    async fn packed(
        &self,
        sinks: &mut [Sink],
        before: &Before,
        root: Root,
        scratch: &Path,
    ) -> Result<Manifest, String> {
        let index = scratch.join("index");
        let options = self.setup.packing(self.job, scratch);
        let (tally, archive) = self
            .piece(sinks, ("archive", "tar"), before, async |feed: &Feed| {
                archive(feed, &root.path, options, &index).await
            })
            .await?;
        // Only the index is left, which lies with us.
        let woken = self.loud().await;
        (self.say)(format!(
            "archive {}: {} files, {} folders, whole",
            root.path.display(),
            tally.files,
            tally.directories
        ));
        let ((), index) = self
            .piece(sinks, ("index", "index"), before, async |feed: &Feed| {
                reading(feed, &index).await
            })
            .await?;
        let mut warnings = tally.warnings.clone();
        warnings.extend(woken);
        if tally.more_warnings > 0 {
            warnings.push(format!("and {} more like these", tally.more_warnings));
        }
        Ok(
            self.manifest(before, vec![archive, index], warnings, |manifest| {
                manifest.files = Some(facts(root, &tally));
            }),
        )
    }
}

fn facts(root: Root, tally: &Tally) -> Files {
    Files {
        path: root.path.display().to_string(),
        volume: root.volume,
        entries: tally.entries(),
        files: tally.files,
        bytes: tally.bytes,
        changed: tally.changed,
        vanished: tally.vanished,
        unreadable: tally.unreadable,
        left_out: tally.left_out,
        sqlite: tally.sqlite,
    }
}

async fn archive(feed: &Feed, root: &Path, options: Options, index: &Path) -> Result<Tally, Fault> {
    let (path, shown) = (index.to_owned(), index.display().to_string());
    let lines = move || File::create(&path).map(BufWriter::new);
    let give = async |chunk| Ok(feed.give(chunk).await?);
    let (tally, mut lines) = packing(root, options, lines, give).await?;
    let flushed = lines.flush();
    flushed.map_err(|err| Fault::Failed(format!("{shown}: {err}")))?;
    Ok(tally)
}

/// Packs on a thread of its own, which ends when nobody takes anything any more;
/// if it hangs on a dead disk, it hangs alone, and is waited for only so long. The
/// lines of the index go where `lines` says.
pub(super) async fn packing<Lines: Write + Send + 'static>(
    place: &Path,
    options: Options,
    lines: impl FnOnce() -> std::io::Result<Lines> + Send + 'static,
    take: impl AsyncFn(Bytes) -> Result<(), Fault>,
) -> Result<(Tally, Lines), Fault> {
    let (give, mut chunks) = mpsc::channel(4);
    let root = place.to_owned();
    let packed = apart::begin(place, move || {
        let mut lines = lines().map_err(|source| files::Error::Io {
            path: "the index".to_owned(),
            source,
        })?;
        let blocks = Blocks::of(CHUNK);
        let mut out = Chunks {
            give,
            chunk: blocks.lend(),
            blocks,
        };
        let tally = pack(&root, &options, &mut out, &mut lines)?;
        Ok::<_, files::Error>((tally, lines))
    });
    let failed = |err: apart::Error| Fault::Failed(err.to_string());
    let packed = packed.map_err(failed)?;
    loop {
        match timeout(STILL, chunks.recv()).await {
            Ok(Some(chunk)) => take(chunk).await?,
            Ok(None) => break,
            Err(_) => {
                let still = settings::format_duration(STILL);
                return Err(Fault::Failed(format!(
                    "{}: nothing could be read from it for {still}",
                    place.display()
                )));
            }
        }
    }
    Ok(packed.end().await.map_err(failed)??)
}

/// Within this time even a hole of a terabyte is hashed, or a large database copied.
const STILL: Duration = Duration::from_secs(1800);

async fn reading(feed: &Feed, path: &Path) -> Result<(), Fault> {
    let (give, mut chunks) = mpsc::channel::<Bytes>(4);
    let shown = path.display().to_string();
    let path = path.to_owned();
    let read = apart::thread(move || {
        let mut file = File::open(path)?;
        let blocks = Blocks::of(CHUNK);
        loop {
            let mut chunk = blocks.lend();
            let read = file.read(chunk.room())?;
            chunk.fill(read);
            if read == 0 || give.blocking_send(chunk.bytes()).is_err() {
                return Ok::<_, std::io::Error>(());
            }
        }
    });
    let read = read.map_err(|err| Fault::Failed(err.to_string()))?;
    let failed = |err: std::io::Error| Fault::Failed(format!("{shown}: {err}"));
    while let Some(chunk) = chunks.recv().await {
        feed.give(chunk).await?;
    }
    match read.await {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(Fault::Failed("reading the index panicked".to_owned())),
    }
}

/// Gathers what is written, and passes it on.
struct Chunks {
    give: mpsc::Sender<Bytes>,
    blocks: Blocks,
    chunk: Block,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.chunk.take(bytes);
        if self.chunk.is_full() {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, self.blocks.lend());
        let gone = |_| std::io::ErrorKind::BrokenPipe.into();
        self.give.blocking_send(chunk.bytes()).map_err(gone)
    }
}
