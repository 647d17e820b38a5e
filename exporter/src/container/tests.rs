//! Pages over recorded trees, without an engine.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HostConfig,
};

use super::*;

mod late;
mod malformed;
mod sizes;

pub(super) fn id(number: usize) -> String {
    format!("{number:064x}")
}

pub(super) fn write(tree: &Path, file: &str, text: &str) {
    let path = tree.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A watcher whose readers of files are not late, however slow the machine is.
fn containers(tree: &Path) -> Containers {
    let mut containers = hurried(tree);
    let shared = Arc::get_mut(&mut containers.0).expect("nobody else has it yet");
    shared.patience = Duration::from_secs(120);
    containers
}

fn hurried(tree: &Path) -> Containers {
    let config = Config {
        procfs: tree.join("proc"),
        sysfs: tree.join("sys"),
        rootfs: tree.into(),
        ..Config::default()
    };
    Containers::new(config, &tree.join("none.sock"))
}

/// Puts a running container into the inventory, as the engine would tell it.
fn runs(containers: &Containers, rows: &[(usize, u32)]) {
    let mut inventory = containers.0.inventory();
    let asked = inventory.listing();
    let row = |(number, _): &(usize, u32)| ContainerSummary {
        id: Some(id(*number)),
        names: Some(vec![format!("/web-{number}")]),
        image: Some("web:1".into()),
        state: Some(ContainerSummaryStateEnum::RUNNING),
        labels: Some(HashMap::from([(
            "com.docker.compose.project".into(),
            "shop".into(),
        )])),
        ..ContainerSummary::default()
    };
    inventory.listed(rows.iter().map(row).collect(), asked);
    while let Some(question) = inventory.next_question() {
        let pid = rows
            .iter()
            .find(|(number, _)| id(*number) == question.id)
            .map(|(_, pid)| i64::from(*pid));
        let answer = ContainerInspectResponse {
            state: Some(ContainerState {
                status: Some(ContainerStateStatusEnum::RUNNING),
                pid,
                started_at: Some("2026-01-01T00:00:00Z".into()),
                ..ContainerState::default()
            }),
            host_config: Some(HostConfig {
                memory: Some(64 << 20),
                ..HostConfig::default()
            }),
            ..ContainerInspectResponse::default()
        };
        inventory.inspected(&question, answer);
    }
}

fn value(page: &str, family: &str, labels: &str) -> Option<f64> {
    let line = page.lines().find(|line| {
        line.strip_prefix(family)
            .is_some_and(|rest| rest.starts_with('{'))
            && line.contains(labels)
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

fn v1_tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let group = format!("docker/{}", id(1));
    let told: String = ["4:memory", "3:cpuacct,cpu", "7:blkio", "8:pids"]
        .map(|line| format!("{line}:/{group}\n"))
        .concat();
    write(tree.path(), "proc/7/cgroup", &told);
    write(
        tree.path(),
        "proc/7/net/dev",
        "h\nh\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
    );
    for (file, text) in [
        ("cpuacct/G/cpuacct.usage", "2500000000\n"),
        ("cpuacct/G/cpuacct.stat", "user 200\nsystem 50\n"),
        (
            "cpu/G/cpu.stat",
            "nr_periods 10\nnr_throttled 4\nthrottled_time 1500000000\n",
        ),
        ("cpu/G/cpu.cfs_quota_us", "50000\n"),
        ("cpu/G/cpu.cfs_period_us", "100000\n"),
        ("cpu/G/cpu.shares", "512\n"),
        ("memory/G/memory.usage_in_bytes", "1000\n"),
        ("memory/G/memory.max_usage_in_bytes", "2000\n"),
        ("memory/G/memory.failcnt", "3\n"),
        ("memory/G/memory.limit_in_bytes", "67108864\n"),
        (
            "memory/G/memory.soft_limit_in_bytes",
            "9223372036854771712\n",
        ),
        (
            "memory/G/memory.stat",
            "cache 1\nrss 1\ntotal_cache 600\ntotal_rss 300\ntotal_swap 50\ntotal_inactive_file 250\ntotal_pgfault 9\n",
        ),
        (
            "blkio/G/blkio.throttle.io_service_bytes_recursive",
            "8:0 Read 4096\n8:0 Write 8192\n8:0 Total 12288\nTotal 12288\n",
        ),
        (
            "blkio/G/blkio.throttle.io_serviced_recursive",
            "8:0 Read 1\n8:0 Write 2\n",
        ),
        ("pids/G/pids.current", "5\n"),
        ("pids/G/pids.max", "max\n"),
    ] {
        write(
            tree.path(),
            &format!("sys/fs/cgroup/{}", file.replace('G', &group)),
            text,
        );
    }
    std::fs::create_dir_all(tree.path().join("sys/dev/block")).unwrap();
    std::os::unix::fs::symlink(
        "../../devices/x/block/sda",
        tree.path().join("sys/dev/block/8:0"),
    )
    .unwrap();
    tree
}

#[tokio::test]
async fn version_1_is_read() {
    let tree = v1_tree();
    let containers = containers(tree.path());
    runs(&containers, &[(1, 7)]);
    let page = containers.page().await;
    let own = format!(
        "id=\"/docker/{}\",image=\"web:1\",name=\"web-1\",container_label_com_docker_compose_project=\"shop\"",
        id(1)
    );
    for (family, labels, want) in [
        ("container_cpu_usage_seconds_total", "cpu=\"total\"", 2.5),
        ("container_cpu_user_seconds_total", own.as_str(), 2.0),
        ("container_cpu_system_seconds_total", "", 0.5),
        ("container_cpu_cfs_throttled_periods_total", "", 4.0),
        ("container_cpu_cfs_throttled_seconds_total", "", 1.5),
        ("container_spec_cpu_quota", "", 50000.0),
        ("container_spec_cpu_shares", "", 512.0),
        ("container_memory_usage_bytes", "", 1000.0),
        ("container_memory_working_set_bytes", "", 750.0),
        ("container_memory_rss", "", 300.0),
        ("container_memory_cache", "", 600.0),
        ("container_memory_swap", "", 50.0),
        ("container_memory_failcnt", "", 3.0),
        ("container_memory_max_usage_bytes", "", 2000.0),
        ("container_spec_memory_limit_bytes", "", 67_108_864.0),
        ("container_spec_memory_reservation_limit_bytes", "", 0.0),
        (
            "container_memory_failures_total",
            "failure_type=\"pgfault\",scope=\"hierarchy\"",
            9.0,
        ),
        (
            "container_fs_reads_bytes_total",
            "device=\"/dev/sda\"",
            4096.0,
        ),
        ("container_fs_writes_total", "device=\"/dev/sda\"", 2.0),
        (
            "container_blkio_device_usage_total",
            "major=\"8\",minor=\"0\",operation=\"Write\"",
            8192.0,
        ),
        (
            "container_network_transmit_bytes_total",
            "interface=\"eth0\"",
            9.0,
        ),
        ("container_threads", "", 5.0),
        ("container_threads_max", "", 0.0),
        ("container_start_time_seconds", "", 1_767_225_600.0),
        (
            "belfry_container_memory_limit_bytes",
            "project=\"shop\"",
            67_108_864.0,
        ),
        ("belfry_container_state", "state=\"running\"", 1.0),
        ("belfry_container_state", "state=\"exited\"", 0.0),
    ] {
        assert_eq!(
            value(&page, family, labels),
            Some(want),
            "{family} {labels} in\n{page}"
        );
    }
    assert!(!page.contains("interface=\"lo\""));
}

#[tokio::test]
async fn version_2_is_read() {
    let tree = tempfile::tempdir().unwrap();
    let group = format!("system.slice/docker-{}.scope", id(1));
    write(tree.path(), "proc/7/cgroup", &format!("0::/{group}\n"));
    write(
        tree.path(),
        "sys/fs/cgroup/cgroup.controllers",
        "cpu io memory pids\n",
    );
    for (file, text) in [
        (
            "cpu.stat",
            "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 1500000\n",
        ),
        ("cpu.max", "50000 100000\n"),
        ("cpu.weight", "100\n"),
        ("memory.current", "1000\n"),
        ("memory.peak", "2000\n"),
        ("memory.max", "max\n"),
        ("memory.swap.current", "50\n"),
        ("memory.events", "low 0\nhigh 6\nmax 7\noom 1\noom_kill 1\n"),
        (
            "memory.stat",
            "anon 300\nfile 600\nfile_mapped 20\nfile_dirty 10\ninactive_file 1250\nactive_file 4\npgfault 9\npgmajfault 2\n",
        ),
        (
            "io.stat",
            "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n259:1\n",
        ),
        ("pids.current", "5\n"),
        ("pids.max", "100\n"),
        (
            "cpu.pressure",
            "some avg10=0.00 total=1500000\nfull avg10=0.00 total=0\n",
        ),
        (
            "memory.pressure",
            "some avg10=0.00 total=0\nfull avg10=0.00 total=2500000\n",
        ),
        (
            "io.pressure",
            "some avg10=0.00 total=0\nfull avg10=0.00 total=0\n",
        ),
    ] {
        write(tree.path(), &format!("sys/fs/cgroup/{group}/{file}"), text);
    }
    let containers = containers(tree.path());
    runs(&containers, &[(1, 7)]);
    let page = containers.page().await;
    for (family, labels, want) in [
        ("container_cpu_usage_seconds_total", "cpu=\"total\"", 2.5),
        ("container_cpu_cfs_throttled_seconds_total", "", 1.5),
        ("container_spec_cpu_period", "", 100_000.0),
        ("container_spec_cpu_shares", "", 2597.0),
        (
            "container_memory_usage_bytes",
            &format!("id=\"/{group}\""),
            1000.0,
        ),
        ("container_memory_working_set_bytes", "", 0.0),
        ("container_memory_max_usage_bytes", "", 2000.0),
        ("container_memory_mapped_file", "", 20.0),
        ("container_memory_events_max_total", "", 7.0),
        ("container_spec_memory_limit_bytes", "", 0.0),
        ("container_fs_writes_bytes_total", "", 8192.0),
        ("container_threads_max", "", 100.0),
        ("container_pressure_cpu_waiting_seconds_total", "", 1.5),
        ("container_pressure_memory_stalled_seconds_total", "", 2.5),
    ] {
        assert_eq!(
            value(&page, family, labels),
            Some(want),
            "{family} {labels} in\n{page}"
        );
    }
}

#[tokio::test]
async fn a_container_that_vanished_leaves_the_others_and_no_stale_series() {
    let tree = v1_tree();
    let containers = containers(tree.path());
    runs(&containers, &[(1, 7), (2, 8)]);
    // The second ended after the engine was heard: its process is gone.
    let page = containers.page().await;
    assert!(value(&page, "container_memory_usage_bytes", "name=\"web-1\"").is_some());
    assert_eq!(
        value(&page, "container_memory_usage_bytes", "name=\"web-2\""),
        None
    );
    assert!(value(&page, "belfry_container_state", "name=\"web-2\"").is_some());
    runs(&containers, &[(1, 7)]);
    assert!(!containers.page().await.contains("web-2"));
    // And its control groups went while its process was still listed.
    std::fs::remove_dir_all(tree.path().join("sys/fs/cgroup")).unwrap();
    let page = containers.page().await;
    assert!(!page.contains("container_memory_usage_bytes{"));
    assert_eq!(
        value(&page, "belfry_container_state", "state=\"running\""),
        Some(1.0)
    );
}

#[tokio::test]
async fn two_hundred_containers_make_one_page_that_parses() {
    let tree = tempfile::tempdir().unwrap();
    write(tree.path(), "sys/fs/cgroup/cgroup.controllers", "cpu\n");
    let rows: Vec<_> = (1..=200)
        .map(|number| (number, 100 + number as u32))
        .collect();
    for (number, pid) in &rows {
        let group = format!("docker/{}", id(*number));
        write(
            tree.path(),
            &format!("proc/{pid}/cgroup"),
            &format!("0::/{group}\n"),
        );
        write(
            tree.path(),
            &format!("sys/fs/cgroup/{group}/memory.current"),
            &format!("{number}\n"),
        );
    }
    let containers = containers(tree.path());
    runs(&containers, &rows);
    let page = containers.page().await;
    let read = exposition::parse(&page).map(Result::unwrap);
    let used = read.filter(|entry| {
        matches!(entry, exposition::Entry::Sample(sample) if sample.labels.name() == "container_memory_usage_bytes")
    });
    assert_eq!(used.count(), 200);
}

#[tokio::test]
async fn without_an_engine_the_page_says_so_at_once() {
    let tree = tempfile::tempdir().unwrap();
    let containers = containers(tree.path());
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (containers, stop) = (containers.clone(), stop.clone());
        async move { containers.run(stop).await }
    });
    containers
        .changes()
        .wait_for(|changes| *changes > 0)
        .await
        .unwrap();
    let page = containers.page().await;
    assert!(
        page.contains("\nbelfry_engine_up 0\n") && page.contains("\ncontainer_scrape_error 1\n")
    );
    assert!(
        containers
            .engine()
            .last_error
            .unwrap()
            .contains("no engine")
    );
    stop.cancel();
    task.await.unwrap();
}
