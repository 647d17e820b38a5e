//! What there is: the copies in each target, put together from their manifests.
//!
//! A listing is complete or an error. A manifest is read once and kept in a
//! folder of ours, since what lies under a key never changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::id::{self, MANIFEST};
use crate::manifest::Manifest;
use crate::marks::{Kind, Mark};
use crate::target::{Entry, Error, Target};

/// A backup as one target holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// What it is.
    pub manifest: Manifest,
    /// What is missing of it there, if anything is.
    pub broken: Option<String>,
    /// What was found out about it, oldest first.
    pub marks: Vec<Mark>,
}

/// What one target holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// Its backups, oldest first.
    pub copies: Vec<Copy>,
    /// Files of ours that belong to no manifest.
    pub strays: Vec<Entry>,
    /// Manifests that cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// The keys of all that was listed.
    pub seen: BTreeSet<String>,
}

/// A backup, wherever it lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// What it is.
    pub manifest: Manifest,
    /// The targets that have a copy.
    pub copies: BTreeMap<String, Copy>,
}

impl Copy {
    /// Whether it counts: all of it is there, nobody doubts it, and what was last
    /// found out about it is not that it cannot be opened.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.broken.is_none() && self.manifest.doubt.is_none() && !self.is_unsound()
    }

    /// Whether what was last found out about it is that it cannot be opened.
    #[must_use]
    pub fn is_unsound(&self) -> bool {
        let found = self.marks.iter().filter(|mark| mark.kind.is_proof());
        let newest = found.max_by_key(|mark| (mark.at_ms, mark.kind == Kind::Unsound));
        newest.is_some_and(|mark| mark.kind == Kind::Unsound)
    }

    /// The time that it is of, in milliseconds since 1970: when it was begun, or what
    /// it holds was last found to be all that there is.
    #[must_use]
    pub fn as_of_ms(&self) -> i64 {
        let found = self.last(Kind::Unchanged);
        found.unwrap_or(0).max(self.manifest.started_ms)
    }

    /// When this was last found out, in milliseconds since 1970.
    #[must_use]
    pub fn last(&self, kind: Kind) -> Option<i64> {
        let marks = self.marks.iter().filter(|mark| mark.kind == kind);
        marks.map(|mark| mark.at_ms).max()
    }
}

impl Backup {
    /// Whether it counts: a copy of it does.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.copies.values().any(Copy::is_good)
    }

    /// The time that it is of, in milliseconds since 1970; see [`Copy::as_of_ms`].
    #[must_use]
    pub fn as_of_ms(&self) -> i64 {
        let copies = self.copies.values().map(Copy::as_of_ms);
        copies.max().unwrap_or(self.manifest.started_ms)
    }
}

/// Lists what a target has below a prefix.
///
/// # Errors
/// When it cannot be listed to its end, or a manifest cannot be fetched.
pub async fn list(target: &Target, prefix: &str, kept: &Path) -> Result<Listing, Error> {
    let entries = target.list(prefix).await?;
    let sizes: BTreeMap<&str, u64> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.bytes))
        .collect();
    let mut marks: BTreeMap<_, Vec<Mark>> = BTreeMap::new();
    for entry in &entries {
        if let Some((shelf, id, mark)) = Mark::of(&entry.key) {
            marks.entry((shelf, id)).or_default().push(mark);
        }
    }
    let mut listing = Listing {
        seen: entries.iter().map(|entry| entry.key.clone()).collect(),
        ..Listing::default()
    };
    let mut claimed = BTreeSet::new();
    for entry in &entries {
        let Some((shelf, id, MANIFEST)) = id::parse(&entry.key) else {
            continue;
        };
        claimed.insert(entry.key.clone());
        let text = manifest(target, &entry.key, kept).await?;
        let read = text
            .and_then(|text| Manifest::parse(&text))
            .and_then(|manifest| {
                let same = manifest.shelf() == shelf && manifest.id == id.as_str();
                if same {
                    Ok(manifest)
                } else {
                    Err("it is of another backup".to_owned())
                }
            });
        let manifest = match read {
            Ok(manifest) => manifest,
            Err(why) => {
                listing.unreadable.push((entry.key.clone(), why));
                continue;
            }
        };
        let broken = manifest
            .pieces
            .iter()
            .find_map(|piece| match sizes.get(piece.key.as_str()) {
                None => Some(format!("{} is missing", piece.name)),
                Some(bytes) if *bytes != piece.stored_bytes => Some(format!(
                    "{} has {bytes} bytes instead of {}",
                    piece.name, piece.stored_bytes
                )),
                Some(_) => None,
            });
        claimed.extend(manifest.pieces.iter().map(|piece| piece.key.clone()));
        let marks = marks.remove(&(shelf, id)).unwrap_or_default();
        listing.copies.push(Copy {
            manifest,
            broken,
            marks,
        });
    }
    let ours = |entry: &&Entry| {
        let known = claimed.contains(&entry.key);
        // A mark whose backup is gone is left over too.
        let stands =
            Mark::of(&entry.key).is_some_and(|(shelf, id, _)| !marks.contains_key(&(shelf, id)));
        !known && !stands && id::parse(&entry.key).is_some()
    };
    listing.strays = entries.iter().filter(ours).cloned().collect();
    listing
        .copies
        .sort_by(|one, other| order(&one.manifest).cmp(&order(&other.manifest)));
    Ok(listing)
}

fn order(manifest: &Manifest) -> (i64, &str) {
    (manifest.started_ms, &manifest.id)
}

/// The text of a manifest; or why it is none.
async fn manifest(
    target: &Target,
    key: &str,
    kept: &Path,
) -> Result<Result<Vec<u8>, String>, Error> {
    let file = kept_file(target, key, kept);
    if let Ok(text) = std::fs::read(&file)
        && Manifest::parse(&text).is_ok()
    {
        return Ok(Ok(text));
    }
    match target.get(key).await {
        Ok(text) => {
            // Without it the next listing takes longer, and nothing else.
            let _ = file.parent().map(std::fs::create_dir_all);
            let _ = std::fs::write(&file, &text);
            Ok(Ok(text))
        }
        Err(Error::Missing(_)) => Ok(Err("it was deleted meanwhile".to_owned())),
        Err(err) => Err(err),
    }
}

/// Whether a listing has all that is there of what should be: manifests that were read
/// before, what the manifests name, and the manifests of what seems to be left over.
/// What was taken away by somebody else is no fault of the listing.
///
/// # Errors
/// With what it lacks; or when that cannot be found out.
pub async fn whole(
    target: &Target,
    prefix: &str,
    listing: &Listing,
    kept: &Path,
) -> Result<(), String> {
    let before = std::fs::read_dir(kept.join(target.name()));
    let before = before.into_iter().flatten().flatten();
    let before = before.filter_map(|file| Some(file.file_name().to_str()?.replace('~', "/")));
    let before = before.filter(|key| {
        let manifest = id::parse(key).is_some_and(|(_, _, ending)| ending == MANIFEST);
        manifest && key.starts_with(prefix)
    });
    let behind = listing.strays.iter().filter_map(|stray| {
        let (shelf, id, _) = id::parse(&stray.key)?;
        Some(shelf.manifest(&id))
    });
    let manifests: BTreeSet<_> = before.chain(behind).collect();
    let pieces = listing.copies.iter().filter(|copy| copy.broken.is_some());
    let pieces = pieces.flat_map(|copy| &copy.manifest.pieces);
    // A page that gets lost once is there the next time.
    let again = target.list(prefix).await.map_err(|err| err.to_string())?;
    let again: BTreeSet<_> = again.into_iter().map(|entry| entry.key).collect();
    if let Some(key) = again.symmetric_difference(&listing.seen).next() {
        return Err(format!("of two in a row, only one has {key}"));
    }
    for key in manifests.difference(&listing.seen) {
        match target.size(key).await {
            Ok(_) => return Err(format!("{key} is there, and not in it")),
            Err(Error::Missing(_)) => forget(target, key, kept),
            Err(err) => return Err(err.to_string()),
        }
    }
    for piece in pieces {
        if listing.seen.contains(&piece.key) {
            continue;
        }
        match target.size(&piece.key).await {
            Ok(_) => return Err(format!("{} is there, and not in it", piece.key)),
            Err(Error::Missing(_)) => {}
            Err(err) => return Err(err.to_string()),
        }
    }
    Ok(())
}

fn kept_file(target: &Target, key: &str, kept: &Path) -> PathBuf {
    kept.join(target.name()).join(key.replace('/', "~"))
}

/// Forgets what is kept of a manifest that was deleted.
pub fn forget(target: &Target, key: &str, kept: &Path) {
    let _ = std::fs::remove_file(kept_file(target, key, kept));
}

/// Puts listings of several targets together, oldest backup first.
#[must_use]
pub fn merge(listings: &[(String, Listing)]) -> Vec<Backup> {
    let mut backups: BTreeMap<(i64, String, String), Backup> = BTreeMap::new();
    for (target, listing) in listings {
        for copy in &listing.copies {
            let manifest = &copy.manifest;
            let key = (
                manifest.started_ms,
                manifest.id.clone(),
                manifest.source.clone(),
            );
            let backup = backups.entry(key).or_insert_with(|| Backup {
                manifest: manifest.clone(),
                copies: BTreeMap::new(),
            });
            backup.copies.insert(target.clone(), copy.clone());
        }
    }
    backups.into_values().collect()
}
