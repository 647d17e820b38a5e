//! A folder of copies: the newest, its size, and how many there are.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Watch;

/// What a watched folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    /// Files that count as copies.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Files of the right name that are too small to be one.
    pub too_small: u64,
    /// The newest copy: its time in milliseconds since 1970, and its bytes.
    pub newest: Option<(i64, u64)>,
}

/// Looks at a folder. This blocks: the folder may lie on a dead mount, so the
/// caller gives it a thread and a deadline.
pub fn look(watch: &Watch) -> io::Result<Copies> {
    let mut copies = Copies::default();
    for entry in std::fs::read_dir(&watch.folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with(&watch.suffix) {
            continue;
        }
        let data = match entry.metadata() {
            Ok(data) => data,
            // Retention may delete a file while we look.
            Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
            Err(err) => return Err(err),
        };
        if !data.is_file() {
            continue;
        }
        if data.len() < watch.min_size.bytes() {
            copies.too_small += 1;
            continue;
        }
        copies.count += 1;
        copies.bytes += data.len();
        copies.newest = copies
            .newest
            .max(Some((millis(data.modified()?), data.len())));
    }
    Ok(copies)
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;

    fn watch(folder: &tempfile::TempDir) -> Watch {
        Watch {
            folder: folder.path().to_owned(),
            suffix: ".gz".into(),
            ..Watch::default()
        }
    }

    fn copy(folder: &tempfile::TempDir, name: &str, bytes: usize, seconds: u64) {
        let path = folder.path().join(name);
        fs::write(&path, vec![7; bytes]).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }

    #[test]
    fn the_newest_copy_that_is_large_enough_counts() {
        let folder = tempfile::tempdir().unwrap();
        copy(&folder, "a.gz", 2000, 100);
        copy(&folder, "b.gz", 3000, 200);
        copy(&folder, "died.gz", 20, 300);
        copy(&folder, "notes.txt", 5000, 400);
        fs::create_dir(folder.path().join("c.gz")).unwrap();
        assert_eq!(
            look(&watch(&folder)).unwrap(),
            Copies {
                count: 2,
                bytes: 5000,
                too_small: 1,
                newest: Some((200_000, 3000))
            }
        );
    }

    #[test]
    fn an_empty_folder_has_no_newest_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(look(&watch(&folder)).unwrap(), Copies::default());
        let gone = Watch {
            folder: folder.path().join("gone"),
            ..Watch::default()
        };
        assert_eq!(look(&gone).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
