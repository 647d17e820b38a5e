//! Containers whose files do not answer in time.

use super::*;

#[tokio::test]
async fn a_container_whose_files_hang_keeps_its_values_and_is_counted() {
    let tree = v1_tree();
    let containers = hurried(tree.path());
    runs(&containers, &[(1, 7)]);
    let told = async || {
        let page = containers.page().await;
        let used = value(&page, "container_memory_usage_bytes", "name=\"web-1\"");
        (used, !page.contains("belfry_containers_late 0\n"))
    };
    // It may be late by itself, if the machine is.
    while told().await != (Some(1000.0), false) {}

    // Who opens it waits for one who writes.
    let file = format!(
        "sys/fs/cgroup/memory/docker/{}/memory.usage_in_bytes",
        id(1)
    );
    let file = tree.path().join(file);
    std::fs::remove_file(&file).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, &file, kind, mode, 0).unwrap();
    for _ in 0..2 {
        assert_eq!(told().await, (Some(1000.0), true));
    }
    let writes = file.clone();
    tokio::task::spawn_blocking(move || std::fs::write(writes, "2000\n").unwrap())
        .await
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "3000\n").unwrap();
    while told().await != (Some(3000.0), false) {}
}
