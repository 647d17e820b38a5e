//! A kernel of a test's own: User Mode Linux, a Linux that runs as a program. All of
//! its control groups are of version 2, whatever this machine has. It sees this
//! machine's files, and changes none: what it writes stays in its memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const INSTALL: &str = "this test needs User Mode Linux: apt-get install -y user-mode-linux";
/// What is set for those that run under such a kernel.
const OWN: &str = "BELFRY_TEST_OWN_KERNEL";
/// Where a disk of its own is mounted, and the kernel's name for it.
pub(crate) const DISK: (&str, &str) = ("/disk", "/dev/ubda");
/// Another disk, with nothing on it, and its size in MiB.
pub(crate) const SWAP: (&str, u64) = ("/dev/ubdb", 48);

/// The first process. It begins a second time on a root that takes what is written.
const INIT: &str = r#"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run
set -e
if [ "$1" != again ]; then
    mount -t proc proc /proc
    insmod "/usr/lib/uml/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko"
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/upper /mnt/work /mnt/root
    mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
    cd /mnt/root
    pivot_root . mnt
    exec chroot . /bin/sh "$0" again
fi
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /lib/modules "$DISK"
[ -e "/lib/modules/$(uname -r)" ] || ln -s "/usr/lib/uml/modules/$(uname -r)" /lib/modules/
mount -t devpts pts /dev/pts
for folder in /run /dev/shm; do mount -t tmpfs tmpfs "$folder"; done
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
mkfs.ext4 -q "$DEVICE"
mount "$DEVICE" "$DISK"
# Podman asks it for its own version, which takes long over the files of another kernel.
[ ! -e /usr/bin/dpkg ] || mount --bind /bin/false /usr/bin/dpkg
set +e
"$EXE" --exact --test-threads=1 --nocapture $TESTS
echo "ended with $?"
echo o > /proc/sysrq-trigger
exec sleep 60
"#;

/// Whether it is such a kernel that runs us.
pub(crate) fn is_own() -> bool {
    std::env::var_os(OWN).is_some()
}

/// Has tests of this binary run under one, one after the other.
pub(crate) fn run(tests: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (init, disk) = (folder.path().join("init"), folder.path().join("disk"));
    let swap = folder.path().join("swap");
    let exe = std::env::current_exe().unwrap();
    let told = format!(
        "EXE='{}' TESTS='{}' DISK={} DEVICE={}",
        exe.display(),
        tests.join(" "),
        DISK.0,
        DISK.1
    );
    fs::write(&init, format!("#!/bin/sh\nexport {OWN}=1 {told}\n{INIT}")).unwrap();
    let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&init, runs).unwrap();
    // Neither takes more of this machine's disk than is written to it.
    for (file, size) in [(&disk, 64), (&swap, SWAP.1)] {
        fs::File::create(file).unwrap().set_len(size << 20).unwrap();
    }
    let with = |name: &str, path: &Path| format!("{name}={}", path.display());
    let done = Command::new("linux.uml")
        .args(["mem=2G", "quiet", "loglevel=2"])
        .args(["rootfstype=hostfs", "rootflags=/", "ro"])
        .args(["con=null", "con0=null,fd:1", "ssl=null"])
        .arg(with("init", &init))
        .arg(with("ubd0", &disk))
        .arg(with("ubd1", &swap))
        .arg(with("uml_dir", folder.path()))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|err| panic!("{INSTALL} ({err})"));
    let said = String::from_utf8_lossy(&done.stdout);
    let passed = format!("ok. {} passed", tests.len());
    assert!(
        said.contains(&passed) && said.contains("ended with 0"),
        "under a kernel of its own:\n{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
