//! NVMe drives and their namespaces: `/sys/class/nvme`.

use std::path::Path;

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files, names};

/// The kernel tells sizes of disks in these, whatever the drive's blocks are.
const SECTOR: f64 = 512.0;

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("class/nvme");
    let mut found = Gathered::default();
    for device in names(&folder) {
        let path = folder.join(&device);
        let mut word = |file: &str| {
            let word = files.word(&path.join(file));
            word.unwrap_or_default().into_owned()
        };
        let [id, revision, model, serial, state] =
            ["cntlid", "firmware_rev", "model", "serial", "state"].map(&mut word);
        found.add(
            "node_nvme_info",
            "A drive and what it says of itself.",
            &[
                ("cntlid", &*id),
                ("device", &*device),
                ("firmware_revision", &*revision),
                ("model", &*model),
                ("serial", &*serial),
                ("state", &*state),
            ],
            1.0,
        );
        for part in names(&path) {
            if let Some(id) = namespace(&part) {
                space(&device, id, &path.join(&part), files, &mut found);
            }
        }
    }
    if found.is_empty() {
        return Err(Failure::Absent("NVMe drives".into()));
    }
    found.write(page);
    Ok(())
}

/// The number in `nvme0n1`, and in `nvme0c1n1` where several ways lead to it: that
/// counts the subsystem first, which need not have the number of the drive.
fn namespace(name: &str) -> Option<&str> {
    let (drive, id) = name.strip_prefix("nvme")?.rsplit_once('n')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let known = match drive.split_once('c') {
        Some((subsystem, way)) => digits(subsystem) && digits(way),
        None => digits(drive),
    };
    (known && digits(id)).then_some(id)
}

fn space(device: &str, id: &str, path: &Path, files: &mut Files<'_>, found: &mut Gathered) {
    let state = files.word(&path.join("ana_state"));
    // Drives without several ways say nothing of it.
    let state = state.unwrap_or("unknown".into()).into_owned();
    let labels = [("ana_state", &*state), ("device", device), ("nsid", id)];
    let name = "node_nvme_namespace_info";
    found.add(name, "A namespace of a drive.", &labels, 1.0);
    let block = files.number(&path.join("queue/logical_block_size"));
    let size = files.number(&path.join("size")).map(|size| size * SECTOR);
    let used = files.number(&path.join("nuse"));
    let used = used.zip(block).map(|(blocks, block)| blocks * block);
    for (name, help, value) in [
        (
            "node_nvme_namespace_capacity_bytes",
            "Bytes that it can hold.",
            size,
        ),
        ("node_nvme_namespace_size_bytes", "Its size in bytes.", size),
        ("node_nvme_namespace_used_bytes", "Bytes in use.", used),
        (
            "node_nvme_namespace_logical_block_size_bytes",
            "Bytes of a block.",
            block,
        ),
    ] {
        if let Some(value) = value {
            found.add(name, help, &[("device", device), ("nsid", id)], value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_told_with_its_namespaces_in_bytes() {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("nvme0/model", "Some drive  \n"),
            ("nvme0/serial", "S1\n"),
            ("nvme0/state", "live\n"),
            ("nvme0/nvme0n1/size", "2000\n"),
            ("nvme0/nvme0n1/nuse", "100\n"),
            ("nvme0/nvme0n1/queue/logical_block_size", "4096\n"),
            ("nvme0/hwmon1/name", "nvme\n"),
            ("nvme1/nvme0c1n2/ana_state", "optimized\n"),
        ] {
            let path = tree.path().join("class/nvme").join(file);
            super::super::tests::put(&path, text);
        }
        let page = super::super::tests::page(tree.path(), read);
        for line in [
            "node_nvme_info{device=\"nvme0\",model=\"Some drive\",serial=\"S1\",state=\"live\"} 1\n",
            "node_nvme_namespace_size_bytes{device=\"nvme0\",nsid=\"1\"} 1024000\n",
            "node_nvme_namespace_used_bytes{device=\"nvme0\",nsid=\"1\"} 409600\n",
            "node_nvme_namespace_info{ana_state=\"unknown\",device=\"nvme0\",nsid=\"1\"} 1\n",
            "node_nvme_namespace_info{ana_state=\"optimized\",device=\"nvme1\",nsid=\"2\"} 1\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }
}
