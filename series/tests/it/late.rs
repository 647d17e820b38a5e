//! What of an archive cannot be read when the program starts, and can be later.

use std::fs;
use std::path::Path;

use series::{Settings, Store};
use tempfile::TempDir;

use crate::{contents, labels};

const STEP: i64 = 15_000;
const HOUR: i64 = 3_600_000;
const START: i64 = 1_700_000_000_000;

/// Some hours of a few series, most of it put away; when it ended.
fn filled(dir: &Path) -> i64 {
    let (store, _) = Store::open(dir, Settings::default());
    let mut now = START;
    for at in 0..6 * 240 {
        now = START + at * STEP;
        for id in 0..6 {
            let gauge = labels("gauge", &[("id", &id.to_string())]);
            let value = (at as f64 * 0.37 + id as f64).sin();
            store.append(&gauge, now, value).unwrap();
        }
        store.maintain(now);
        store.put_away(now).unwrap();
    }
    store.flush().unwrap();
    now
}

#[test]
fn a_file_that_cannot_be_opened_at_the_start_is_read_once_it_can() {
    let dir = TempDir::new().unwrap();
    let now = filled(dir.path());
    let all = contents(&Store::open(dir.path(), Settings::default()).0);
    let archive = dir.path().join("series/archive");
    let (file, aside) = (archive.join("00000002"), dir.path().join("aside"));
    // Root reads every file, but a folder is none.
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    let (store, recovery) = Store::open(dir.path(), Settings::default());
    assert_eq!(recovery.faults.len(), 1, "{:?}", recovery.faults);
    assert_ne!(contents(&store), all);
    store.put_away(now).unwrap();
    assert_ne!(contents(&store), all);
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    store.put_away(now).unwrap();
    assert_eq!(contents(&store), all);
}

#[test]
fn a_file_that_turns_out_to_be_damaged_is_told_as_lost_once() {
    let dir = TempDir::new().unwrap();
    let now = filled(dir.path());
    let file = dir.path().join("series/archive/00000002");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default());
    assert_eq!(store.put_away(now).unwrap().lost, []);
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "not an archive").unwrap();
    let lost = store.put_away(now).unwrap().lost;
    assert_eq!(lost[0].file, "archive/00000002");
    assert_eq!((lost.len(), file.exists()), (1, false));
    assert_eq!(store.put_away(now).unwrap().lost, []);
}

#[test]
fn nothing_is_written_over_files_of_a_folder_that_could_not_be_listed() {
    let dir = TempDir::new().unwrap();
    let now = filled(dir.path());
    let all = contents(&Store::open(dir.path(), Settings::default()).0);
    let (archive, aside) = (dir.path().join("series/archive"), dir.path().join("aside"));
    fs::rename(&archive, &aside).unwrap();
    fs::write(&archive, "").unwrap();
    let (store, recovery) = Store::open(dir.path(), Settings::default());
    assert_eq!(recovery.faults.len(), 1, "{:?}", recovery.faults);
    let later = now + 2 * HOUR;
    store.maintain(later);
    let err = store.put_away(later).unwrap_err();
    assert!(err.to_string().contains("cannot be listed"), "{err}");
    fs::remove_file(&archive).unwrap();
    fs::rename(&aside, &archive).unwrap();
    // After a failure some calls pass before the next try.
    let written = (0..64).map(|_| store.put_away(later).unwrap().written);
    assert!(written.sum::<u64>() > 0);
    assert_eq!(contents(&store), all);
    drop(store);
    assert_eq!(
        contents(&Store::open(dir.path(), Settings::default()).0),
        all
    );
}
