//! The page as a whole: on this machine, and on trees that are broken.

use std::path::Path;

use super::*;

/// A reader of a tree that a test made.
pub(super) fn host(tree: &Path) -> Host {
    unhurried(of(tree))
}

/// A file of such a tree, with its folders.
pub(super) fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What a collector tells of such a tree.
pub(super) fn page(
    tree: &Path,
    read: fn(&Machine, &mut Files<'_>, &mut Writer) -> Result<(), Failure>,
) -> String {
    let host = host(tree);
    let mut page = Writer::new();
    read(&host.0, &mut Files::new(&host.0.roots), &mut page).unwrap();
    page.finish()
}

fn of(tree: &Path) -> Config {
    Config {
        procfs: tree.join("proc"),
        sysfs: tree.into(),
        rootfs: tree.into(),
        ..Config::default()
    }
}

/// A reader whose collectors are not late, however slow the machine is.
fn unhurried(config: Config) -> Host {
    let mut host = Host::new(config);
    let machine = Arc::get_mut(&mut host.0).expect("nobody else has it yet");
    machine.patience = Duration::from_secs(120);
    host
}

fn write(tree: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = tree.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|rest| rest.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn this_machine_tells_about_itself() {
    let page = unhurried(Config::default()).page().await;
    for entry in exposition::parse(&page) {
        entry.unwrap();
    }
    assert!(value(&page, "node_memory_MemTotal_bytes").unwrap() > 1e6);
    assert!(value(&page, "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}").unwrap() > 0.0);
    assert!(value(&page, "node_boot_time_seconds").unwrap() > 1e9);
    assert!(page.contains("mountpoint=\"/\""));
    assert!(page.contains("node_network_receive_bytes_total{device=\"lo\"}"));
    let failed: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("belfry_host_collector_failed") && !line.ends_with(" 0"))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_collector_that_there_is_not_cannot_be_left_out() {
    let without = ["stat", "filesystem", "filesystems"].map(str::to_owned);
    let config = Config {
        without: without.into(),
        ..Config::default()
    };
    let faults = config.faults();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].0, "host.without[2]");
    assert!(faults[0].1.contains("\"filesystems\"") && faults[0].1.contains(" textfile, "));
    assert_eq!(Config::default().faults(), []);
}

#[tokio::test]
async fn no_family_stands_twice_on_a_page() {
    let page = unhurried(Config::default()).page().await;
    let mut names: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[tokio::test]
async fn a_malformed_file_costs_only_its_own_families() {
    let tree = tempfile::tempdir().unwrap();
    write(tree.path(), "proc/loadavg", "1 2 3 1/2 3");
    write(tree.path(), "proc/meminfo", [0xff, 0xfe, b'\n', b':', 0]);
    write(tree.path(), "proc/stat", "cpu0\ncpu1 -\nintr\n");
    write(tree.path(), "proc/diskstats", "8 0 sda 1 2 3\n8 0\n\n\u{0}");
    write(tree.path(), "proc/1/mountinfo", "- - -\n1 2 3\n");
    write(tree.path(), "proc/net/netstat", "TcpExt: A B\n");
    let page = host(tree.path()).page().await;
    assert_eq!(value(&page, "node_load5"), Some(2.0));
    assert_eq!(
        value(&page, "node_disk_reads_completed_total{device=\"sda\"}"),
        Some(1.0)
    );
    for (collector, success, failed) in [
        ("loadavg", 1.0, 0.0),
        ("meminfo", 0.0, 1.0),
        ("stat", 0.0, 1.0),
        ("vmstat", 0.0, 0.0),
    ] {
        let of = |family: &str| value(&page, &format!("{family}{{collector=\"{collector}\"}}"));
        assert_eq!(
            of("node_scrape_collector_success"),
            Some(success),
            "{collector}"
        );
        assert_eq!(
            of("belfry_host_collector_failed"),
            Some(failed),
            "{collector}"
        );
    }
}

#[tokio::test]
async fn the_hosts_network_is_read_through_process_one() {
    let tree = tempfile::tempdir().unwrap();
    write(tree.path(), "proc/net/sockstat", "sockets: used 1\n");
    write(tree.path(), "proc/1/net/sockstat", "sockets: used 2\n");
    let page = host(tree.path()).page().await;
    assert_eq!(value(&page, "node_sockstat_sockets_used"), Some(2.0));
}

#[tokio::test]
async fn an_empty_tree_gives_a_page_without_failures() {
    let tree = tempfile::tempdir().unwrap();
    let page = host(tree.path()).page().await;
    assert_eq!(
        value(&page, "belfry_host_collector_failed{collector=\"stat\"}"),
        Some(0.0)
    );
    assert_eq!(
        value(
            &page,
            "belfry_host_collector_failed{collector=\"filesystem\"}"
        ),
        Some(0.0)
    );
}

#[tokio::test]
async fn a_collector_that_is_late_keeps_its_values_and_is_told_to_be_late() {
    let tree = tempfile::tempdir().unwrap();
    write(tree.path(), "proc/loadavg", "1 2 3 1/2 3");
    let host = Host::new(of(tree.path()));
    let of = |page: &str, family: &str| {
        let series = format!("{family}{{collector=\"loadavg\"}}");
        value(page, &series)
    };
    // It may be late by itself, if the machine is.
    let mut pages = 0;
    let page = loop {
        let page = host.page().await;
        pages += 1;
        if of(&page, "belfry_host_collector_age_seconds") == Some(0.0) || pages == 100 {
            break page;
        }
    };
    assert_eq!(value(&page, "node_load5"), Some(2.0), "{page}");

    // Who opens it waits for one who writes.
    let file = tree.path().join("proc/loadavg");
    std::fs::remove_file(&file).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, &file, kind, mode, 0).unwrap();
    for _ in 0..2 {
        let page = host.page().await;
        assert_eq!(value(&page, "node_load5"), Some(2.0), "{page}");
        assert_eq!(of(&page, "node_scrape_collector_success"), Some(0.0));
        assert_eq!(of(&page, "belfry_host_collector_failed"), Some(1.0));
        assert!(of(&page, "belfry_host_collector_age_seconds").unwrap() > 0.0);
    }

    // What comes late is told from then on, and what cannot be read is told no more.
    tokio::task::spawn_blocking({
        let file = file.clone();
        move || std::fs::write(file, "4 5 6 1/2 3").unwrap()
    })
    .await
    .unwrap();
    std::fs::remove_file(&file).unwrap();
    write(tree.path(), "proc/loadavg", "nonsense");
    loop {
        let page = host.page().await;
        match value(&page, "node_load5") {
            // Its thread has not come back yet.
            Some(value) => assert!(value == 2.0 || value == 5.0, "{page}"),
            None => {
                assert_eq!(of(&page, "belfry_host_collector_failed"), Some(1.0));
                assert_eq!(of(&page, "belfry_host_collector_age_seconds"), None);
                break;
            }
        }
    }
}
