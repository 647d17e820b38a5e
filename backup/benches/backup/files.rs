//! Many small files into an archive, beside GNU tar with zstd.

use std::fs;
use std::path::Path;

use crate::place::{Place, own, seconds, settle};
use crate::{budget, plain};

/// A thousand in each folder, with a few words of JSON and some hashes in each.
fn fill(root: &Path, files: usize) {
    let mut state = 7_u64;
    for at in 0..files {
        let folder = root.join(format!("{:02}/{:04}", at / 100_000, at / 1000));
        if at % 1000 == 0 {
            fs::create_dir_all(&folder).expect("a folder");
        }
        let mut text = format!("{{\"id\": {at}, \"kind\": \"order\", \"items\": [");
        for _ in 0..1 + at % 23 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let sku = state >> 48;
            text.push_str(&format!("{{\"sku\": {sku}, \"hash\": \"{state:016x}\"}}, "));
        }
        fs::write(folder.join(format!("item-{at}.json")), text).expect("a file");
    }
    settle();
}

/// Makes the files, and packs them both ways in turns, warm.
pub(crate) fn run(files: usize, runs: usize) {
    let place = Place::new();
    let root = place.path("tree");
    fs::create_dir(&root).expect("a folder");
    fill(&root, files);
    let tar = "tar --zstd -cf tree.tar.zst -C tree .";
    let like = "tar --zstd --format=posix --xattrs --sort=name -cf tree.tar.zst -C tree .";
    place.shell(tar);
    let (mut ours, mut tars, mut likes) = (vec![], vec![], vec![]);
    for _ in 0..runs.min(3) {
        place.forget_copies();
        tars.push(place.shell(tar));
        settle();
        ours.push(place.ours("backup", &["files"]));
        settle();
        likes.push(place.shell(like));
    }
    let (ours_s, tar_s) = (seconds(&ours), seconds(&tars));
    println!("{files} small files");
    plain("tar --zstd", tar_s, "s");
    let name = "tar --zstd --format=posix --xattrs --sort=name";
    plain(name, seconds(&likes), "s");
    let name = "backup, with an index of hashes, synced";
    budget(name, ours_s, "s", tar_s * 1.2);
    own(&ours);
}
