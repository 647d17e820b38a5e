//! Control groups whose files make no sense.

use super::*;

#[tokio::test]
async fn malformed_control_groups_cost_what_is_malformed_and_no_more() {
    let tree = v1_tree();
    let folder = |file: &str| {
        format!(
            "sys/fs/cgroup/{}",
            file.replace('G', &format!("docker/{}", id(1)))
        )
    };
    for (file, text) in [
        (
            "memory/G/memory.stat",
            &b"total_rss 300\ntotal_cache\n\xff\xfe 7\ntotal_swap -x\n"[..],
        ),
        (
            "memory/G/memory.limit_in_bytes",
            b"99999999999999999999999999\n",
        ),
        ("cpuacct/G/cpuacct.stat", b"user\nsystem many\n"),
        (
            "blkio/G/blkio.throttle.io_service_bytes_recursive",
            b"8:0 Read\nnonsense\n:: Write 5\n8:0 Write 8192\n",
        ),
        ("cpu/G/cpu.stat", b""),
        ("pids/G/pids.current", b"-\n"),
    ] {
        std::fs::write(tree.path().join(folder(file)), text).unwrap();
    }
    let containers = containers(tree.path());
    runs(&containers, &[(1, 7)]);
    let page = containers.page().await;
    for entry in exposition::parse(&page) {
        entry.unwrap();
    }
    let own = "name=\"web-1\"";
    assert_eq!(
        value(&page, "container_memory_rss", own),
        Some(300.0),
        "{page}"
    );
    assert_eq!(
        value(&page, "container_memory_usage_bytes", own),
        Some(1000.0)
    );
    assert_eq!(
        value(&page, "container_cpu_usage_seconds_total", own),
        Some(2.5)
    );
    assert_eq!(
        value(&page, "container_spec_memory_limit_bytes", own),
        Some(0.0)
    );
    assert_eq!(value(&page, "container_threads", own), None);
    assert_eq!(
        value(&page, "container_fs_writes_bytes_total", own),
        Some(8192.0),
        "{page}"
    );
    // Cut off altogether, the container is left out and the page goes on.
    for file in ["cpuacct/G/cpuacct.usage", "memory/G/memory.usage_in_bytes"] {
        std::fs::write(tree.path().join(folder(file)), "").unwrap();
    }
    let page = containers.page().await;
    assert_eq!(value(&page, "container_memory_rss", own), None);
    assert_eq!(
        value(&page, "belfry_container_state", "state=\"running\""),
        Some(1.0)
    );
}
