//! What containers and their engine have on the disk.

use std::time::Duration;

use exporter::container::Config;

use crate::engine::{Engine, IMAGE};
use crate::watch::{Watch, page_with, value};

fn eager() -> Config {
    Config {
        relist: Duration::from_millis(500),
        disk: Duration::from_secs(1),
        sizes: Duration::from_secs(1),
        ..Config::default()
    }
}

/// Bytes of what the client prints, such as `4.26MB`.
fn bytes(text: &str) -> f64 {
    let text = text.split(' ').next().unwrap();
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        other => panic!("{other:?} in {text:?}"),
    };
    digits.parse::<f64>().unwrap() * unit
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_takes_on_the_disk_is_what_docker_system_df_says() {
    let engine = Engine::start();
    let fill = |megabytes: u32, file: &str| {
        format!("busybox dd if=/dev/urandom of={file} bs=1M count={megabytes} 2>/dev/null")
    };
    engine.docker(&["volume", "create", "unused"]);
    engine.run("done", &["--volume=unused:/v"], &fill(3, "/v/x"));
    engine.docker(&["wait", "done"]);
    engine.docker(&["rm", "done"]);
    engine.run("ended", &[], &fill(2, "/x"));
    engine.docker(&["wait", "ended"]);
    engine.run("runs", &[], &format!("{}; sleep 1000", fill(1, "/x")));
    let watch = Watch::start(&engine.socket(), eager());
    let of = |page: &str, family: &str, kind: &str| {
        let kind = format!("kind=\"{kind}\"");
        value(page, &format!("belfry_engine_disk_{family}"), &[&kind])
    };
    let page = page_with(&watch, |page| {
        of(page, "bytes", "containers").is_some_and(|bytes| bytes > 3.145e6)
    })
    .await;
    let said = engine.docker(&[
        "system",
        "df",
        "--format",
        "{{.Type}}|{{.Size}}|{{.Reclaimable}}",
    ]);
    let kinds = [
        ("Images", "images"),
        ("Containers", "containers"),
        ("Local Volumes", "volumes"),
        ("Build Cache", "build_cache"),
    ];
    for (theirs, ours) in kinds {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(theirs))
            .unwrap();
        let mut words = line.split('|').skip(1);
        for family in ["bytes", "reclaimable_bytes"] {
            let want = bytes(words.next().unwrap());
            let have = of(&page, family, ours).unwrap();
            assert!(
                (have - want).abs() <= want * 0.01,
                "{ours} {family}: {have} against {said}"
            );
        }
    }
    assert_eq!(
        value(&page, "belfry_engine_disk_read_success", &[]),
        Some(1.0)
    );
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_tells_of_its_log_its_files_and_an_image_that_has_moved_on() {
    let engine = Engine::start();
    let script = "busybox dd if=/dev/urandom of=/x bs=1M count=3 2>/dev/null; \
                  i=0; while [ $i -lt 1000 ]; do echo 0123456789; i=$((i+1)); done; sleep 1000";
    engine.run("talks", &["--log-driver=json-file"], script);
    let watch = Watch::start(&engine.socket(), eager());
    let own = ["name=\"talks\""];
    let page = page_with(&watch, |page| {
        value(page, "belfry_container_log_bytes", &own).is_some_and(|bytes| bytes > 50_000.0)
            && value(page, "container_fs_usage_bytes", &own).is_some_and(|bytes| bytes > 3e6)
            && value(page, "belfry_container_image_outdated", &own).is_some()
    })
    .await;
    let of =
        |family: &str| value(&page, family, &own).unwrap_or_else(|| panic!("{family} in\n{page}"));
    assert!(of("container_fs_usage_bytes") < 5e6, "{page}");
    assert_eq!(of("belfry_container_files_complete"), 1.0);
    assert!(of("container_fs_limit_bytes") > 1e8);
    assert!(of("container_fs_inodes_total") >= of("container_fs_inodes_free"));
    assert_eq!(of("belfry_container_image_outdated"), 0.0);
    let since = of("belfry_container_image_since_timestamp_seconds");

    // The tag comes to mean another image; the container goes on with the old one.
    engine.docker(&["commit", "talks", IMAGE]);
    page_with(&watch, |page| {
        value(page, "belfry_container_image_outdated", &own) == Some(1.0)
    })
    .await;
    let named = watch
        .container("talks", |container| container.image == IMAGE)
        .await;
    let before = named.image_id.clone();
    engine.docker(&["rm", "-f", "talks"]);
    engine.run("talks", &[], "sleep 1000");
    watch
        .container("talks", |container| container.image_id != before)
        .await;
    let page = page_with(&watch, |page| {
        value(page, "belfry_container_image_outdated", &own) == Some(0.0)
    })
    .await;
    let now = value(
        &page,
        "belfry_container_image_since_timestamp_seconds",
        &own,
    );
    assert!(now.unwrap() > since, "{page}");
    // Made again from the same image, it has had it since before.
    engine.docker(&["rm", "-f", "talks"]);
    let id = engine.run("talks", &[], "sleep 1000");
    watch
        .container("talks", |container| {
            container.id == id && container.pid.is_some()
        })
        .await;
    let page = watch.containers.page().await;
    let later = value(
        &page,
        "belfry_container_image_since_timestamp_seconds",
        &own,
    );
    // The engine tells the moment to the second in one place and finer in the other.
    assert_eq!(later.map(f64::trunc), now.map(f64::trunc), "{page}");
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_as_a_whole_has_rows_as_well() {
    let engine = Engine::start();
    let watch = Watch::start(&engine.socket(), Config::default());
    // A page whose reader of control groups was late lacks what they tell.
    let page = page_with(&watch, |page| {
        value(page, "belfry_engine_up", &[]) == Some(1.0)
            && value(page, "container_memory_usage_bytes", &["{id=\"/\""]).is_some()
    })
    .await;
    for family in [
        "container_cpu_usage_seconds_total",
        "container_memory_usage_bytes",
        "container_memory_working_set_bytes",
    ] {
        let all = value(&page, family, &["{id=\"/\""]);
        assert!(all.is_some_and(|value| value > 0.0), "{family} in\n{page}");
    }
    assert_eq!(value(&page, "container_health_state", &["id=\"/\""]), None);
    watch.stop().await;
}
