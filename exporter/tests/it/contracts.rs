//! Every family that the established exporters' dashboards and rules ask for, or that they
//! have by default, is on our page: but for those that docs/exporter-differences.md names
//! with a reason, and those whose source the machine lacks.
//!
//! The lists are conformance data beside the repository; without them nothing is checked.

use std::path::Path;
use std::time::{Duration, Instant};

use exporter::container;
use exporter::host::{Config, Host};

use crate::engine::Engine;
use crate::peer::{Page, differences, fits};
use crate::watch::{Watch, page_with};

/// One row of a list.
#[derive(Debug)]
struct Row {
    name: String,
    kind: String,
    /// With commas between them.
    labels: String,
    source: String,
}

/// The rows of the first and second tier; nothing where the lists are not at hand.
#[expect(clippy::print_stderr, reason = "a test says what it leaves out")]
fn rows(peer: &str) -> Option<Vec<Row>> {
    let file = format!("../../shared/reference/metrics/{peer}.tsv");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("{} is missing: the contract is not checked", file.display());
        return None;
    };
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [name, kind, labels, _, tier, source] = cells[..] else {
            return None;
        };
        matches!(tier, "1" | "2").then(|| Row {
            name: name.to_owned(),
            kind: kind.to_owned(),
            labels: labels.to_owned(),
            source: source.to_owned(),
        })
    };
    let rows: Vec<Row> = text.lines().skip(1).filter_map(row).collect();
    assert!(rows.len() > 10, "{peer} has {} rows", rows.len());
    Some(rows)
}

/// Celery's page, of an application at work; with Redis nobody is a broker's consumer.
pub(crate) fn celery(page: &str) {
    let none = |row: &Row| row.name == "celery_active_consumer_count";
    check("celery_exporter", &[], page, none);
    labelled("celery_exporter", page, |_, _| false);
}

/// Each label that a family of the list has, ours has too, in one series at least; but for
/// those that this machine leaves empty.
fn labelled(peer: &str, page: &str, empty: impl Fn(&Row, &str) -> bool) {
    let Some(rows) = rows(peer) else { return };
    let page = Page::parse(page, &[]);
    let mut faults = Vec::new();
    for row in rows {
        let is_of = |series: &&String| {
            let name = series.split('{').next().unwrap_or_default();
            let end = name.strip_prefix(&row.name);
            end.is_some_and(|end| ["", "_bucket", "_count", "_sum"].contains(&end))
        };
        let ours: Vec<&String> = page.values.keys().filter(is_of).collect();
        let has = |label: &str| {
            let forms = [format!("{{{label}=\""), format!(",{label}=\"")];
            ours.iter()
                .any(|series| forms.iter().any(|form| series.contains(form)))
        };
        let wanted = row.labels.split(',').filter(|label| !label.is_empty());
        // Without a series there is nothing to be labelled.
        let mut missing = wanted.filter(|label| !has(label) && !empty(&row, label));
        if !ours.is_empty()
            && let Some(label) = missing.next()
        {
            faults.push(format!("{label} is missing: {row:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn check(peer: &str, chosen: &[String], page: &str, absent: impl Fn(&Row) -> bool) {
    let Some(rows) = rows(peer) else { return };
    let page = Page::parse(page, &[]);
    let mut faults = Vec::new();
    let (mut found, all) = (0, rows.len());
    for row in rows {
        if chosen.iter().any(|pattern| fits(pattern, &row.name)) {
            continue;
        }
        let has = |name: &str| fits(&row.name, name);
        let ours = page.types.iter().find(|(name, _)| has(name));
        match ours {
            Some((_, kind)) if kind.as_str() == row.kind => found += 1,
            Some((name, kind)) => faults.push(format!("{name} is a {}: {row:?}", kind.as_str())),
            None if absent(&row) => {}
            None => faults.push(format!("missing: {row:?}")),
        }
    }
    assert!(
        found > all / 5,
        "{found} of {all} families of {peer} are there"
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn is_empty(folder: &str) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut found| found.next().is_none())
}

/// Whether nothing in a folder has this below it.
fn has_none(folder: &str, below: &str) -> bool {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    !entries.any(|entry| entry.path().join(below).exists())
}

fn lacks(file: &str, word: &str) -> bool {
    !std::fs::read_to_string(file)
        .unwrap_or_default()
        .contains(word)
}

#[tokio::test]
async fn what_node_exporter_has_by_default_is_on_the_hosts_page() {
    let host = Host::new(Config::default());
    let begun = Instant::now();
    // A collector for which the machine had no time is left out.
    let page = loop {
        let page = host.page().await;
        let mut lines = page.lines();
        let failed = lines
            .any(|line| line.starts_with("belfry_host_collector_failed{") && !line.ends_with(" 0"));
        if !failed || begun.elapsed() > Duration::from_secs(120) {
            break page;
        }
    };
    let none = |path: &str| !Path::new(path).exists() || is_empty(path);
    let sysfs = "/sys/devices/system";
    check("node_exporter", &differences("Host"), &page, |row| {
        let source = row.source.split(' ').next().unwrap_or_default();
        let name = row.name.trim_start_matches("node_");
        match source {
            "bonding" => none("/sys/class/net/bonding_masters"),
            "btrfs" => has_none("/sys/fs/btrfs", "allocation"),
            "conntrack" => none("/proc/sys/net/netfilter/nf_conntrack_count"),
            "cpu" if name == "cpu_isolated" => {
                std::fs::read_to_string(format!("{sysfs}/cpu/isolated"))
                    .is_ok_and(|text| text.trim().is_empty())
            }
            "cpu" if name.contains("throttles") => {
                none(&format!("{sysfs}/cpu/cpu0/thermal_throttle"))
            }
            "cpufreq" => none(&format!("{sysfs}/cpu/cpu0/cpufreq")),
            // What udev knows of a disk, if it runs.
            "diskstats" if name.ends_with("_info") || name.contains("_ata_") => {
                none("/run/udev/data")
            }
            "dmi" => none("/sys/class/dmi/id"),
            "edac" => none(&format!("{sysfs}/edac/mc/mc0")),
            "hwmon" => none("/sys/class/hwmon"),
            "interrupts" => lacks("/proc/interrupts", "CPU"),
            "ipvs" => none("/proc/net/ip_vs_stats"),
            "mdadm" => none("/sys/block/md0"),
            "meminfo" => {
                let field = name
                    .trim_start_matches("memory_")
                    .trim_end_matches("_bytes");
                lacks("/proc/meminfo", field)
            }
            "nfs" => none("/proc/net/rpc/nfs"),
            "nfsd" => none("/proc/net/rpc/nfsd"),
            "nvme" => none("/sys/class/nvme"),
            "powersupplyclass" => none("/sys/class/power_supply"),
            "pressure" if name.contains("irq") => none("/proc/pressure/irq"),
            "pressure" => none("/proc/pressure"),
            "rapl" => none("/sys/class/powercap"),
            "schedstat" => none("/proc/schedstat"),
            "selinux" => none("/sys/fs/selinux"),
            "systemd" => none("/run/systemd/private"),
            // There is no folder of them here.
            "textfile" => name == "textfile_mtime_seconds",
            "thermal_zone" => none("/sys/class/thermal"),
            "watchdog" => none("/sys/class/watchdog"),
            "xfs" => has_none("/sys/fs/xfs", "stats/stats"),
            "zfs" => none("/proc/spl/kstat/zfs"),
            _ => false,
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cadvisor_has_by_default_is_on_the_containers_page() {
    let engine = Engine::start();
    let options = ["--memory=64m", "--cpus=0.5"];
    engine.run("one", &options, "busybox sleep 1000");
    let watch = Watch::start(&engine.socket(), container::Config::default());
    watch
        .container("one", |container| container.pid.is_some())
        .await;
    // A page whose reader of control groups was late lacks what they tell.
    let page = page_with(&watch, |page| {
        page.contains("container_fs_usage_bytes{") && page.contains("machine_memory_bytes{")
    })
    .await;
    let only_v2 = |name: &str| {
        [
            "memory_events_",
            "memory_file_",
            "memory_pg",
            "memory_workingset_",
            "pressure_",
            "cfs_burst",
        ]
        .iter()
        .any(|part| name.contains(part))
    };
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    // Of disks below mounted file systems: a root may lie in memory.
    let no_disk = lacks("/proc/1/mountinfo", " /dev/");
    let of_disks = ["fs_io_", "fs_sector_", "_merged_", "_seconds_total"];
    let of_disk = |name: &str| {
        name.starts_with("container_fs_") && of_disks.iter().any(|part| name.contains(part))
    };
    check("cadvisor", &differences("Containers"), &page, |row| {
        !v2 && only_v2(&row.name) || no_disk && of_disk(&row.name)
    });
    labelled("cadvisor", &page, |row, label| match label {
        // A file system in memory, or a machine that somebody lent, has none of these.
        "device" | "boot_id" | "machine_id" | "system_uuid" => true,
        // Of devices and networks the machine may be all that is told of; it has neither.
        "image" | "name" => {
            let of_parts = ["device", "interface"].iter();
            let mut of_parts = of_parts.filter(|part| row.labels.contains(**part));
            of_parts.next().is_some() && row.name != "container_fs_usage_bytes"
        }
        _ => false,
    });
    watch.stop().await;
}
