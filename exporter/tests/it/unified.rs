//! Control groups of version 2, on a kernel that has no others.

use std::fs;
use std::path::Path;

use exporter::container::Config;

use crate::engine::Engine;
use crate::kernel::{self, DISK};
use crate::watch::{Watch, page_with, value};

/// Of a file of `name value` lines.
fn field(file: &Path, name: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap();
    let values = text.split_ascii_whitespace().collect::<Vec<_>>();
    let pair = values.chunks(2).find(|pair| pair[0] == name);
    pair.unwrap_or_else(|| panic!("no {name} in {text}"))[1]
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_kernel_with_cgroup_v2_alone_containers_are_told_as_it_counts_them() {
    if !kernel::is_own() {
        kernel::run(&[
            "unified::on_a_kernel_with_cgroup_v2_alone_containers_are_told_as_it_counts_them",
            "containers::usage_equals_what_the_engine_reports",
            "host::a_process_that_the_kernel_killed_for_memory_is_named_with_its_container",
        ]);
        return;
    }
    let engine = Engine::start();
    // It is stopped by its quota, writes to a disk, and then stands still.
    let script = "busybox dd if=/dev/zero of=/disk/x bs=1M count=8 conv=fsync 2>/dev/null; \
                  i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; \
                  : > /tmp/ready; busybox sleep 1000";
    let options = [
        "--memory=64m",
        "--memory-reservation=32m",
        "--cpus=0.5",
        "--pids-limit=50",
        &format!("--volume={}:/disk", DISK.0),
    ];
    let id = engine.run("busy", &options, script);
    let wait = "until [ -e /tmp/ready ]; do busybox sleep 0.1; done";
    engine.docker(&["exec", "busy", "/bin/sh", "-c", wait]);
    let watch = Watch::start(&engine.socket(), Config::default());
    let busy = watch.container("busy", |container| container.pid.is_some());
    let pid = busy.await.pid.unwrap();
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = group.trim().strip_prefix("0::/").unwrap();
    assert!(group.contains(&id), "{group}");
    let folder = Path::new("/sys/fs/cgroup").join(group);
    let kernels = |file: &str, name: &str| field(&folder.join(file), name);

    // A page whose reader of control groups was late lacks what they tell.
    let page = page_with(&watch, |page| {
        let used = |labels: &[&str]| value(page, "container_memory_usage_bytes", labels);
        used(&["name=\"busy\""]).is_some() && used(&["id=\"/\""]).is_some()
    })
    .await;
    let with = |family: &str, labels: &[&str]| {
        let labels = [&["name=\"busy\""], labels].concat();
        value(&page, family, &labels).unwrap_or_else(|| panic!("no {family} in\n{page}"))
    };
    let of = |family: &str| with(family, &[]);
    for (family, file, name, per) in [
        (
            "container_cpu_usage_seconds_total",
            "cpu.stat",
            "usage_usec",
            1e6,
        ),
        (
            "container_cpu_user_seconds_total",
            "cpu.stat",
            "user_usec",
            1e6,
        ),
        (
            "container_cpu_system_seconds_total",
            "cpu.stat",
            "system_usec",
            1e6,
        ),
        (
            "container_cpu_cfs_periods_total",
            "cpu.stat",
            "nr_periods",
            1.0,
        ),
        (
            "container_cpu_cfs_throttled_periods_total",
            "cpu.stat",
            "nr_throttled",
            1.0,
        ),
        (
            "container_cpu_cfs_throttled_seconds_total",
            "cpu.stat",
            "throttled_usec",
            1e6,
        ),
        ("container_memory_rss", "memory.stat", "anon", 1.0),
        ("container_memory_cache", "memory.stat", "file", 1.0),
        (
            "container_memory_mapped_file",
            "memory.stat",
            "file_mapped",
            1.0,
        ),
        (
            "container_memory_total_active_file_bytes",
            "memory.stat",
            "active_file",
            1.0,
        ),
        (
            "container_memory_total_inactive_file_bytes",
            "memory.stat",
            "inactive_file",
            1.0,
        ),
    ] {
        let (ours, theirs) = (of(family), kernels(file, name) / per);
        assert!(
            (ours - theirs).abs() <= theirs * 0.02,
            "{family}: {ours}, {theirs}"
        );
    }
    assert!(
        of("container_cpu_cfs_throttled_periods_total") > 0.0,
        "{page}"
    );
    assert!(of("container_memory_cache") >= f64::from(8 << 20), "{page}");
    for (family, want) in [
        ("container_spec_memory_limit_bytes", f64::from(64 << 20)),
        (
            "container_spec_memory_reservation_limit_bytes",
            f64::from(32 << 20),
        ),
        ("container_spec_cpu_quota", 50_000.0),
        ("container_spec_cpu_period", 100_000.0),
        ("container_threads", 1.0),
        ("container_threads_max", 50.0),
    ] {
        assert_eq!(of(family), want, "{family}");
    }
    let device = format!("device=\"{}\"", DISK.1);
    let written = with("container_fs_writes_bytes_total", &[&device]);
    assert!(written >= f64::from(8 << 20), "{written}");
    // The root of the hierarchy has no sum of its own.
    let whole = value(&page, "container_memory_usage_bytes", &["id=\"/\""]);
    assert!(whole.is_some_and(|bytes| bytes > written), "{page}");
    watch.stop().await;
}
