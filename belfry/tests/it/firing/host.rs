//! Disks that are full, read-only, or do not answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Watched;
use crate::setup::Setup;
use crate::support::fault::HungMount;
use crate::support::postgres::Postgres;
use crate::support::program;
use crate::support::scratch::Scratch;

/// A real file system in a file, mounted where it is told.
struct Disk {
    place: PathBuf,
    _image: Scratch,
}

impl Disk {
    fn mounted_at(place: &Path) -> Self {
        let image = Scratch::new();
        let file = image.path.join("image");
        fs::File::create(&file)
            .and_then(|file| file.set_len(24 << 20))
            .expect("room for a disk");
        let mkfs = program::find("mkfs.ext4", "e2fsprogs");
        // Few inodes, so that a test can use them up.
        program::run(Command::new(mkfs).args(["-q", "-N", "64"]).arg(&file));
        fs::create_dir_all(place).expect("a place to mount at");
        program::run(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&file)
                .arg(place),
        );
        Self {
            place: place.to_owned(),
            _image: image,
        }
    }

    /// Takes a part of the room more.
    fn fill(&self, name: &str, bytes: usize) {
        // When nothing is left the test has what it wants.
        let _ = fs::write(self.place.join(name), vec![1_u8; bytes]);
        rustix::fs::sync();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = program::attempt(Command::new("umount").arg("--lazy").arg(&self.place));
        let _ = fs::remove_dir(&self.place);
    }
}

#[test]
fn rules_about_disks_fire_for_full_read_only_and_hanging_ones() {
    let folder = Scratch::new();
    let full = Disk::mounted_at(&folder.path.join("full"));
    let crowded = Disk::mounted_at(&folder.path.join("crowded"));
    let locked = Disk::mounted_at(&folder.path.join("locked"));
    // Where Debian's PostgreSQL has its data, so that it counts as its disk.
    let name = format!("/var/lib/postgresql/belfry-it-{}", std::process::id());
    let data = Disk::mounted_at(Path::new(&name));
    let hung = HungMount::new();
    let postgres = Postgres::start();
    let setup = Setup::new().exporter(&format!(
        "postgres: {{interval: 1s, servers: [{{url: 'postgres://postgres@127.0.0.1:{}/postgres'}}]}}",
        postgres.port()
    ));
    let watched = Watched::start(setup);
    for at in 0..70 {
        let _ = fs::write(crowded.place.join(at.to_string()), "");
    }
    data.fill("all", 30 << 20);
    program::run(
        Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&locked.place),
    );
    // Bit by bit, so that there is a trend.
    let mut at = 0;
    watched.fires(
        &[
            ("DiskSpace", "info"),
            ("DiskSpace", "warning"),
            ("DiskSpace", "critical"),
            ("DiskFillsUp", "warning"),
            ("DiskFillsUp", "critical"),
            ("DiskInodes", "warning"),
            ("DiskInodes", "critical"),
            ("DiskReadOnly", "critical"),
            ("DiskDoesNotAnswer", "warning"),
            ("PostgresDiskFull", "critical"),
        ],
        || {
            at += 1;
            if at < 50 {
                full.fill(&at.to_string(), 300 << 10);
            } else if at > 300 {
                full.fill("rest", 30 << 20);
            }
        },
    );
    drop(hung);
}
