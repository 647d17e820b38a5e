//! How large what is backed up is now. A bucket wants to know it before it takes the first
//! part of an upload, whose parts are all alike and can only be so many; of a first backup,
//! and of what has grown, no earlier one tells.

use std::fs::File;
use std::path::PathBuf;

use super::sink::Sink;
use super::work::Work;
use crate::apart;
use crate::files::{Found, Glob, Kind, Walk};
use crate::manifest::Manifest;
use crate::postgres::Session;
use crate::root::Root;

/// What is smaller fits whatever is expected of it.
const SMALL: u64 = 32 << 30;

/// What a walk needs to know.
struct Tree {
    root: PathBuf,
    exclude: Vec<Glob>,
    one_file_system: bool,
    /// Where no more is used on its disk, nothing is walked.
    small: u64,
}

impl Work<'_> {
    /// About how many bytes the source has, where a target wants to know it. It is no
    /// reason to fail: whoever reads the source tells what is wrong with it.
    pub(super) async fn size(&self, sinks: &[Sink]) -> Option<u64> {
        if !sinks.iter().any(|sink| sink.target.is_elsewhere()) {
            return None;
        }
        let size = async {
            match self.job.kind() {
                "postgres" => self.database_size().await,
                "globals" => Err("they are small".to_owned()),
                _ => self.tree_size().await,
            }
        };
        self.answered(size).await.ok()
    }

    async fn database_size(&self) -> Result<u64, String> {
        let told = |err: crate::postgres::Error| err.to_string();
        let (server, _) = self
            .setup
            .server(self.job)?
            .prepared()
            .await
            .map_err(told)?;
        let mut session = Session::open(&server).await.map_err(told)?;
        let size = "SELECT pg_database_size(current_database())";
        let size = session.line(size).await.map_err(told)?;
        size.parse().map_err(|_| size)
    }

    async fn tree_size(&self) -> Result<u64, String> {
        let root = Root::of(self.setup, self.job).await?;
        let tree = Tree {
            root: root.path.clone(),
            exclude: self
                .job
                .exclude
                .iter()
                .map(|text| Glob::new(text))
                .collect(),
            one_file_system: self.job.one_file_system,
            small: SMALL,
        };
        let walked = apart::begin(&root.path, move || tree.size());
        let walked = walked.map_err(|err| err.to_string())?.end().await;
        let walked = walked.map_err(|err| err.to_string())?;
        walked.map_err(|err| err.to_string())
    }
}

impl Tree {
    fn size(&self) -> std::io::Result<u64> {
        let root = File::open(&self.root)?;
        if self.one_file_system {
            let disk = rustix::fs::fstatvfs(&root)?;
            let used = disk.f_blocks.saturating_sub(disk.f_bfree);
            let used = used.saturating_mul(disk.f_frsize);
            if used <= self.small {
                return Ok(used);
            }
        }
        let mut bytes = 0;
        let walk = Walk {
            exclude: &self.exclude,
            one_file_system: self.one_file_system,
        };
        let walked = walk.below(root, &mut |found| {
            if let Found::Entry(entry, Some((_, beside))) = found
                && entry.kind == Kind::File
            {
                // Holes are not stored.
                bytes += entry.size.min(beside.taken);
            }
            Ok(())
        });
        walked.map_err(std::io::Error::other)?;
        Ok(bytes)
    }
}

/// What a piece will be as stored, by what it was when its source was so large as the last
/// manifest says: one that holds nearly all of the source, such as a dump.
pub(super) fn expected(stored: u64, last: &Manifest, size: Option<u64>) -> u64 {
    let postgres = last.postgres.as_ref().and_then(|postgres| postgres.size);
    let was = postgres.or_else(|| last.files.as_ref().map(|files| files.bytes));
    match (was, size) {
        // Of a source that was nearly empty the last backup says nothing.
        (Some(was), Some(size)) if size / 2 > was => size.max(stored),
        (Some(was), Some(size)) if size > was => {
            let grown = u128::from(stored) * u128::from(size) / u128::from(was.max(1));
            u64::try_from(grown)
                .unwrap_or(u64::MAX)
                .min(size.max(stored))
        }
        _ => stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_measured_without_what_is_left_out_and_without_holes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: usize| {
            std::fs::write(folder.path().join(name), vec![7; bytes]).unwrap();
        };
        write("a", 100_000);
        write("b", 200_000);
        write("c.log", 400_000);
        std::fs::hard_link(folder.path().join("a"), folder.path().join("again")).unwrap();
        let hole = File::create(folder.path().join("hole")).unwrap();
        hole.set_len(1 << 40).unwrap();
        let tree = |small| Tree {
            root: folder.path().to_owned(),
            exclude: vec![Glob::new("*.log")],
            one_file_system: true,
            small,
        };
        let size = tree(0).size().unwrap();
        assert!((300_000..340_000).contains(&size), "{size}");
        // Where the whole disk is small, what it has is enough to know.
        assert!(tree(u64::MAX).size().unwrap() > size);
    }
}
