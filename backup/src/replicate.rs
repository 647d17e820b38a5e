//! Bringing copies to targets that lack them: one was down when the backup was made,
//! or is new. What is stored is copied as it is, sealed as it was, and checked by
//! its sum on the way. An upload that is cut off goes on the next time.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use tokio::sync::mpsc;

use crate::catalogue::{self, Copy};
use crate::id::Id;
use crate::manifest::Piece;
use crate::marks::{Kind, Mark};
use crate::restore::RESTORED;
use crate::run::{Lock, Say, Taken, mark_unchanged};
use crate::seal::Sum;
use crate::target::{Error, Flow, Target};
use crate::{Job, Setup};

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replicated {
    /// The backups that were brought, and where to.
    pub brought: Vec<(String, String)>,
    /// What could not be brought, and why.
    pub errors: Vec<String>,
}

/// So many of the newest backups are brought: older ones are history.
const NEWEST: usize = 3;

/// Brings the newest good backups of a job to all of its targets that lack them.
///
/// # Errors
/// When another run of the job goes on, its lock cannot be had, or its settings are at fault.
pub async fn replicate(setup: &Setup, job: &Job, say: Say<'_>) -> Result<Replicated, Taken> {
    let _lock = Lock::take(&setup.work, &job.name)?;
    let prefix = setup.shelf(job).prefix();
    let mut done = Replicated::default();
    let mut held: Vec<(Target, BTreeMap<String, Copy>)> = Vec::new();
    let targets = setup.targets(job);
    for target in targets.map_err(|err| Taken::Unable(err.to_string()))? {
        match catalogue::list(&target, &prefix, &setup.kept()).await {
            Ok(listing) => {
                let copies = listing.copies.into_iter();
                let by_id = copies.map(|copy| (copy.manifest.id.clone(), copy));
                held.push((target, by_id.collect()));
            }
            Err(err) => done.errors.push(format!("{}: {err}", target.name())),
        }
    }
    let wanted = unsent(held.iter().flat_map(|(_, copies)| copies.values()));
    let mut swept = Vec::new();
    for (target, copies) in held {
        match target.sweep(&prefix, &wanted).await {
            Ok(_) => swept.push((target, copies)),
            // What is begun anew under a key takes the place of what is noted of it, and
            // nobody would end the upload that could not be ended now.
            Err(err) => done.errors.push(format!("{}: {err}", target.name())),
        }
    }
    let mut held = swept;
    for (id, from, to) in missing(&held) {
        let (from, copy) = (held[from].0.clone(), held[from].1[&id].clone());
        let (to, copies) = &mut held[to];
        match bring(setup, job, &from, &copy, to).await {
            Ok(()) => {
                say(format!("stored  {}: {id}, from {}", to.name(), from.name()));
                done.brought.push((id.clone(), to.name().to_owned()));
                let marks = Vec::new();
                copies.insert(id, Copy { marks, ..copy });
            }
            Err(err) => done.errors.push(format!("{}: {id}: {err}", to.name())),
        }
    }
    // Of those too that were brought before, and could not be pinned then.
    for (id, mark, from, to) in unpinned(&held, Timestamp::now().as_millisecond()) {
        let ((from, copies), (to, _)) = (&held[from], &held[to]);
        if let Err(err) = pin(from, &copies[&id], mark, to).await {
            let to = to.name();
            done.errors
                .push(format!("{to}: {id} is not pinned there: {err}"));
        }
    }
    for (id, at_ms) in unchanged(&held) {
        for (target, copies) in &held {
            let Some(copy) = copies.get(&id) else {
                continue;
            };
            if copy.last(Kind::Unchanged) < Some(at_ms)
                && let Err(err) = mark_unchanged(target, &copy.manifest, &copy.marks, at_ms).await
            {
                done.errors.push(format!("{}: {id}: {err}", target.name()));
            }
        }
    }
    Ok(done)
}

/// Backups that were found to be all that there is, and when that was last: what
/// holds of one copy holds of all.
fn unchanged(held: &[(Target, BTreeMap<String, Copy>)]) -> BTreeMap<String, i64> {
    let mut found = BTreeMap::new();
    for (id, copy) in held.iter().flat_map(|(_, copies)| copies) {
        if let Some(at_ms) = copy.last(Kind::Unchanged) {
            let latest: &mut i64 = found.entry(id.clone()).or_insert(at_ms);
            *latest = at_ms.max(*latest);
        }
    }
    found
}

/// Which backups are brought from which target to which; newest first.
fn missing(held: &[(Target, BTreeMap<String, Copy>)]) -> Vec<(String, usize, usize)> {
    let mut good: BTreeMap<(i64, &String), usize> = BTreeMap::new();
    for (at, (_, copies)) in held.iter().enumerate() {
        for (id, copy) in copies.iter().filter(|(_, copy)| copy.is_good()) {
            good.entry((copy.manifest.started_ms, id)).or_insert(at);
        }
    }
    let mut all = Vec::new();
    for ((_, id), from) in good.iter().rev().take(NEWEST) {
        for (to, (_, copies)) in held.iter().enumerate() {
            // One that is there and broken is not written over.
            if !copies.contains_key(*id) {
                all.push(((*id).clone(), *from, to));
            }
        }
    }
    all
}

/// The files of the newest good backups, whose uploads may go on, and their sizes.
pub(crate) fn unsent<'a>(copies: impl Iterator<Item = &'a Copy>) -> BTreeMap<String, u64> {
    let good = copies.filter(|copy| copy.is_good());
    let good: BTreeMap<_, _> = good
        .map(|copy| ((copy.manifest.started_ms, &copy.manifest.id), copy))
        .collect();
    let newest = good.values().rev().take(NEWEST);
    let pieces = newest.flat_map(|copy| &copy.manifest.pieces);
    pieces
        .map(|piece| (piece.key.clone(), piece.stored_bytes))
        .collect()
}

async fn bring(
    setup: &Setup,
    job: &Job,
    from: &Target,
    copy: &Copy,
    to: &Target,
) -> Result<(), Error> {
    let manifest = &copy.manifest;
    to.room_for(manifest.stored_bytes()).await?;
    for piece in &manifest.pieces {
        // Of a try that was cut off there may be a piece already.
        match to.size(&piece.key).await {
            Ok(bytes) if bytes == piece.stored_bytes => {}
            Ok(_) => {
                to.delete(&piece.key).await?;
                send(from, piece, to).await?;
            }
            Err(Error::Missing(_)) => send(from, piece, to).await?,
            Err(err) => return Err(err),
        }
    }
    let Some(id) = Id::parse(&manifest.id) else {
        return Err(Error::Failed("it has no id".to_owned()));
    };
    to.put(&setup.shelf(job).manifest(&id), manifest.text())
        .await
}

/// Pins that lie ahead and are of one copy alone, from which target to which.
fn unpinned(
    held: &[(Target, BTreeMap<String, Copy>)],
    now_ms: i64,
) -> Vec<(String, Mark, usize, usize)> {
    let mut all = Vec::new();
    for (from, (_, copies)) in held.iter().enumerate() {
        for (id, copy) in copies {
            let ahead = |mark: &&Mark| mark.kind == Kind::Pinned && mark.at_ms > now_ms;
            for mark in copy.marks.iter().filter(ahead) {
                for (to, (_, others)) in held.iter().enumerate() {
                    let other = others.get(id);
                    if other.is_some_and(|other| !other.marks.contains(mark)) {
                        all.push((id.clone(), *mark, from, to));
                    }
                }
            }
        }
    }
    all
}

/// Pins a copy as another is, and says why there. Whoever confirms a restore takes its pin
/// away where it was set, and nowhere else.
async fn pin(from: &Target, copy: &Copy, mark: Mark, to: &Target) -> Result<(), Error> {
    let Some(id) = Id::parse(&copy.manifest.id) else {
        return Ok(());
    };
    let shelf = copy.manifest.shelf();
    let text = from.get(&shelf.key(&id, &mark.ending())).await?;
    let said: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    if said["why"] == RESTORED {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    mark.set_with(to, &shelf, &id, text).await
}

/// Sends what is stored of a piece; it ends well only if it is what was stored.
async fn send(from: &Target, piece: &Piece, to: &Target) -> Result<(), Error> {
    let mut stored = from.read(&piece.key).await?;
    let (give, flow) = mpsc::channel(2);
    let taking = to.go_on(&piece.key, piece.stored_bytes, flow);
    let giving = async move {
        let mut hash = Context::new(&SHA256);
        let mut bytes = 0;
        while let Some(block) = stored.recv().await {
            let block: Bytes = block?;
            hash.update(&block);
            bytes += block.len() as u64;
            if give.send(Flow::Block(block)).await.is_err() {
                return Ok(());
            }
        }
        let found = HEXLOWER.encode(hash.finish().as_ref());
        if found != piece.stored_sha256 || bytes != piece.stored_bytes {
            // It goes without an end, and the other gives it up.
            return Err(Error::Failed(format!(
                "{} is damaged where it lies",
                piece.name
            )));
        }
        let sum = Sum {
            raw_bytes: piece.raw_bytes,
            raw_sha256: piece.raw_sha256.clone(),
            stored_bytes: bytes,
            stored_sha256: found,
        };
        let _ = give.send(Flow::End(sum)).await;
        Ok(())
    };
    let (taken, given) = tokio::join!(taking, giving);
    given.and(taken)
}
