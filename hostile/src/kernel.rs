//! The kernel's files: each of those that are read holds the same bytes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Files under `proc`.
const PROC: &str = "stat meminfo vmstat loadavg diskstats schedstat interrupts uptime sys/fs/file-nr \
    sys/kernel/random/entropy_avail sys/kernel/random/poolsize sys/kernel/random/boot_id sys/kernel/pid_max \
    sys/kernel/threads-max sys/kernel/hung_task_detect_count pressure/cpu pressure/io \
    pressure/memory pressure/irq 1/mountinfo 1/net/dev 1/net/netstat 1/net/snmp 1/net/snmp6 \
    1/net/sockstat 1/net/sockstat6 1/net/softnet_stat 1/net/udp 1/net/udp6 1/net/tcp 1/net/tcp6 \
    1/net/arp 1/net/ip_vs 1/net/ip_vs_stats 1/net/rpc/nfs 1/net/rpc/nfsd 1/net/stat/nf_conntrack \
    1/stat 1/status 1/comm 1/cgroup 1/cmdline sys/net/netfilter/nf_conntrack_count sys/net/netfilter/nf_conntrack_max spl/kstat/zfs/arcstats \
    spl/kstat/zfs/tank/io spl/kstat/zfs/tank/state spl/kstat/zfs/tank/objset-1";
/// Files under `sys`.
const SYS: &str = "fs/xfs/sda1/stats/stats fs/btrfs/0abb/label fs/btrfs/0abb/commit_stats \
    fs/btrfs/0abb/allocation/data/raid5/total_bytes fs/btrfs/0abb/devices/sda/size \
    class/net/eth0/speed class/net/eth0/operstate class/net/eth0/carrier class/net/eth0/flags \
    class/net/bonding_masters class/nvme/nvme0/model class/nvme/nvme0/nvme0n1/size \
    class/powercap/intel-rapl:0/name class/powercap/intel-rapl:0/energy_uj \
    class/thermal/thermal_zone0/temp class/hwmon/hwmon0/temp1_input class/hwmon/hwmon0/name \
    class/hwmon/hwmon0/fan1_label class/power_supply/BAT0/uevent block/md0/md/raid_disks \
    block/md0/md/sync_completed block/md0/size class/dmi/id/product_name class/dmi/id/product_uuid \
    devices/system/cpu/cpu0/cpufreq/scaling_cur_freq devices/system/cpu/isolated \
    devices/system/cpu/cpu0/online devices/system/cpu/cpu0/topology/core_id \
    devices/system/cpu/cpu0/topology/physical_package_id \
    devices/system/cpu/cpu0/thermal_throttle/core_throttle_count \
    devices/system/clocksource/clocksource0/available_clocksource fs/selinux/enforce \
    class/watchdog/watchdog0/timeout class/watchdog/watchdog0/identity \
    devices/system/edac/mc/mc0/ce_count";
/// Files beside them, and those of a control group.
const OTHERS: &str = "etc/os-release etc/machine-id dev/kmsg text/a.prom run/udev/data/b8:0 group/cpu.stat group/memory.stat \
    group/memory.current group/memory.max group/memory.events group/io.stat group/cpu.max \
    group/cpu.weight group/cpu.pressure group/memory.pressure group/io.pressure group/pids.max \
    group/cpuacct.usage group/cpuacct.stat group/memory.usage_in_bytes group/memory.limit_in_bytes \
    group/blkio.throttle.io_service_bytes_recursive group/blkio.throttle.io_serviced_recursive \
    group/cpu.shares group/cpu.cfs_quota_us";

/// Made once: the files are links to one file.
fn tree() -> Option<&'static Mutex<tempfile::TempDir>> {
    static TREE: OnceLock<Option<Mutex<tempfile::TempDir>>> = OnceLock::new();
    TREE.get_or_init(|| {
        let folder = tempfile::tempdir().ok()?;
        let bytes = folder.path().join("bytes");
        for (below, files) in [("proc", PROC), ("sys", SYS), ("", OTHERS)] {
            for file in files.split_ascii_whitespace() {
                let path = folder.path().join(below).join(file);
                fs::create_dir_all(path.parent()?).ok()?;
                symlink(&bytes, path).ok()?;
            }
        }
        Some(Mutex::new(folder))
    })
    .as_ref()
}

/// Reads the bytes as each of the kernel's files.
///
/// # Panics
/// If what is written of them is no page.
pub fn kernel(bytes: &[u8]) {
    let Some(tree) = tree() else { return };
    let tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
    let folder: &Path = tree.path();
    if fs::write(folder.join("bytes"), bytes).is_ok() {
        exporter::host::any(folder, bytes);
        exporter::container::any_files(folder);
        std::hint::black_box(healthchecks::discover::processes(&folder.join("proc")));
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5 1 2\nctxt 3\nbtime 1796000000\nprocesses 4\n",
        "MemTotal:       16318892 kB\nActive(anon):    1 kB\nHugePages_Total:       0\n",
        "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
        "TcpExt: SyncookiesSent SyncookiesRecv\nTcpExt: 1 2\nIpExt: InNoRoutes\nIpExt: 0\n",
        "sockets: used 229\nTCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1\nFRAG: inuse 0 memory 0\n",
        "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n",
        "some avg10=0.00 avg60=0.12 avg300=0.10 total=15000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
        "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
        "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nanon 4096\nfile 1\n",
        "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:0 Read 5\nTotal 5\n",
        "5 1 0x01 86 4128 1 2\nname type data\nhits 4 8772612\ndataset_name 7 tank/a\n",
        "extent_alloc 1 872 0 0\nrw 28 0\nnet 70 70 69 45\nproc3 22 0 1\nrpc 1 2 3 4 5\n",
        "TCP  C0A80016:0CEA wlc\n  -> C0A85216:0CEA Tunnel 100 248 2\n",
        "# TYPE a gauge\na{b=\"c\"} 1\n",
        "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nE:ID_MODEL=x\n",
        "42\n",
        "6,1234,5678,-;oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/docker/0123,task=a,pid=7,uid=0\n SUBSYSTEM=x\n",
        "3,1235,5679,-;Memory cgroup out of memory: Killed process 7 (a (b) c) total-vm:1kB, UID:0\n",
        "entries found drop\n6 ff 1\n6 b ffffffffffffffff\n",
        "1 (sh) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 5 1000 20\n",
    ])
}
