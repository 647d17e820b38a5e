//! A tree that is still what the newest copies hold: it is read and hashed, and where
//! nothing differs nothing is stored. The copies are marked with the time instead.
//!
//! Nothing here refers to another backup: each copy is whole by itself, and the one
//! that is marked is the newest good one, which retention never lets go.

use std::io::Write;

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use tokio::time::timeout_at;

use super::sink::{Sink, alive, nobody};
use super::tree::packing;
use super::work::{Fault, Work};
use crate::bootstrap::Origin;
use crate::files::Options;
use crate::id::Id;
use crate::manifest::Manifest;
use crate::marks::{Kind, Mark};
use crate::root::Root;
use crate::target::{Error, Target};

impl Work<'_> {
    /// The backup that every target has of just what is there, where the job wants
    /// to know.
    pub(super) async fn unchanged(
        &self,
        sinks: &[Sink],
        root: &Root,
        options: Options,
    ) -> Result<Option<Manifest>, String> {
        if !self.job.skip_unchanged {
            return Ok(None);
        }
        // Without one that it could be equal to, it need not be read twice.
        let Some(like) = self.like(sinks, root) else {
            return Ok(None);
        };
        let found = timeout_at(self.deadline, hash(root, options)).await;
        let found = found.map_err(|_| self.late())?;
        let found = found.map_err(|fault| match fault {
            Fault::Failed(why) => why,
            Fault::Stopped => "nobody reads it any more".to_owned(),
        })?;
        let same = found.is_some_and(|hash| index(like) == Some(&hash));
        Ok(same.then(|| like.clone()))
    }

    /// What the newest good copies of all targets hold, if that is the same, and
    /// sealed as a new one would be.
    fn like<'a>(&self, sinks: &'a [Sink], root: &Root) -> Option<&'a Manifest> {
        let recipients = self.setup.sealing(self.job).recipients;
        let recipients: Vec<_> = recipients.iter().map(ToString::to_string).collect();
        let mut first: Option<&Manifest> = None;
        for sink in sinks.iter().filter(|sink| sink.failed.is_none()) {
            let manifest = &sink.newest.as_ref()?.manifest;
            let files = manifest.files.as_ref()?;
            let sealed = |piece: &crate::manifest::Piece| piece.recipients == recipients;
            let alike = files.path == root.path.display().to_string()
                && files.volume == root.volume
                && manifest.origin == Some(Origin::of(self.job))
                && manifest.unreadable() == 0
                && manifest.pieces.iter().all(sealed)
                && first.is_none_or(|first| index(first) == index(manifest));
            if !alike {
                return None;
            }
            first = first.or(Some(manifest));
        }
        first
    }

    /// Marks the copies: they are of now.
    pub(super) async fn still(&self, sinks: &mut [Sink]) -> Result<(), String> {
        for sink in alive(sinks) {
            let Some(copy) = &sink.newest else { continue };
            let (manifest, marks) = (&copy.manifest, &copy.marks);
            match mark(&sink.target, manifest, marks, self.started_ms).await {
                Ok(()) => (self.say)(format!(
                    "same    {}: {} is all that there is",
                    sink.target.name(),
                    manifest.id
                )),
                Err(err) => self.fail(sink, err.to_string()),
            }
        }
        nobody(sinks).map_or(Ok(()), Err)
    }
}

/// Notes beside a copy that what it holds was all that there was at this time, in
/// milliseconds since 1970. What its earlier `marks` say of that is of no use then.
pub(crate) async fn mark(
    target: &Target,
    manifest: &Manifest,
    marks: &[Mark],
    at_ms: i64,
) -> Result<(), Error> {
    let shelf = manifest.shelf();
    let Some(id) = Id::parse(&manifest.id) else {
        return Err(Error::Failed("it has no id".to_owned()));
    };
    let mark = Mark {
        kind: Kind::Unchanged,
        at_ms,
    };
    mark.set(target, &shelf, &id).await?;
    let earlier = marks
        .iter()
        .filter(|earlier| earlier.kind == Kind::Unchanged && earlier.ending() != mark.ending());
    for earlier in earlier {
        // One that stays is only one more: the newest counts.
        let _ = target.delete(&shelf.key(&id, &earlier.ending())).await;
    }
    Ok(())
}

/// The hash of a backup's index, which has the hash of each file.
fn index(manifest: &Manifest) -> Option<&String> {
    manifest.piece("index").map(|piece| &piece.raw_sha256)
}

/// The hash of what the index would be; nothing where not all could be read, or it
/// changed meanwhile.
async fn hash(root: &Root, options: Options) -> Result<Option<String>, Fault> {
    let hashing = || Ok(Hashing(Context::new(&SHA256)));
    let (tally, index) = packing(&root.path, options, hashing, async |_| Ok(())).await?;
    let whole = tally.changed + tally.vanished + tally.unreadable == 0;
    Ok(whole.then(|| HEXLOWER.encode(index.0.finish().as_ref())))
}

struct Hashing(Context);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
