//! Room and commits of each btrfs: `/sys/fs/btrfs`.

use std::path::Path;

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files, names};

const KINDS: [&str; 3] = ["data", "metadata", "system"];

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("fs/btrfs");
    let mut found = Gathered::default();
    for id in names(&folder) {
        let path = folder.join(&id);
        // Beside them lies a folder of what the module can do.
        if path.join("allocation").is_dir() {
            one(&id, &path, files, &mut found);
        }
    }
    if found.is_empty() {
        return Err(Failure::Absent("btrfs".into()));
    }
    found.write(page);
    Ok(())
}

fn one(id: &str, path: &Path, files: &mut Files<'_>, found: &mut Gathered) {
    let label = files.word(&path.join("label"));
    let label = label.unwrap_or_default().into_owned();
    let name = "node_btrfs_info";
    let labels = [("label", &*label), ("uuid", id)];
    found.add(name, "A file system and its name.", &labels, 1.0);
    let uuid = [("uuid", id)];
    if let Some(bytes) = files.number(&path.join("allocation/global_rsv_size")) {
        let name = "node_btrfs_global_rsv_size_bytes";
        found.add(name, "Bytes held back for all.", &uuid, bytes);
    }
    let devices = names(&path.join("devices"));
    for device in &devices {
        if let Some(sectors) = files.number(&path.join("devices").join(device).join("size")) {
            found.add(
                "node_btrfs_device_size_bytes",
                "Size of a device in bytes.",
                &[("device", device), ("uuid", id)],
                sectors * 512.0,
            );
        }
    }
    for kind in KINDS {
        let folder = path.join("allocation").join(kind);
        if let Some(bytes) = files.number(&folder.join("bytes_reserved")) {
            found.add(
                "node_btrfs_reserved_bytes",
                "Bytes that are reserved, by what they are for.",
                &[("block_group_type", kind), ("uuid", id)],
                bytes,
            );
        }
        for mode in names(&folder) {
            let total = files.number(&folder.join(&mode).join("total_bytes"));
            let (Some(total), Some(ratio)) = (total, ratio(&mode, devices.len())) else {
                continue;
            };
            let labels = [("block_group_type", kind), ("mode", &*mode), ("uuid", id)];
            let name = "node_btrfs_size_bytes";
            found.add(
                name,
                "Bytes that are given out, by what for.",
                &labels,
                total,
            );
            if let Some(used) = files.number(&folder.join(&mode).join("used_bytes")) {
                let name = "node_btrfs_used_bytes";
                found.add(name, "Bytes of them that are used.", &labels, used);
            }
            let name = "node_btrfs_allocation_ratio";
            found.add(name, "Bytes on the disks for each byte.", &labels, ratio);
        }
    }
    if let Ok(text) = files.text(&path.join("commit_stats")) {
        commits(&text, id, found);
    }
}

/// Bytes that a byte takes on so many devices; nothing for what is no layout.
fn ratio(mode: &str, devices: usize) -> Option<f64> {
    let parity = |spare: usize| {
        let whole = devices.checked_sub(spare).filter(|left| *left > 0);
        whole.map(|left| devices as f64 / left as f64)
    };
    match mode {
        "single" | "raid0" => Some(1.0),
        "dup" | "raid1" | "raid10" => Some(2.0),
        "raid1c3" => Some(3.0),
        "raid1c4" => Some(4.0),
        "raid5" => parity(1),
        "raid6" => parity(2),
        _ => None,
    }
}

fn commits(text: &str, id: &str, found: &mut Gathered) {
    for line in text.lines() {
        let Some((what, value)) = line.split_once(' ') else {
            continue;
        };
        let Ok(value) = value.trim().parse::<f64>() else {
            continue;
        };
        let (name, help, value) = match what {
            "commits" => ("node_btrfs_commits_total", "Commits.", value),
            "last_commit_ms" => (
                "node_btrfs_last_commit_seconds",
                "How long the last commit took.",
                value / 1e3,
            ),
            "max_commit_ms" => (
                "node_btrfs_max_commit_seconds",
                "How long the longest commit took.",
                value / 1e3,
            ),
            "total_commit_ms" => (
                "node_btrfs_commit_seconds_total",
                "How long all commits took.",
                value / 1e3,
            ),
            _ => continue,
        };
        found.add(name, help, &[("uuid", id)], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_told_with_its_layouts() {
        let tree = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = tree.path().join("fs/btrfs").join(file);
            super::super::tests::put(&path, text);
        };
        write("features/raid56", "0\n");
        write("0abb/label", "\n");
        write("0abb/allocation/global_rsv_size", "16777216\n");
        write("0abb/allocation/data/bytes_reserved", "5\n");
        write("0abb/allocation/data/raid5/total_bytes", "600\n");
        write("0abb/allocation/data/raid5/used_bytes", "400\n");
        write("0abb/allocation/data/newer/total_bytes", "1\n");
        write("0abb/allocation/metadata/raid1/total_bytes", "70\n");
        for device in ["sda", "sdb", "sdc"] {
            write(&format!("0abb/devices/{device}/size"), "2048\n");
        }
        write(
            "0abb/commit_stats",
            "commits 3\nlast_commit_ms 1500\nmax_commit_ms x\nother 1\n",
        );
        let page = super::super::tests::page(tree.path(), read);
        for line in [
            "node_btrfs_info{uuid=\"0abb\"} 1\n",
            "node_btrfs_device_size_bytes{device=\"sdb\",uuid=\"0abb\"} 1048576\n",
            "node_btrfs_size_bytes{block_group_type=\"data\",mode=\"raid5\",uuid=\"0abb\"} 600\n",
            "node_btrfs_used_bytes{block_group_type=\"data\",mode=\"raid5\",uuid=\"0abb\"} 400\n",
            "node_btrfs_allocation_ratio{block_group_type=\"data\",mode=\"raid5\",uuid=\"0abb\"} 1.5\n",
            "node_btrfs_allocation_ratio{block_group_type=\"metadata\",mode=\"raid1\",uuid=\"0abb\"} 2\n",
            "node_btrfs_reserved_bytes{block_group_type=\"data\",uuid=\"0abb\"} 5\n",
            "node_btrfs_commits_total{uuid=\"0abb\"} 3\n",
            "node_btrfs_last_commit_seconds{uuid=\"0abb\"} 1.5\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(
            !page.contains("newer") && !page.contains("max_commit") && !page.contains("features")
        );
        assert_eq!(ratio("raid6", 2), None);
    }
}
