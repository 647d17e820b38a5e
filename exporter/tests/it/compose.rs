//! A project of the real `docker-compose` on a real engine: what its files
//! declare, and what of it is missing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use exporter::container::{Compose, Config};

use crate::engine::{Engine, IMAGE};
use crate::watch::{Watch, page_with, value};

fn docker_compose(engine: &Engine, folder: &Path, arguments: &[&str]) {
    let done = Command::new("docker-compose")
        .current_dir(folder)
        .env(
            "DOCKER_HOST",
            format!("unix://{}", engine.socket().display()),
        )
        .args(arguments)
        .output()
        .unwrap_or_else(|err| {
            panic!("this test needs docker-compose: apt-get install -y docker-compose ({err})")
        });
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "docker-compose {arguments:?}: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_removed_is_declared_and_missing() {
    let engine = Engine::start();
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    fs::create_dir(&shop).unwrap();
    let sleeps = "command: [/bin/sh, -c, 'sleep 1000'], network_mode: none, stop_grace_period: 0s";
    let base = format!(
        "services:\n  api: {{image: '{IMAGE}', {sleeps}, scale: 2}}\n  db: {{image: '{IMAGE}', {sleeps}, volumes: ['data:/d']}}\n  \
         shell: {{image: '{IMAGE}', {sleeps}, profiles: [debug]}}\nvolumes: {{data: {{name: '${{PREFIX}}-data'}}}}\n"
    );
    fs::write(shop.join("docker-compose.yml"), base).unwrap();
    let over = format!("services: {{worker: {{image: '{IMAGE}', {sleeps}}}}}\n");
    fs::write(shop.join("docker-compose.override.yml"), over).unwrap();
    fs::write(shop.join(".env"), "PREFIX=mine\n").unwrap();
    docker_compose(&engine, &shop, &["up", "-d"]);
    let config = Config {
        relist: Duration::from_millis(500),
        compose: Compose {
            interval: Duration::from_secs(1),
            ..Compose::default()
        },
        ..Config::default()
    };
    let watch = Watch::start(&engine.socket(), config);
    let of = |page: &str, family: &str, service: &str| {
        let labels = ["project=\"shop\"", &format!("service=\"{service}\"")];
        value(page, &format!("belfry_compose_service_{family}"), &labels)
    };
    let volume = |page: &str| {
        value(
            page,
            "belfry_compose_volume_missing",
            &["volume=\"mine-data\""],
        )
    };
    let page = page_with(&watch, |page| {
        of(page, "containers", "api") == Some(2.0)
            && of(page, "containers", "worker") == Some(1.0)
            && volume(page) == Some(0.0)
    })
    .await;
    for (service, wanted) in [("api", 2.0), ("db", 1.0), ("worker", 1.0), ("shell", 0.0)] {
        assert_eq!(
            of(&page, "wanted", service),
            Some(wanted),
            "{service} in\n{page}"
        );
        assert_eq!(
            of(&page, "missing", service),
            Some(0.0),
            "{service} in\n{page}"
        );
    }

    docker_compose(&engine, &shop, &["rm", "-s", "-f", "db"]);
    engine.docker(&["volume", "rm", "mine-data"]);
    let page = page_with(&watch, |page| {
        of(page, "missing", "db") == Some(1.0) && volume(page) == Some(1.0)
    })
    .await;
    assert_eq!(of(&page, "missing", "api"), Some(0.0));

    // Taken out of the files, the worker is there and nobody declares it.
    fs::remove_file(shop.join("docker-compose.override.yml")).unwrap();
    fs::write(
        shop.join("docker-compose.override.yml"),
        "version: '3.9'\nservices: {}\n",
    )
    .unwrap();
    let undeclared = |page: &str| {
        value(
            page,
            "belfry_compose_container_undeclared",
            &["service=\"worker\""],
        )
    };
    page_with(&watch, |page| undeclared(page) == Some(1.0)).await;
    let declared = watch.containers.declared();
    let named = |name: &str| {
        declared
            .iter()
            .find(|one| one.service == name)
            .unwrap()
            .wanted
    };
    assert_eq!((named("api"), named("shell")), (2, 0));

    // Taken down whole, nothing of it is missed.
    docker_compose(&engine, &shop, &["down", "--remove-orphans"]);
    page_with(&watch, |page| !page.contains("belfry_compose_")).await;
    watch.stop().await;
}
