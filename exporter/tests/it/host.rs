//! The host: beside Debian's real node_exporter, and with what only we tell.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use exporter::host::{Config, Host};

use crate::engine::Engine;
use crate::peer::{Page, compared, get};
use crate::server::Port;
use crate::watch::value;

/// A node_exporter, until it is dropped.
#[derive(Debug)]
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Values that differ from moment to moment, or by who looks.
const VOLATILE: [&str; 30] = [
    "node_arp_entries*",
    "node_context_switches_total",
    "node_cpu_seconds_total*",
    "node_disk_*",
    "node_entropy_available_bits",
    "node_filefd_allocated",
    "node_filesystem_avail_bytes*",
    "node_filesystem_free_bytes*",
    "node_forks_total",
    "node_interrupts_total*",
    "node_intr_total",
    "node_load*",
    "node_memory_*",
    "node_netstat_*",
    "node_network_*",
    "node_pressure_*",
    "node_processes_*",
    "node_procs_*",
    "node_schedstat_*",
    "node_scrape_collector_*",
    "node_sockstat_*",
    "node_softnet_*",
    "node_tcp_connection_states*",
    "node_time_seconds",
    "node_timex_*",
    "node_udp_queues*",
    "node_vmstat_*",
    "node_filesystem_files_free*",
    "node_cpu_guest_seconds_total*",
    "node_textfile_*",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_real_node_exporter_tells_is_told_here() {
    let claimed = Port::claim();
    let port = claimed.number;
    let peer = Command::new("prometheus-node-exporter")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args([
            "--collector.processes",
            "--collector.interrupts",
            "--collector.tcpstat",
            "--collector.textfile.directory=/nonexistent",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|err| {
            panic!(
                "this test needs node_exporter: apt-get install -y prometheus-node-exporter ({err})"
            )
        });
    let _peer = Peer(peer);
    let host = Host::new(Config::default());
    let begun = Instant::now();
    let before = loop {
        if let Some(page) = get(port, "/metrics") {
            break page;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "node_exporter does not answer"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let looking = Instant::now();
    let mut before = before;
    loop {
        let ours = host.page().await;
        let after = get(port, "/metrics").unwrap();
        let pages = [&before, &ours, &after].map(|text| Page::parse(text, &[]));
        let [earlier, ours, later] = &pages;
        let shares = compared(earlier, ours, later, "Host", &VOLATILE);
        if shares.as_ref().is_ok_and(|shares| {
            shares.families >= 99.0 && shares.series >= 98.0 && shares.values >= 97.0
        }) {
            return;
        }
        // What wavers while others work here, or was late, may do so for a while, not for ever.
        assert!(looking.elapsed() < Duration::from_secs(120), "{shares:?}");
        before = after;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_the_kernel_killed_for_memory_is_named_with_its_container() {
    let engine = Engine::start();
    // The kernel names no container when it has killed many a moment ago.
    let begun = Instant::now();
    let (page, id) = loop {
        let id = engine.run("greedy", &["--memory=16m"], "exec busybox tail /dev/zero");
        engine.docker(&["wait", "greedy"]);
        engine.docker(&["rm", "greedy"]);
        let page = Host::new(Config::default()).page().await;
        // A collector for which the machine had no time is left out.
        let timed = value(&page, "node_time_seconds", &[]).is_some();
        if timed && page.contains(&format!("container_id=\"{}\"", &id[..12])) {
            break (page, id);
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{page}");
    };
    let labels = [
        &*format!("container_id=\"{}\"", &id[..12]),
        "process=\"busybox\"",
    ];
    assert_eq!(
        value(&page, "belfry_host_oom_kills_total", &labels),
        Some(1.0),
        "{page}"
    );
    let when = value(&page, "belfry_host_oom_kill_timestamp_seconds", &labels).unwrap();
    let now = value(&page, "node_time_seconds", &[]).unwrap();
    assert!((now - when).abs() < 3600.0, "{when} at {now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn named_folders_are_added_up_beside_the_page() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), vec![1; 1 << 20]).unwrap();
    let named = folder.path().to_owned();
    let host = Host::new(Config {
        folders: vec![named.clone(), "/nowhere/at/all".into()],
        without: ["interrupts", "processes", "filesystem"]
            .map(str::to_owned)
            .into(),
        ..Config::default()
    });
    let label = format!("folder=\"{}\"", named.display());
    let begun = Instant::now();
    let page = loop {
        let page = host.page().await;
        if value(&page, "belfry_folder_success", &["nowhere"]).is_some() {
            break page;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{page}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let size = value(&page, "belfry_folder_size_bytes", &[&label]).unwrap();
    assert!((1e6..2e6).contains(&size), "{size}");
    assert_eq!(value(&page, "belfry_folder_entries", &[&label]), Some(2.0));
    assert_eq!(value(&page, "belfry_folder_complete", &[&label]), Some(1.0));
    assert_eq!(
        value(&page, "belfry_folder_success", &["nowhere"]),
        Some(0.0)
    );
    // What is left out does not fail, it is not there.
    assert!(!page.contains("node_interrupts_total") && !page.contains("node_processes_pids"));
    assert!(!page.contains("collector=\"interrupts\""));
    assert!(!page.contains("node_filesystem_") && !page.contains("collector=\"filesystem\""));
}

#[tokio::test]
async fn processes_of_one_name_are_a_group_with_their_memory_and_time() {
    let begun = Instant::now();
    let page = loop {
        let page = Host::new(Config::default()).page().await;
        // A collector for which the machine had no time is left out.
        if value(&page, "node_processes_pids", &[]).is_some() {
            break page;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{page}");
    };
    let all: f64 = page
        .lines()
        .filter(|line| line.starts_with("belfry_process_group_processes{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(value(&page, "node_processes_pids", &[]), Some(all));
    assert!(value(&page, "belfry_process_group_memory_bytes", &[]).unwrap() > 0.0);
    assert!(page.contains("belfry_process_group_cpu_seconds_total{group=\""));
}
