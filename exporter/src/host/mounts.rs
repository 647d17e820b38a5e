//! The mounted file systems: the kernel's table, and one question to each.
//!
//! Each `statfs` runs as a job of its own, because a file system whose server
//! is gone never answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Machine;
use crate::crew::Outcome;
use crate::files::{Failure, Files};

/// Below these, mounts belong to the system or to containers.
const LEFT_OUT_BELOW: [&str; 7] = [
    "/dev",
    "/proc",
    "/sys",
    "/var/lib/docker/",
    "/var/lib/containers/storage/",
    "/run/credentials/",
    "/var/lib/containerd/",
];

/// File systems without room of their own.
const LEFT_OUT_TYPES: [&str; 24] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "erofs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
];

/// One mount that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Unique among the mounts of the moment.
    pub(super) id: String,
    pub(super) major: String,
    pub(super) minor: String,
    pub(super) device: String,
    /// As the host sees it.
    pub(super) point: String,
    pub(super) kind: String,
    pub(super) read_only: bool,
}

/// What a file system said of itself, in bytes and inodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    pub(super) size: f64,
    pub(super) free: f64,
    pub(super) available: f64,
    pub(super) inodes: f64,
    pub(super) inodes_free: f64,
}

/// Reads the table.
pub(super) async fn read(machine: &Arc<Machine>) -> Result<Vec<Mount>, Failure> {
    let here = machine.clone();
    let work = move || {
        let mut files = Files::new(&here.roots);
        let root = here.roots.root.to_string_lossy().into_owned();
        // Process 1 has the host's mounts even when we sit in a container.
        if let Ok(text) = files.proc("1/mountinfo") {
            return Ok(parse(&text, &root));
        }
        Ok(parse(&files.proc("self/mountinfo")?, &root))
    };
    let mounts = &machine.mounts;
    match mounts.one("the table", machine.patience, work).await {
        Outcome::Done(table, _) => table,
        Outcome::Panicked => Err(Failure::Malformed("the table of mounts")),
        Outcome::Late => Err(Failure::Late),
    }
}

/// Asks each file system how full it is.
pub(super) async fn ask(
    machine: &Arc<Machine>,
    table: &[Mount],
    patience: Duration,
) -> Vec<Outcome<Option<Room>>> {
    let names = table
        .iter()
        .map(|mount| format!("{} {}", mount.id, mount.point));
    let paths: Vec<PathBuf> = table
        .iter()
        .map(|mount| below(&machine.roots.root, &mount.point))
        .collect();
    let work = move |at: usize| room(&paths[at]);
    machine.mounts.run(names.collect(), patience, work).await
}

fn below(root: &std::path::Path, point: &str) -> PathBuf {
    root.join(point.trim_start_matches('/'))
}

fn room(path: &std::path::Path) -> Option<Room> {
    let said = rustix::fs::statfs(path).ok()?;
    let block = said.f_bsize as f64;
    Some(Room {
        size: said.f_blocks as f64 * block,
        free: said.f_bfree as f64 * block,
        available: said.f_bavail as f64 * block,
        inodes: said.f_files as f64,
        inodes_free: said.f_ffree as f64,
    })
}

/// Reads mountinfo. A line that is not understood is passed over. Of several
/// mounts on one point only the last is seen by anybody.
pub(super) fn parse(text: &str, root: &str) -> Vec<Mount> {
    let mut table: Vec<Mount> = Vec::new();
    for mount in text.lines().filter_map(|line| parse_line(line, root)) {
        table.retain(|before| before.point != mount.point);
        table.push(mount);
    }
    table.retain(is_watched);
    table
}

fn parse_line(line: &str, root: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut head = head.split_ascii_whitespace();
    let id = head.next()?;
    let (major, minor) = head.nth(1)?.split_once(':')?;
    let point = unescape(head.nth(1)?);
    let options = head.next()?;
    let mut tail = tail.split_ascii_whitespace();
    let (kind, device, super_options) =
        (tail.next()?, tail.next()?, tail.next().unwrap_or_default());
    let has = |options: &str, wanted| options.split(',').any(|option| option == wanted);
    Some(Mount {
        id: id.to_owned(),
        major: major.to_owned(),
        minor: minor.to_owned(),
        device: unescape(device),
        point: cut(point, root),
        kind: kind.to_owned(),
        read_only: has(options, "ro")
            || has(super_options, "ro")
            || has(super_options, "emergency_ro"),
    })
}

/// Cuts the root under which we see the host off a mount point.
fn cut(point: String, root: &str) -> String {
    let root = root.trim_end_matches('/');
    match point.strip_prefix(root) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => point,
    }
}

fn is_watched(mount: &Mount) -> bool {
    let below = |folder: &str| match mount.point.strip_prefix(folder) {
        Some(rest) if folder.ends_with('/') => !rest.is_empty(),
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    };
    !LEFT_OUT_TYPES.contains(&mount.kind.as_str())
        && mount.kind != "tracefs"
        && !LEFT_OUT_BELOW.iter().any(|folder| below(folder))
}

/// Blanks and backslashes are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| byte == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(meant) => {
                bytes.push(meant);
                rest = &behind[3..];
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
30 27 8:1 / /mnt/with\\040blank ro,relatime - xfs /dev/sda1 rw
31 27 8:2 / /mnt/sick rw - ext4 /dev/sda2 ro,errors=remount-ro
32 27 0:40 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
33 27 0:41 / /var/lib/docker rw - btrfs /dev/sdb rw
34 27 0:42 / /mnt/with\\040blank rw - tmpfs hides rw
35 27 0:43 / /process rw - tmpfs none rw
not a mount
36 27 nonsense / /x rw - ext4 /dev/x rw
";

    #[test]
    fn the_table_tells_what_has_room() {
        let table = parse(TABLE, "/");
        let told: Vec<_> = table
            .iter()
            .map(|mount| (mount.point.as_str(), mount.kind.as_str(), mount.read_only))
            .collect();
        let want = [
            ("/", "ext4", false),
            ("/mnt/sick", "ext4", true),
            ("/var/lib/docker", "btrfs", false),
            ("/mnt/with blank", "tmpfs", false),
            ("/process", "tmpfs", false),
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn the_root_is_cut_off_mount_points() {
        for (point, root, want) in [
            ("/host", "/host", "/"),
            ("/host/mnt", "/host", "/mnt"),
            ("/hosts", "/host", "/hosts"),
            ("/mnt", "/", "/mnt"),
            ("/", "/", "/"),
        ] {
            assert_eq!(cut(point.into(), root), want);
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        assert_eq!(unescape("a\\040b\\134c\\9\\"), "a b\\c\\9\\");
    }
}
