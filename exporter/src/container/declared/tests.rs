//! Projects on a disk, and containers that say where.

use std::fs;

use super::*;
use crate::container::Network;
use crate::container::config::Project as Named;
use crate::container::declared_page::{encode, services};
use crate::container::resources::{Listed, Names};

fn container(name: &str, project: &str, service: &str, files: &str) -> Arc<Container> {
    let mut container = Container::new(format!("{name:0>64}"));
    container.name = name.to_owned();
    container.project = project.to_owned();
    container.service = service.to_owned();
    container.project_folder = format!("/srv/{project}");
    container.project_files = files.to_owned();
    Arc::new(container)
}

/// Reads everything once, as a round does; whether anything is otherwise than before.
async fn round(declared: &Declared, sources: BTreeMap<String, Source>, root: &Path) -> bool {
    let known = declared.known();
    let list: Vec<_> = sources.clone().into_iter().collect();
    let root = root.to_owned();
    let names = sources.keys().cloned().collect();
    let work = move |at: usize| {
        let (name, source) = &list[at];
        one(source, &known.get(name).cloned().unwrap_or_default(), &root)
    };
    // A machine that is busy with other tests is no file that hangs.
    let outcomes = declared.crew.run(names, PATIENCE * 30, work).await;
    declared.put(sources, outcomes)
}

fn page(
    declared: &Declared,
    except: &[String],
    containers: &[Arc<Container>],
    names: &Names,
) -> String {
    let mut page = exposition::Writer::new();
    encode(&declared.known(), except, containers, names, &mut page);
    page.finish()
}

fn has(page: &str, line: &str) {
    assert!(page.contains(&format!("{line}\n")), "no {line} in\n{page}");
}

#[test]
fn files_are_found_by_labels_and_by_the_configuration() {
    let old = Container {
        created_ms: 5,
        ..Container::clone(&container("old", "shop", "db", "/srv/shop/old.yml"))
    };
    let new = Container {
        created_ms: 6,
        project_variables: "/etc/shop.env".into(),
        ..Container::clone(&container(
            "new",
            "shop",
            "api",
            "/srv/shop/a.yml,/srv/shop/b.yml",
        ))
    };
    let bare = container("bare", "bare", "x", "");
    let mut config = Compose::default();
    config.profiles.push("all".into());
    let said = Named {
        files: vec!["/opt/jobs/jobs.yml".into()],
        profiles: vec!["night".into()],
        ..Named::default()
    };
    config.projects.insert("jobs".into(), said);
    let found = sources(&[Arc::new(old), Arc::new(new), bare], &config);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["jobs", "shop"]);
    let shop = &found["shop"];
    assert_eq!(
        shop.files,
        ["/srv/shop/a.yml", "/srv/shop/b.yml"].map(PathBuf::from)
    );
    assert_eq!(shop.variables, [PathBuf::from("/etc/shop.env")]);
    let jobs = &found["jobs"];
    assert_eq!(jobs.folder, PathBuf::from("/opt/jobs"));
    assert_eq!(jobs.profiles, ["all", "night"]);
}

#[tokio::test]
async fn what_is_declared_and_missing_and_what_is_there_undeclared_are_told() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("srv/shop");
    fs::create_dir_all(&folder).unwrap();
    let text = "services:\n  api: {image: a, scale: 2, networks: [n], depends_on: {migrate: {condition: service_completed_successfully}}}\n  \
                db: {image: b, volumes: ['data:/d']}\n  migrate: {image: a}\n  shell: {profiles: [debug]}\n  cron: {image: c}\n\
                networks: {n: {}}\nvolumes: {data: {}}\n";
    fs::write(folder.join("c.yml"), text).unwrap();
    let files = "/srv/shop/c.yml";
    let mut one_off = Container::clone(&container("shop_db_run_1", "shop", "db", files));
    one_off
        .all_labels
        .insert("com.docker.compose.oneoff".into(), "True".into());
    let containers = [
        container("shop-api-1", "shop", "api", files),
        container("shop-worker-1", "shop", "worker", files),
        Arc::new(one_off),
        container("stranger", "", "", ""),
    ];
    let declared = Declared::default();
    let found = sources(&containers, &Compose::default());
    assert!(round(&declared, found.clone(), root.path()).await);
    // Nobody is told when nothing is new.
    assert!(!round(&declared, found.clone(), root.path()).await);
    let names = Names {
        networks: Listed::of(BTreeMap::from([("shop_n".to_owned(), Network::default())])),
        volumes: Listed::of(BTreeSet::new()),
        ..Names::default()
    };
    let except = ["shop.cron".to_owned()];
    let told = page(&declared, &except, &containers, &names);
    let of = |family: &str, service: &str, value: u8| {
        has(
            &told,
            &format!("{family}{{project=\"shop\",service=\"{service}\"}} {value}"),
        );
    };
    has(&told, "belfry_compose_read_success{project=\"shop\"} 1");
    of("belfry_compose_service_wanted", "api", 2);
    of("belfry_compose_service_containers", "api", 1);
    of("belfry_compose_service_missing", "api", 0);
    of("belfry_compose_service_missing", "db", 1);
    // It ends when its work is done, and may be cleared away.
    of("belfry_compose_service_wanted", "migrate", 0);
    of("belfry_compose_service_missing", "migrate", 0);
    of("belfry_compose_service_missing", "shell", 0);
    of("belfry_compose_service_missing", "cron", 0);
    has(
        &told,
        "belfry_compose_service_profile_info{profile=\"debug\",project=\"shop\",service=\"shell\"} 1",
    );
    has(
        &told,
        "belfry_compose_network_missing{network=\"shop_n\",project=\"shop\"} 0",
    );
    has(
        &told,
        "belfry_compose_volume_missing{volume=\"shop_data\",project=\"shop\"} 1",
    );
    has(
        &told,
        "belfry_compose_container_undeclared{name=\"shop-worker-1\",project=\"shop\",service=\"worker\"} 1",
    );
    assert_eq!(
        told.matches("belfry_compose_container_undeclared{").count(),
        1
    );
    // Before the engine has listed them, no network or volume is missing.
    let early = page(&declared, &except, &containers, &Names::default());
    assert!(!early.contains("belfry_compose_network_missing"));
    let all = services(&declared.known(), &[]);
    let cron = all.iter().find(|one| one.service == "cron").unwrap();
    assert_eq!(cron.wanted, 1);

    // A changed file counts in the next round; a broken one leaves what was.
    fs::write(
        folder.join("c.yml"),
        "services: {api: {image: a}, worker: {image: b}}",
    )
    .unwrap();
    round(&declared, found.clone(), root.path()).await;
    let told = page(&declared, &except, &containers, &names);
    assert!(
        !told.contains("service=\"db\"") && !told.contains("container_undeclared{"),
        "{told}"
    );
    fs::write(folder.join("c.yml"), "services: [").unwrap();
    assert!(round(&declared, found.clone(), root.path()).await);
    assert!(!round(&declared, found.clone(), root.path()).await);
    let told = page(&declared, &except, &containers, &names);
    has(&told, "belfry_compose_read_success{project=\"shop\"} 0");
    has(
        &told,
        "belfry_compose_service_missing{project=\"shop\",service=\"api\"} 0",
    );
    assert!(
        declared.known()["shop"]
            .trouble
            .as_ref()
            .unwrap()
            .contains("/srv/shop/c.yml:")
    );
    fs::write(folder.join("c.yml"), "services: {}").unwrap();
    assert!(round(&declared, found, root.path()).await);
    has(
        &page(&declared, &except, &containers, &names),
        "belfry_compose_read_success{project=\"shop\"} 1",
    );
    // A project whose containers are all gone was taken down.
    assert!(round(&declared, BTreeMap::new(), root.path()).await);
    assert_eq!(page(&declared, &except, &containers, &names), "");
}

#[tokio::test]
async fn hostile_files_are_told_and_do_no_harm() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("srv/bad");
    fs::create_dir_all(folder.join("folder.yml")).unwrap();
    fs::write(folder.join("long.yml"), "#".repeat(2 << 20)).unwrap();
    fs::write(folder.join("bytes.yml"), [0xff, 0xfe, 0x00]).unwrap();
    let mut bomb = "x0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..12 {
        let before = format!("*a{}, ", at - 1).repeat(10);
        bomb.push_str(&format!("x{at}: &a{at} [{before}]\n"));
    }
    fs::write(folder.join("bomb.yml"), bomb).unwrap();
    let fifo = folder.join("fifo.yml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    for (file, why) in [
        ("folder.yml", "it is a folder"),
        ("long.yml", "it is larger than"),
        ("bytes.yml", "it is not UTF-8"),
        ("bomb.yml", "too large"),
        ("fifo.yml", "it is a FIFO"),
        ("none.yml", "cannot read /srv/bad/none.yml"),
    ] {
        let declared = Declared::default();
        let containers = [container(
            "bad-x-1",
            "bad",
            "x",
            &format!("/srv/bad/{file}"),
        )];
        round(
            &declared,
            sources(&containers, &Compose::default()),
            root.path(),
        )
        .await;
        let known = declared.known();
        let told = known["bad"].trouble.as_deref().unwrap_or_default();
        assert!(told.contains(why), "{file}: {told}");
        let page = page(&declared, &[], &containers, &Names::default());
        has(&page, "belfry_compose_read_success{project=\"bad\"} 0");
        assert!(!page.contains("container_undeclared{"));
    }
}
