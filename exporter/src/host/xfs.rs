//! What XFS counts for each of its file systems: `/sys/fs/xfs/*/stats/stats`.

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files, names};

/// The first word of a line, and what its columns count.
const LINES: [(&str, &[&str]); 8] = [
    (
        "extent_alloc",
        &[
            "extent_allocation_extents_allocated",
            "extent_allocation_blocks_allocated",
            "extent_allocation_extents_freed",
            "extent_allocation_blocks_freed",
        ],
    ),
    (
        "abt",
        &[
            "allocation_btree_lookups",
            "allocation_btree_compares",
            "allocation_btree_records_inserted",
            "allocation_btree_records_deleted",
        ],
    ),
    (
        "blk_map",
        &[
            "block_mapping_reads",
            "block_mapping_writes",
            "block_mapping_unmaps",
            "block_mapping_extent_list_insertions",
            "block_mapping_extent_list_deletions",
            "block_mapping_extent_list_lookups",
            "block_mapping_extent_list_compares",
        ],
    ),
    (
        "bmbt",
        &[
            "block_map_btree_lookups",
            "block_map_btree_compares",
            "block_map_btree_records_inserted",
            "block_map_btree_records_deleted",
        ],
    ),
    (
        "dir",
        &[
            "directory_operation_lookup",
            "directory_operation_create",
            "directory_operation_remove",
            "directory_operation_getdents",
        ],
    ),
    (
        "ig",
        &[
            "inode_operation_attempts",
            "inode_operation_found",
            "inode_operation_recycled",
            "inode_operation_missed",
            "inode_operation_duplicates",
            "inode_operation_reclaims",
            "inode_operation_attribute_changes",
        ],
    ),
    ("rw", &["write_calls", "read_calls"]),
    (
        "vnodes",
        &[
            "vnode_active",
            "vnode_allocate",
            "vnode_get",
            "vnode_hold",
            "vnode_release",
            "vnode_reclaim",
            "vnode_remove",
        ],
    ),
];

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("fs/xfs");
    let mut found = Gathered::default();
    for device in names(&folder) {
        // A folder beside them counts for all file systems together.
        if let Ok(text) = files.text(&folder.join(&device).join("stats/stats")) {
            gather(&device, &text, &mut found);
        }
    }
    if found.is_empty() {
        return Err(Failure::Absent("XFS".into()));
    }
    found.write(page);
    Ok(())
}

fn gather(device: &str, text: &str, found: &mut Gathered) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        let Some((_, columns)) = LINES.iter().find(|(name, _)| *name == first) else {
            continue;
        };
        for (column, word) in columns.iter().zip(words) {
            if let Ok(value) = word.parse() {
                let name = format!("node_xfs_{column}_total");
                let help = "A count of /sys/fs/xfs/*/stats/stats.";
                found.add(&name, help, &[("device", device)], value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_each_line_are_told_for_each_device() {
        let mut found = Gathered::default();
        let text =
            "extent_alloc 1 2 3 4\nrw 5 6\nig 7\nbuf 1 2\nvnodes 1 x 3 4 5 6 7 8\n\nnonsense\n";
        gather("sda1", text, &mut found);
        gather("sdb1", "rw 8 9\n", &mut found);
        let mut page = Writer::new();
        found.write(&mut page);
        let page = page.finish();
        for line in [
            "node_xfs_extent_allocation_blocks_freed_total{device=\"sda1\"} 4\n",
            "node_xfs_write_calls_total{device=\"sda1\"} 5\n",
            "node_xfs_read_calls_total{device=\"sdb1\"} 9\n",
            "node_xfs_inode_operation_attempts_total{device=\"sda1\"} 7\n",
            "node_xfs_vnode_remove_total{device=\"sda1\"} 7\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("vnode_allocate"));
    }
}
