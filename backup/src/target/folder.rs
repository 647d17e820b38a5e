//! A folder of this host. A file is written under another name, synced, renamed,
//! and the folder is synced: it appears whole or not at all.
//!
//! The folder itself is never made: where a disk is not mounted, copies must not
//! fill the disk below. A disk that hangs holds up threads of its own, and few.

mod early;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Entry, Error, Flow};
use crate::apart::{self, Working};
use crate::archive;
use crate::blocks::Blocks;

const PARTIAL: &str = ".partial";

/// A folder for copies.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub root: PathBuf,
    /// Bytes that stay free.
    pub reserve: u64,
    /// How long its disk may take for anything: one that hangs costs its own copy.
    pub patience: Duration,
}

/// A disk may need longer to write down all that it was given.
const SYNCING: u32 = 10;

impl Folder {
    fn path(&self, key: &str) -> Result<PathBuf, Error> {
        let sound = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !key.split('/').all(sound) {
            return Err(Error::Refused(format!("{key:?} is no key")));
        }
        Ok(self.root.join(key))
    }

    async fn apart<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.path(key)?;
        let shown = path.clone();
        let work = self.begin(move || work(path))?;
        self.ended(&shown, work, self.patience * SYNCING).await
    }

    fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Working<T>, Error> {
        apart::begin(&self.root, work).map_err(|err| Error::Failed(err.to_string()))
    }

    /// Waits for work on a thread of its own, which stays behind if the disk hangs.
    async fn ended<T>(
        &self,
        path: &Path,
        work: Working<io::Result<T>>,
        patience: Duration,
    ) -> Result<T, Error> {
        match timeout(patience, work.end()).await {
            Ok(Ok(done)) => done.map_err(|err| why(path, &err)),
            Ok(Err(err)) => Err(Error::Failed(err.to_string())),
            Err(_) => Err(self.hangs()),
        }
    }

    fn hangs(&self) -> Error {
        Error::Failed(format!("{} does not answer", self.root.display()))
    }

    pub(super) async fn take(
        &self,
        key: &str,
        mut flow: mpsc::Receiver<Flow>,
    ) -> Result<(), Error> {
        let root = self.root.clone();
        let path = self.path(key)?;
        let shown = path.clone();
        let (give, mut blocks) = mpsc::channel(1);
        let writing = self.begin(move || {
            let partial = Partial::new(&root, &path)?;
            match early::written(&partial.file, || blocks.blocking_recv())? {
                Some(sum) if partial.file.metadata()?.len() == sum.stored_bytes => {
                    partial.commit().map(|()| true)
                }
                Some(_) => Err(io::Error::other("not all bytes were written")),
                None => Ok(false),
            }
        })?;
        while let Some(next) = flow.recv().await {
            match timeout(self.patience, give.send(next)).await {
                Ok(Ok(())) => {}
                // It says why itself.
                Ok(Err(_)) => break,
                Err(_) => return Err(self.hangs()),
            }
        }
        drop(give);
        let taken = self.ended(&shown, writing, self.patience * SYNCING).await?;
        taken.then_some(()).ok_or(Error::Abandoned)
    }

    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let root = self.root.clone();
        let write = move |path: PathBuf| {
            let partial = Partial::new(&root, &path)?;
            (&partial.file).write_all(&bytes)?;
            partial.commit()
        };
        self.apart(key, write).await
    }

    pub(super) async fn read(
        &self,
        key: &str,
    ) -> Result<mpsc::Receiver<Result<Bytes, Error>>, Error> {
        let mut file = self.apart(key, File::open).await?;
        let shown = self.path(key)?;
        let (give, mut read) = mpsc::channel(2);
        let reading = self.begin(move || {
            let blocks = Blocks::of(256 << 10);
            loop {
                let mut block = blocks.lend();
                let next = match file.read(block.room()) {
                    Ok(0) => return,
                    Ok(read) => {
                        block.fill(read);
                        Ok(block.bytes())
                    }
                    Err(err) => Err(why(&shown, &err)),
                };
                let end = next.is_err();
                if give.blocking_send(next).is_err() || end {
                    return;
                }
            }
        })?;
        let (pass, flow) = mpsc::channel(2);
        let (patience, hangs) = (self.patience, self.hangs());
        tokio::spawn(async move {
            let _reading = reading;
            loop {
                let next = match timeout(patience, read.recv()).await {
                    Ok(Some(next)) => next,
                    Ok(None) => return,
                    Err(_) => Err(hangs.clone()),
                };
                let end = next.is_err();
                if pass.send(next).await.is_err() || end {
                    return;
                }
            }
        });
        Ok(flow)
    }

    pub(super) async fn size(&self, key: &str) -> Result<u64, Error> {
        let size = |path| fs::metadata(path).map(|about| about.len());
        self.apart(key, size).await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        self.blocking(move || {
            let mut entries = Vec::new();
            walk(&root, &root, 0, &mut |key, path| {
                if key.starts_with(&prefix) && !key.ends_with(PARTIAL) {
                    let about = match fs::metadata(path) {
                        // Deleted while we look.
                        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
                        about => about?,
                    };
                    let modified = about.modified()?.duration_since(UNIX_EPOCH);
                    let millis = modified.unwrap_or_default().as_millis();
                    entries.push(Entry {
                        key,
                        bytes: about.len(),
                        modified_ms: i64::try_from(millis).unwrap_or(i64::MAX),
                    });
                }
                Ok(())
            })?;
            entries.sort();
            Ok(entries)
        })
        .await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        let remove = |path: PathBuf| {
            match fs::remove_file(&path) {
                Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
                removed => removed?,
            }
            sync_folder(&path)
        };
        self.apart(key, remove).await
    }

    pub(super) async fn room_for(&self, bytes: u64) -> Result<(), Error> {
        let root = self.root.clone();
        let free = self.blocking(move || archive::free(&root)).await?;
        if free < bytes.saturating_add(self.reserve) {
            let root = self.root.display();
            let wanted = bytes.saturating_add(self.reserve);
            return Err(Error::Full(format!(
                "{root}: {free} bytes are free, {wanted} are needed"
            )));
        }
        Ok(())
    }

    pub(super) async fn sweep(&self, prefix: &str) -> Result<u64, Error> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        self.blocking(move || {
            let mut swept = 0;
            walk(&root, &root, 0, &mut |key, path| {
                if key.starts_with(&prefix) && key.ends_with(PARTIAL) {
                    fs::remove_file(path)?;
                    swept += 1;
                }
                Ok(())
            })?;
            Ok(swept)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.ended(&self.root, self.begin(work)?, self.patience)
            .await
    }
}

/// A file that is being written; gone again unless it is committed.
struct Partial {
    file: File,
    at: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl Partial {
    fn new(root: &Path, path: &Path) -> io::Result<Self> {
        // Not made where it is missing: see above.
        fs::metadata(root)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(PARTIAL);
        let at = PathBuf::from(name);
        let file = {
            use std::os::unix::fs::OpenOptionsExt;
            let mut options = File::options();
            options.write(true).create_new(true).mode(0o600).open(&at)?
        };
        Ok(Self {
            file,
            at,
            path: path.to_owned(),
            committed: false,
        })
    }

    fn commit(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        // A link fails where the name is taken; a rename would write over it.
        fs::hard_link(&self.at, &self.path).or_else(|err| match err.kind() {
            io::ErrorKind::AlreadyExists => Err(err),
            // Not every file system has links.
            _ if self.path.exists() => Err(io::ErrorKind::AlreadyExists.into()),
            _ => fs::rename(&self.at, &self.path),
        })?;
        self.committed = true;
        let _ = fs::remove_file(&self.at);
        sync_folder(&self.path).inspect_err(|_| {
            // It may be gone after a crash, so it must not count now.
            let _ = fs::remove_file(&self.path);
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.at);
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Calls `each` with all files that lie where ours can: three folders deep.
fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    each: &mut impl FnMut(String, &Path) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if depth < 3 {
                walk(root, &path, depth + 1, each)?;
            }
        } else if let Some(key) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            each(key.to_owned(), &path)?;
        }
    }
    Ok(())
}

fn why(path: &Path, err: &io::Error) -> Error {
    let shown = path.display();
    match err.kind() {
        io::ErrorKind::NotFound => Error::Missing(shown.to_string()),
        io::ErrorKind::AlreadyExists => Error::Exists(shown.to_string()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(shown.to_string()),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::Refused(format!("{shown}: {err}"))
        }
        _ => Error::Failed(format!("{shown}: {err}")),
    }
}

#[cfg(test)]
mod tests;
