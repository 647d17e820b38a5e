//! Belfry in a container that has its host's folders mounted, and a network of its own.

use std::process::Command;

use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::http;
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

/// The program's loader, and the folder of its libraries; the image has none of its own.
fn loader(binary: &str) -> (String, String) {
    let all = program::run(Command::new("ldd").arg(binary));
    let path = |name: &str| {
        let mut words = all.split_ascii_whitespace();
        let found = words.find(|word| word.starts_with('/') && word.contains(name));
        let found = found.expect("ldd names it");
        // Links to it may lead elsewhere in a container.
        let real = std::fs::canonicalize(found).expect("it is there");
        real.to_str().expect("a name in UTF-8").to_owned()
    };
    let (loader, library) = (path("/ld-linux"), path("/libc.so"));
    let folder = library.rsplit_once('/').expect("a folder").0;
    (loader, folder.to_owned())
}

#[test]
fn in_a_container_the_host_is_told_of_by_its_mounted_folders() {
    let engine = Engine::start();
    engine.create_network("apps");
    let scratch = Scratch::new();
    let config = scratch.file(
        "belfry.yml",
        "listen: 0.0.0.0:9911\nexporter: {host: {procfs: /host/proc, sysfs: /host/sys, rootfs: /host}}\n",
    );
    let binary = env!("CARGO_BIN_EXE_belfry");
    let (loader, libraries) = loader(binary);
    engine.run(
        &Container::named("watch")
            .network("apps")
            .option("--volume", "/:/host:ro")
            .script(&format!(
                "exec /host{loader} --library-path /host{libraries} /host{binary} exporter --only host --config /host{}",
                config.display()
            )),
    );
    let address = format!("{}:9911", engine.address("watch", "apps"));
    let bridge = engine.docker(&["network", "inspect", "apps", "--format", "{{.Id}}"]);
    let page = poll::until("the host should be told of", || {
        let page = http::get(&address, "/metrics/host").ok()?.body;
        page.contains("node_filesystem_size_bytes{").then_some(page)
    });
    // What the host has and the container does not.
    let bridge = format!("device=\"br-{}\"", &bridge[..12]);
    for family in ["node_network_receive_bytes_total", "node_network_mtu_bytes"] {
        let series = format!("\n{family}{{{bridge}}} ");
        assert!(page.contains(&series), "{series} in\n{page}");
    }
    let value = |series: &str| -> Option<f64> {
        let line = page.lines().find(|line| line.starts_with(series))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    let mounted = |line: &&str| {
        line.starts_with("node_filesystem_avail_bytes{") && line.contains("mountpoint=\"/\"}")
    };
    assert_eq!(page.lines().filter(mounted).count(), 1, "{page}");
    assert!(!page.contains("mountpoint=\"/host"), "{page}");
    // The engine alone has more processes than the container.
    assert!(value("node_processes_pids ") > Some(5.0), "{page}");
    assert!(value("node_sockstat_sockets_used ") > Some(0.0), "{page}");
    // What the kernel's log, systemd and others do not let us see is no fault.
    let failed = page
        .lines()
        .filter(|line| line.starts_with("belfry_host_collector_failed{") && !line.ends_with(" 0"));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<&str>::new());
}
