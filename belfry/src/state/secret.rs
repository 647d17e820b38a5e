//! The key by which links in mails are signed: made at the first start, and
//! kept in the data folder, so that links of before a restart hold.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Bytes of the key.
const SIZE: usize = 32;

/// Never printed: it has no `Debug`.
pub(crate) type Key = [u8; SIZE];

/// The key of a data folder; a new one where there is none.
pub(super) fn of_folder(dir: &Path) -> io::Result<Key> {
    let file = dir.join("secret");
    match fs::read(&file) {
        Ok(bytes) => Key::try_from(bytes)
            .map_err(|bytes| io::Error::other(format!("it holds {} bytes", bytes.len()))),
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            let key = fresh()?;
            let temporary = dir.join("secret.new");
            let _ = fs::remove_file(&temporary);
            let mut out = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            out.write_all(&key)?;
            out.sync_all()?;
            fs::rename(temporary, file)?;
            Ok(key)
        }
        Err(err) => Err(err),
    }
}

/// A key that ends with the process.
pub(super) fn fresh() -> io::Result<Key> {
    let mut key = [0; SIZE];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let key = of_folder(dir.path()).unwrap();
        assert_eq!(of_folder(dir.path()).unwrap(), key);
        assert_ne!(key, fresh().unwrap());
        let mode = fs::metadata(dir.path().join("secret")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        fs::write(dir.path().join("secret"), "short").unwrap();
        assert!(of_folder(dir.path()).is_err());
    }
}
