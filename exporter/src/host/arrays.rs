//! Disk arrays of the kernel (md): `/sys/block/md*/md`.

use std::path::PathBuf;

use exposition::{Kind, Writer};

use super::Machine;
use super::hardware::{entries, present, word};
use crate::files::{Failure, Files, names};

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let arrays: Vec<_> = entries(files, "block", "md")
        .into_iter()
        .filter(|(_, path)| path.join("md/raid_disks").is_file())
        .collect();
    present(&arrays, "disk array")?;
    page.family(
        "node_md_disks_required",
        "Disks that the array wants.",
        Kind::Gauge,
    );
    for (name, path) in &arrays {
        if let Some(value) = files.number(&path.join("md/raid_disks")) {
            page.sample(&[("device", name)], value);
        }
    }
    page.family(
        "node_md_raid_disks",
        "Disks that the array is made for.",
        Kind::Gauge,
    );
    for (name, path) in &arrays {
        if let Some(value) = files.number(&path.join("md/raid_disks")) {
            page.sample(&[("device", name)], value);
        }
    }
    progress(&arrays, files, page);
    page.family(
        "node_md_degraded",
        "Disks that the array lacks.",
        Kind::Gauge,
    );
    for (name, path) in &arrays {
        if let Some(value) = files.number(&path.join("md/degraded")) {
            page.sample(&[("device", name)], value);
        }
    }
    page.family("node_md_disks", "Disks of the array by state.", Kind::Gauge);
    for (name, path) in &arrays {
        let mut counts = [("active", 0.0), ("failed", 0.0), ("spare", 0.0)];
        let members = names(&path.join("md"))
            .into_iter()
            .filter(|member| member.starts_with("dev-"));
        for member in members {
            let state = word(files, &path.join("md").join(member).join("state"));
            let says = |wanted| state.split(',').any(|said| said.trim() == wanted);
            let at = if says("faulty") {
                1
            } else if says("in_sync") {
                0
            } else {
                2
            };
            counts[at].1 += 1.0;
        }
        for (state, count) in counts {
            page.sample(&[("device", name), ("state", state)], count);
        }
    }
    page.family("node_md_state", "What the array does now.", Kind::Gauge);
    for (name, path) in &arrays {
        let does = word(files, &path.join("md/sync_action"));
        let is = word(files, &path.join("md/array_state"));
        let inactive = matches!(is.as_str(), "clear" | "inactive" | "suspended");
        let busy = ["recover", "resync", "check"].map(|action| (action, does == action));
        let resting = !inactive && busy.iter().all(|(_, now)| !now);
        let states = [("active", resting), ("inactive", inactive)].into_iter();
        for (state, now) in states.chain(busy.map(|(state, now)| {
            (
                if state == "recover" {
                    "recovering"
                } else {
                    state
                },
                now,
            )
        })) {
            page.sample(
                &[("device", name), ("state", state)],
                f64::from(u8::from(now)),
            );
        }
    }
    Ok(())
}

/// Blocks of 1 KiB: of the array, and those in step. While it is being brought into step,
/// these are of the disks, which is what the kernel counts then.
fn progress(arrays: &[(String, PathBuf)], files: &mut Files<'_>, page: &mut Writer) {
    let mut rows = Vec::new();
    for (name, path) in arrays {
        let Some(blocks) = files
            .number(&path.join("size"))
            .map(|sectors| sectors / 2.0)
        else {
            continue;
        };
        let done = word(files, &path.join("md/sync_completed"));
        let done = done
            .split_once('/')
            .map(|(done, _)| done.trim().parse::<f64>());
        let synced = match done {
            Some(Ok(sectors)) => sectors / 2.0,
            _ => match &*word(files, &path.join("md/sync_action")) {
                // It waits for another array.
                "resync" | "recover" => 0.0,
                _ => blocks,
            },
        };
        rows.push((name, blocks, synced));
    }
    page.family("node_md_blocks", "Blocks of the array.", Kind::Gauge);
    for (name, blocks, _) in &rows {
        page.sample(&[("device", name)], *blocks);
    }
    page.family(
        "node_md_blocks_synced",
        "Blocks that are in step.",
        Kind::Gauge,
    );
    for (name, _, synced) in &rows {
        page.sample(&[("device", name)], *synced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_told_with_its_disks_and_how_far_it_is_in_step() {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("md0/size", "2000\n"),
            ("md0/md/raid_disks", "2\n"),
            ("md0/md/degraded", "1\n"),
            ("md0/md/sync_action", "recover\n"),
            ("md0/md/sync_completed", "500 / 2000\n"),
            ("md0/md/dev-sda1/state", "in_sync\n"),
            ("md0/md/dev-sdb1/state", "faulty,write_error\n"),
            ("md1/size", "4000\n"),
            ("md1/md/raid_disks", "3\n"),
            ("md1/md/sync_action", "resync\n"),
            ("md1/md/sync_completed", "delayed\n"),
            // Without copies there is nothing to bring into step.
            ("md2/size", "6000\n"),
            ("md2/md/raid_disks", "2\n"),
            ("md_d0/size", "8\n"),
        ] {
            let path = tree.path().join("block").join(file);
            super::super::tests::put(&path, text);
        }
        let page = super::super::tests::page(tree.path(), read);
        for line in [
            "node_md_blocks{device=\"md0\"} 1000\n",
            "node_md_blocks_synced{device=\"md0\"} 250\n",
            "node_md_blocks_synced{device=\"md1\"} 0\n",
            "node_md_blocks_synced{device=\"md2\"} 3000\n",
            "node_md_raid_disks{device=\"md1\"} 3\n",
            "node_md_degraded{device=\"md0\"} 1\n",
            "node_md_disks{device=\"md0\",state=\"active\"} 1\n",
            "node_md_disks{device=\"md0\",state=\"failed\"} 1\n",
            "node_md_state{device=\"md0\",state=\"recovering\"} 1\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("md_d0"));
    }
}
