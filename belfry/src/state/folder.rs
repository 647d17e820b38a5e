//! The folder and its lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Somebody who only looks whether the folder is taken holds it no longer.
const LOOK: Duration = Duration::from_millis(20);
/// So many may look, one after the other.
const LOOKS: u32 = 3;

/// A data folder that this process holds.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    /// Held open: the lock ends with the file, however the process ends.
    _lock: File,
}

/// Why the folder is not ours.
#[derive(Debug)]
pub(crate) enum Error {
    /// Another process holds it; its id as it wrote it down.
    Taken(String),
    /// It cannot be written.
    NotWritable(io::Error),
}

/// The database's file in a data folder.
pub(crate) fn database_of(dir: &Path) -> PathBuf {
    dir.join("belfry.db")
}

/// Where the data are when nobody says.
pub(crate) fn default_folder() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/belfry");
    }
    let home = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    home("XDG_STATE_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("belfry")
}

impl Folder {
    /// Makes the folder where it is missing, and takes it.
    pub(crate) fn take(dir: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(Error::NotWritable)?;
        let path = dir.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(Error::NotWritable)?;
        let mut taken = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        for _ in 0..LOOKS {
            if taken != Err(Errno::WOULDBLOCK) {
                break;
            }
            std::thread::sleep(LOOK);
            taken = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        }
        match taken {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                return Err(Error::Taken(pid.trim().to_owned()));
            }
            Err(err) => return Err(Error::NotWritable(err.into())),
        }
        // The lock is the file's, not its text's: a full disk only costs the name.
        let _ = lock
            .set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        database_of(&self.dir)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes down which address is served, for the other commands.
    pub(crate) fn write_address(&self, address: SocketAddr) -> io::Result<()> {
        self.write_place(address, "")
    }

    /// The same where all is served below a path such as `/alerts`.
    pub(crate) fn write_place(&self, address: SocketAddr, path: &str) -> io::Result<()> {
        let temporary = self.dir.join("address.new");
        let text = match path {
            "" => format!("{address}\n"),
            path => format!("{address}\n{path}\n"),
        };
        fs::write(&temporary, text)?;
        fs::rename(temporary, self.dir.join("address"))
    }

    /// Takes the address back: nobody serves it any more.
    pub(crate) fn remove_address(&self) {
        let _ = fs::remove_file(self.dir.join("address"));
    }
}

/// Also when a start fails half way: the lock is still ours, so the address is
/// ours too, or that of a Belfry that was killed.
impl Drop for Folder {
    fn drop(&mut self) {
        self.remove_address();
    }
}

/// Whether a running Belfry holds the folder. Looks without taking it.
pub(crate) fn in_use(dir: &Path) -> bool {
    match File::open(dir.join("lock")) {
        // Shared, and only until the end of this function.
        Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK),
        Err(err) if err.kind() == io::ErrorKind::NotFound => false,
        // Of another user's folder only the address can be known.
        Err(_) => read_address(dir).is_some(),
    }
}

/// The address that the Belfry of this folder wrote down.
pub(crate) fn read_address(dir: &Path) -> Option<SocketAddr> {
    Some(read_place(dir)?.0)
}

/// The same, and the path below which all is served; empty for none.
pub(crate) fn read_place(dir: &Path) -> Option<(SocketAddr, String)> {
    let text = fs::read_to_string(dir.join("address")).ok()?;
    let mut lines = text.lines().map(str::trim);
    let address = lines.next()?.parse().ok()?;
    let path = lines.next().filter(|path| path.starts_with('/'));
    Some((address, path.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_until_it_is_let_go() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        let held = Folder::take(&dir).unwrap();
        let Err(Error::Taken(pid)) = Folder::take(&dir) else {
            panic!("taken twice")
        };
        assert_eq!(pid, std::process::id().to_string());
        assert!(in_use(&dir));
        drop(held);
        assert!(!in_use(&dir));
        let held = Folder::take(&dir).unwrap();
        assert!(in_use(&dir), "a look takes nothing away");
        drop(held);
        assert!(!in_use(&root.path().join("none")));
    }

    #[test]
    fn the_address_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(root.path()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 4711));
        folder.write_address(address).unwrap();
        assert_eq!(read_address(root.path()), Some(address));
        assert_eq!(read_place(root.path()), Some((address, String::new())));
        folder.write_place(address, "/a/b").unwrap();
        assert_eq!(read_place(root.path()), Some((address, "/a/b".to_owned())));
        assert_eq!(read_address(root.path()), Some(address));
        folder.remove_address();
        assert_eq!(read_address(root.path()), None);
        folder.write_address(address).unwrap();
        drop(folder);
        assert_eq!(read_address(root.path()), None, "nobody is there any more");
    }
}
