//! Whether a whole backup is to be believed, beside the last good one.

use crate::catalogue::{Copy, Listing};
use crate::manifest::Manifest;

/// The last backup that counts.
pub(super) fn newest_good(listing: &Listing) -> Option<&Copy> {
    listing.copies.iter().rfind(|copy| copy.is_good())
}

/// Why a backup does not count although it is whole: it lost most of what the
/// last good one had.
pub(super) fn doubt(new: &Manifest, last: &Manifest) -> Option<String> {
    let fell = |what: &str, new: u64, last: u64| {
        (new < last.div_ceil(2)).then(|| format!("{what} fell from {last} to {new}"))
    };
    let tables = |manifest: &Manifest| {
        let postgres = manifest.postgres.as_ref();
        postgres.map_or(0, |postgres| postgres.tables.len() as u64)
    };
    let files = |manifest: &Manifest| {
        let files = manifest.files.as_ref();
        files.map_or(0, |files| files.files)
    };
    let (rows, before) = (new.rows().unwrap_or(0), last.rows().unwrap_or(0));
    fell("the number of tables", tables(new), tables(last))
        .or_else(|| {
            (rows == 0 && before > 0).then(|| format!("the number of rows fell from {before} to 0"))
        })
        .or_else(|| fell("the number of files", files(new), files(last)))
        .or_else(|| fell("the size", new.raw_bytes(), last.raw_bytes()))
}
