//! Beside the real `docker-compose`: what it makes of a set of files is what we
//! make of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use compose::{Project, Source, load};

fn read(path: &Path) -> std::io::Result<String> {
    settings::read_file(path, 1 << 20)
}

/// Reads a project both ways: with our eyes, and what the peer resolved.
fn both(files: &[(&str, &str)], named: &[&str], profiles: &[&str]) -> (Project, Project) {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    for (name, text) in files {
        let path = shop.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut peer = Command::new("docker-compose");
    peer.current_dir(&shop).env_remove("COMPOSE_PROFILES");
    for name in named {
        peer.args(["-f", name]);
    }
    for profile in profiles {
        peer.args(["--profile", profile]);
    }
    let done = peer.arg("config").output().unwrap_or_else(|err| {
        panic!("this test needs docker-compose: apt-get install -y docker-compose ({err})")
    });
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let source = |files: Vec<PathBuf>| Source {
        files,
        folder: shop.clone(),
        profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
        ..Source::default()
    };
    let ours = load(&source(named.iter().map(PathBuf::from).collect()), &read).unwrap();
    let resolved = shop.join("resolved.yaml");
    fs::write(&resolved, &done.stdout).unwrap();
    let theirs = load(&source(vec![resolved]), &read).unwrap();
    (ours, theirs)
}

/// What of a project both tell: services that are there without other profiles.
fn told(project: &Project) -> String {
    let services = project.services.iter().filter(|(_, one)| one.enabled);
    let services: Vec<_> = services
        .map(|(name, one)| {
            let depends: Vec<_> = one.depends_on.iter().collect();
            format!(
                "{name}: image={} wanted={} networks={:?} volumes={:?} depends={depends:?}",
                one.image,
                one.wanted(),
                one.networks,
                one.volumes
            )
        })
        .collect();
    let used = |all: &std::collections::BTreeMap<String, compose::Resource>| {
        let used = all.iter().filter(|(_, one)| one.needed);
        used.map(|(key, one)| format!("{key}={} {}", one.name, one.external))
            .collect::<Vec<_>>()
    };
    format!(
        "{}\nnetworks {:?}\nvolumes {:?}\n",
        services.join("\n"),
        used(&project.networks),
        used(&project.volumes)
    )
}

const BASE: &str = "\
x-common: &common
  restart: always
  networks: [back]
services:
  db:
    <<: *common
    image: postgres:${PG_VERSION:-15}
    volumes:
      - data:/var/lib/postgresql
      - ./conf:/etc/conf:ro
      - type: volume
        source: wal
        target: /wal
    environment:
      PASSWORD: ${DB_PASSWORD}
  api:
    <<: *common
    image: ${REGISTRY}/api:${TAG-latest}
    command: [serve, --price, '$$5']
    depends_on: [db]
    deploy: {replicas: 2}
  worker:
    extends: base
    command: work
    depends_on: {db: {condition: service_started}, migrate: {condition: service_completed_successfully}}
  base:
    <<: *common
    image: ${REGISTRY}/base:${TAG-latest}
    deploy: {replicas: 4}
  migrate:
    image: ${REGISTRY}/api:${TAG:-pinned}
    networks: {back: {aliases: [m]}, front: }
  shell:
    image: busybox
    profiles: [debug]
  proxy:
    image: caddy:2
    network_mode: host
  lonely:
    image: busybox
networks:
  back:
  front: {external: true}
volumes:
  data: {name: shop-data}
  wal:
  unused:
";

const ENV: &str = "REGISTRY=registry.test # ours\nTAG=\"1.4\"\nexport DB_PASSWORD='p$w'\n";

#[test]
fn one_file_with_anchors_variables_and_profiles_is_read_as_the_peer_does() {
    for profiles in [&[][..], &["debug"]] {
        let (ours, theirs) = both(&[("c.yml", BASE), (".env", ENV)], &["c.yml"], profiles);
        assert_eq!(told(&ours), told(&theirs));
        assert_eq!(ours.services["shell"].enabled, !profiles.is_empty());
        assert_eq!(ours.services["api"].image, "registry.test/api:1.4");
    }
}

#[test]
fn overrides_are_laid_over_as_the_peer_does() {
    let over = "\
services:
  db:
    image: postgres:16
    volumes: ['other:/var/lib/postgresql', 'more:/more']
  api:
    networks: [front]
    deploy: {replicas: 5}
    depends_on: [cache]
  cache: {image: 'redis:7', networks: {back: {}}}
  lonely: {network_mode: none}
volumes: {other: {}, more: {external: true, name: of-others}}
";
    let last = "services: {cache: {image: 'redis:8', scale: 3}}\n";
    let files = [
        ("c.yml", BASE),
        ("over.yml", over),
        ("last.yml", last),
        (".env", ENV),
    ];
    let (ours, theirs) = both(&files, &["c.yml", "over.yml", "last.yml"], &[]);
    assert_eq!(told(&ours), told(&theirs));
    assert_eq!(ours.services["api"].wanted(), 5);
    assert_eq!(ours.services["cache"].image, "redis:8");
    assert!(!ours.services["db"].volumes.contains(&"data".to_owned()));
}

#[test]
fn services_extended_from_other_files_are_as_the_peers() {
    let main = "\
services:
  web:
    extends: {file: lib/base.yml, service: python}
    image: web:2
    volumes: ['own:/own', 'mine:/cache']
  job: {extends: {service: web}, scale: 2}
volumes: {own: {}, mine: {}, cache: {}}
networks: {n: {}}
";
    let base = "\
services:
  python: {extends: {service: os}, volumes: ['cache:/cache'], networks: [n]}
  os: {image: 'debian:12', scale: 3}
";
    let files = [("main.yml", main), ("lib/base.yml", base)];
    let (ours, theirs) = both(&files, &["main.yml"], &[]);
    assert_eq!(told(&ours), told(&theirs));
    assert_eq!(ours.services["web"].wanted(), 3);
    assert_eq!(ours.services["web"].volumes, ["mine", "own"]);
}
