//! A file system whose server is gone delays nothing else.

use std::time::Duration;

use exporter::host::{Config, Host};

use crate::fuse::{Mount, reader_threads};

fn device_error(page: &str, mount: &Mount, trouble: &str) -> Option<String> {
    let point = format!("mountpoint=\"{}\"", mount.point.display());
    let line = page
        .lines()
        .find(|line| line.starts_with("node_filesystem_device_error") && line.contains(&point))?;
    let labelled = trouble.is_empty() || line.contains(&format!("device_error=\"{trouble}\""));
    labelled.then(|| line.rsplit(' ').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_dead_mount_is_reported_holds_one_thread_and_recovers() {
    let mount = Mount::silent();
    let host = Host::new(Config::default());
    let point = format!("mountpoint=\"{}\"", mount.point.display());
    let begun = std::time::Instant::now();
    let mut whole = 0;
    while whole < 4 {
        let page = host.page().await;
        assert!(begun.elapsed() < Duration::from_secs(240), "{page}");
        if !page.contains("node_scrape_collector_success{collector=\"filesystem\"} 1") {
            continue;
        }
        let error = device_error(&page, &mount, "mountpoint timeout");
        assert_eq!(error.as_deref(), Some("1"), "{page}");
        assert!(
            !page
                .lines()
                .any(|line| line.contains("size_bytes") && line.contains(&point))
        );
        // Everything else is there, read for this page: the other mounts, and the other
        // sources; but for a page for which the machine had no time.
        let words = [
            "node_filesystem_size_bytes",
            "mountpoint=\"/\"} ",
            "node_memory_MemTotal_bytes ",
            "belfry_host_collector_age_seconds{collector=\"meminfo\"} 0\n",
        ];
        whole += usize::from(words.iter().all(|word| page.contains(word)));
    }
    let one_left = async {
        while reader_threads() != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), one_left).await;
    assert!(
        waited.is_ok(),
        "{} threads wait for one mount",
        reader_threads()
    );
    mount.answer();
    loop {
        let page = host.page().await;
        if device_error(&page, &mount, "").as_deref() == Some("0") {
            let size = page
                .lines()
                .find(|line| line.contains("size_bytes") && line.contains(&point));
            assert!(size.unwrap().ends_with(" 4096000"), "{size:?}");
            break;
        }
    }
}
