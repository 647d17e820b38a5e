use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::*;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

#[test]
fn the_table_names_every_file_of_the_folder() {
    let on_disk: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let in_table = TABLE.iter().flat_map(|entry| {
        let zipped = entry.gzip.map(|_| format!("{}.gz", entry.name));
        std::iter::once(entry.name.to_owned()).chain(zipped)
    });
    assert_eq!(on_disk, in_table.collect());
}

/// Rewrites the compressed files when asked to, like the golden files.
#[test]
fn compressed_files_hold_what_the_plain_ones_hold() {
    for entry in TABLE.iter().filter(|entry| entry.gzip.is_some()) {
        let plain = std::fs::read(folder().join(entry.name)).unwrap();
        let zipped = folder().join(format!("{}.gz", entry.name));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&plain).unwrap();
            std::fs::write(&zipped, encoder.finish().unwrap()).unwrap();
        }
        let mut unzipped = Vec::new();
        let file = std::fs::File::open(&zipped).unwrap();
        GzDecoder::new(file).read_to_end(&mut unzipped).unwrap();
        assert!(
            unzipped == plain,
            "{} is old: run with UPDATE_GOLDEN=1",
            zipped.display()
        );
    }
}

#[test]
fn an_address_is_for_ever_only_with_the_right_hash() {
    let url = url("belfry.css");
    let asset = get(url).unwrap();
    assert!(asset.immutable);
    assert_eq!(asset.content_type, "text/css; charset=utf-8");
    assert!(asset.gzip.unwrap().len() < asset.bytes.len());

    let old = get("/assets/0000000000000000/belfry.css").unwrap();
    assert!(!old.immutable);
    assert_eq!(old.bytes, asset.bytes);
}

#[test]
fn nothing_but_the_table_is_served() {
    for path in [
        "/assets/x/../lib.rs",
        "/assets/belfry.css",
        "/assets/x/y/belfry.css",
        "/assets/x/belfry.css.gz",
        "/",
        "",
    ] {
        assert_eq!(get(path), None, "{path}");
    }
}

#[test]
fn the_script_is_small() {
    assert!(get(url("belfry.js")).unwrap().bytes.len() < 10_240);
}
