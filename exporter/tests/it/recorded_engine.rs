//! An engine that keeps its images in containerd's store, as Docker 29 does unless it is
//! told otherwise: what it answered, recorded, since Debian has no engine that can.
//!
//! Left out of the record: what no container here has, and lists that the sums of
//! `/system/df` are made from. The folders are the usual ones.

use exporter::container::Config;

use crate::lying_engine::Liar;
use crate::watch::{Watch, page_with, value};

const RECORDED: &str = include_str!("recorded/docker-29.json");

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_with_containerds_image_store_is_told_like_any_other() {
    let recorded: serde_json::Value = serde_json::from_str(RECORDED).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let _engine = Liar::listen(&socket, move |path| {
        let path = path.split('?').next().unwrap_or_default();
        match path {
            "/events" => None,
            "/_ping" => Some("OK".to_owned()),
            path => Some(
                recorded
                    .get(path)
                    .map_or("nonsense".to_owned(), serde_json::Value::to_string),
            ),
        }
    });
    // The processes of the record are not those of this machine.
    let config = Config {
        procfs: folder.path().into(),
        sysfs: folder.path().into(),
        rootfs: folder.path().into(),
        ..Config::default()
    };
    let watch = Watch::start(&socket, config);
    let sick = watch.container("sick", |container| {
        container.pid.is_some() && !container.image_digest.is_empty()
    });
    assert_eq!(sick.await.health_output, "broken");
    watch
        .container("oom", |container| container.exit_code.is_some())
        .await;
    watch
        .container("again", |container| container.restart_count > 0)
        .await;
    watch
        .container("published", |container| container.pid.is_some())
        .await;
    let page = page_with(&watch, |page| {
        page.contains("belfry_engine_disk_bytes")
            && page.contains("belfry_container_image_outdated")
    })
    .await;
    for (family, labels, want) in [
        // The newest that both sides speak.
        (
            "belfry_engine_info",
            &["api_version=\"1.53\"", "version=\"29.7.2\""][..],
            1.0,
        ),
        (
            "belfry_container_state",
            &["name=\"sick\"", "state=\"running\""],
            1.0,
        ),
        (
            "belfry_container_health",
            &["name=\"sick\"", "health=\"unhealthy\""],
            1.0,
        ),
        (
            "belfry_container_state",
            &["name=\"oom\"", "state=\"exited\""],
            1.0,
        ),
        ("belfry_container_oom_killed", &["name=\"oom\""], 1.0),
        ("belfry_container_exit_code", &["name=\"oom\""], 137.0),
        (
            "belfry_container_memory_limit_bytes",
            &["name=\"oom\""],
            f64::from(16 << 20),
        ),
        (
            "belfry_container_restart_policy_info",
            &["name=\"again\"", "policy=\"always\""],
            1.0,
        ),
        (
            "belfry_container_published_port_info",
            &[
                "name=\"published\"",
                "address=\"127.0.0.1\"",
                "port=\"28080\"",
            ],
            1.0,
        ),
        (
            "belfry_container_network_info",
            &["name=\"sick\"", "network=\"shop\""],
            1.0,
        ),
        // Its tag means another image by now, and that of the newer container the same.
        ("belfry_container_image_outdated", &["name=\"sick\""], 1.0),
        ("belfry_container_image_outdated", &["name=\"newer\""], 0.0),
        (
            "belfry_container_image_info",
            &[
                "name=\"sick\"",
                "image=\"t:1\"",
                "digest=\"sha256:700b4c4752",
            ],
            1.0,
        ),
        // As `docker system df` said at that moment.
        (
            "belfry_engine_disk_bytes",
            &["kind=\"images\""],
            6_165_107.0,
        ),
        (
            "belfry_engine_disk_bytes",
            &["kind=\"containers\""],
            5_283_840.0,
        ),
        (
            "belfry_engine_disk_bytes",
            &["kind=\"volumes\""],
            2_097_152.0,
        ),
        (
            "belfry_engine_disk_reclaimable_bytes",
            &["kind=\"images\""],
            0.0,
        ),
        (
            "belfry_engine_disk_reclaimable_bytes",
            &["kind=\"containers\""],
            12_288.0,
        ),
    ] {
        assert_eq!(
            value(&page, family, labels),
            Some(want),
            "{family} {labels:?}\n{page}"
        );
    }
    watch.stop().await;
}
