//! What ZFS counts, and the states of its pools: `/proc/spl/kstat/zfs`.

use std::path::Path;

use exposition::{Kind, Writer};

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files, names};

/// Files of counts, and what stands before their names.
const COUNTS: [(&str, &str); 11] = [
    ("abdstats", "abd"),
    ("arcstats", "arc"),
    ("dbufstats", "dbuf"),
    ("dmu_tx", "dmu_tx"),
    ("dnodestats", "dnode"),
    ("fm", "fm"),
    ("vdev_cache_stats", "vdev_cache"),
    ("vdev_mirror_stats", "vdev_mirror"),
    ("xuio_stats", "xuio"),
    ("zfetchstats", "zfetch"),
    ("zil", "zil"),
];

const STATES: [&str; 7] = [
    "online",
    "degraded",
    "faulted",
    "offline",
    "removed",
    "unavail",
    "suspended",
];

/// Datasets of a pool that are told apart: with ZFS below containers there is one for
/// each layer of an image.
const MOST_DATASETS: usize = 200;

const HELP: &str = "A value of /proc/spl/kstat/zfs.";

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.proc.join("spl/kstat/zfs");
    let mut found = Gathered::default();
    for (file, part) in COUNTS {
        if let Ok(text) = files.text(&folder.join(file)) {
            for (name, value) in counts(&text) {
                add(&mut found, &format!("node_zfs_{part}_{name}"), &[], value);
            }
        }
    }
    for name in names(&folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            pool(&name, &path, files, &mut found);
        }
    }
    if found.is_empty() {
        return Err(Failure::Absent("ZFS".into()));
    }
    found.write(page);
    Ok(())
}

/// The peer does not state a kind.
fn add(found: &mut Gathered, name: &str, labels: &[(&'static str, &str)], value: f64) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let name = name.replace('-', "_");
    if name.bytes().all(plain) {
        found.of_kind(&name, HELP, Kind::Untyped, labels, value);
    }
}

fn pool(name: &str, path: &Path, files: &mut Files<'_>, found: &mut Gathered) {
    if let Ok(text) = files.text(&path.join("io")) {
        let mut lines = text.lines().skip_while(|line| !line.starts_with("nread"));
        let columns = lines.next().unwrap_or_default().split_ascii_whitespace();
        let values = lines.next().unwrap_or_default().split_ascii_whitespace();
        for (column, value) in columns.zip(values) {
            if let Ok(value) = value.parse() {
                let family = format!("node_zfs_zpool_{column}");
                add(found, &family, &[("zpool", name)], value);
            }
        }
    }
    let sets = names(path).into_iter();
    let sets = sets.filter(|file| file.starts_with("objset-"));
    for set in sets.take(MOST_DATASETS) {
        let Ok(text) = files.text(&path.join(set)) else {
            continue;
        };
        let named = text.lines().find_map(|line| {
            let rest = line.strip_prefix("dataset_name")?.trim_start();
            Some(rest.split_once(char::is_whitespace)?.1.trim())
        });
        let Some(dataset) = named else { continue };
        for (count, value) in counts(&text) {
            let labels = [("dataset", dataset), ("zpool", name)];
            add(
                found,
                &format!("node_zfs_zpool_dataset_{count}"),
                &labels,
                value,
            );
        }
    }
    if let Some(is) = files.word(&path.join("state")) {
        for state in STATES {
            found.add(
                "node_zfs_zpool_state",
                "Whether the pool is in this state.",
                &[("state", state), ("zpool", name)],
                f64::from(u8::from(is.eq_ignore_ascii_case(state))),
            );
        }
    }
}

/// Name and value of what is a number, behind the line of headings.
fn counts(text: &str) -> impl Iterator<Item = (&str, f64)> {
    let lines = text.lines().skip_while(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next(), words.next()) != (Some("name"), Some("type"))
    });
    lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, kind, value) = (words.next()?, words.next()?, words.next()?);
        // 3 and 4 are numbers with and without a sign.
        let value = matches!(kind, "3" | "4").then(|| value.parse().ok())??;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_pools_datasets_and_states_are_told() {
        let tree = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = tree.path().join("proc/spl/kstat/zfs").join(file);
            super::super::tests::put(&path, text);
        };
        let head = "5 1 0x01 86 4128 5266997922 97951858082072\nname  type data\n";
        write(
            "arcstats",
            &format!(
                "{head}hits 4 8772612\nmemory_available_bytes 3 -922\nodd\\name 4 1\nsaid 7 word\n"
            ),
        );
        write("zil", "no head\nzil_commit_count 4 10\n");
        write("tank/state", "DEGRADED\n");
        write(
            "tank/io",
            "12 3 0x00\nnread nwritten reads\n1884160 3206144 22\n",
        );
        write(
            "tank/objset-1",
            &format!("{head}dataset_name 7 tank/a b\nwrites 4 5\n"),
        );
        write("tank/objset-2", "torn");
        let page = super::super::tests::page(tree.path(), read);
        for line in [
            "# TYPE node_zfs_arc_hits untyped\nnode_zfs_arc_hits 8772612\n",
            "node_zfs_arc_memory_available_bytes -922\n",
            "node_zfs_zpool_nwritten{zpool=\"tank\"} 3206144\n",
            "node_zfs_zpool_dataset_writes{dataset=\"tank/a b\",zpool=\"tank\"} 5\n",
            "node_zfs_zpool_state{state=\"degraded\",zpool=\"tank\"} 1\n",
            "node_zfs_zpool_state{state=\"online\",zpool=\"tank\"} 0\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("odd") && !page.contains("said") && !page.contains("zil"));
    }
}
