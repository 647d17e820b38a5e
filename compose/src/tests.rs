//! Whole projects from files, and hostile ones.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// Files by path, as if they were on a disk.
fn disk(files: &[(&str, &str)]) -> impl Fn(&Path) -> io::Result<String> + use<> {
    let files: BTreeMap<PathBuf, String> = files
        .iter()
        .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
        .collect();
    move |path| {
        let found = files.get(path).cloned();
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

fn source(files: &[&str]) -> Source {
    Source {
        files: files.iter().map(PathBuf::from).collect(),
        folder: PathBuf::from("/srv/shop"),
        ..Source::default()
    }
}

fn project(files: &[(&str, &str)]) -> Project {
    load(&source(&["compose.yaml"]), &disk(files)).unwrap()
}

#[test]
fn services_networks_and_volumes_have_the_engines_names() {
    let project = project(&[
        ("/srv/shop/.env", "TAG=1.2\nDATA=pg\n"),
        (
            "/srv/shop/compose.yaml",
            "services:\n  db:\n    image: postgres:${TAG}\n    volumes: ['data:/var/lib', './x:/x', '/y:/y', '/anonymous']\n    \
             environment: {POSTGRES_PASSWORD: hunter2}\n    networks: [back]\n  api:\n    build: .\n    scale: 3\n    \
             depends_on: {db: {condition: service_healthy}}\n    networks: {back: , front: {aliases: [a]}}\n  \
             box: {image: 'b:1', network_mode: host, volumes: [{type: volume, source: logs, target: /l}]}\n\
             networks: {back: , front: {external: true}, unused: {}}\nvolumes: {data: {name: '${DATA}-data'}, logs: {}}\n",
        ),
    ]);
    assert_eq!(project.name, "shop");
    assert!(!format!("{project:?}").contains("hunter2"));
    let db = &project.services["db"];
    assert_eq!((&*db.image, db.wanted()), ("postgres:1.2", 1));
    assert_eq!(db.volumes, ["data"]);
    let api = &project.services["api"];
    assert_eq!((api.wanted(), &*api.image), (3, ""));
    assert_eq!(api.depends_on["db"], Condition::Healthy);
    assert_eq!(api.networks, ["back", "front"]);
    assert_eq!(project.services["box"].networks, Vec::<String>::new());
    let names = |of: &BTreeMap<String, Resource>| {
        let all = of.iter();
        all.map(|(key, one)| (key.clone(), one.name.clone(), one.external, one.needed))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&project.networks),
        [
            ("back".into(), "shop_back".into(), false, true),
            ("front".into(), "front".into(), true, true),
            ("unused".into(), "shop_unused".into(), false, false),
        ]
    );
    assert_eq!(
        names(&project.volumes),
        [
            ("data".into(), "pg-data".into(), false, true),
            ("logs".into(), "shop_logs".into(), false, true),
        ]
    );
}

#[test]
fn later_files_lie_over_earlier_ones() {
    let files = disk(&[
        (
            "/srv/shop/a.yaml",
            "services:\n  one: {image: 'a:1', networks: [x], volumes: ['v:/p', 'w:/q'], profiles: [old]}\n  \
             two: {image: 'b:1', deploy: {replicas: 2}}\n  three: {image: c}\n\
             volumes: {v: {}, w: {}, u: {}}\nnetworks: {x: {}, y: {}}\n",
        ),
        (
            "/srv/shop/b.yaml",
            "services:\n  one:\n    image: a:2\n    networks: {y: {}}\n    volumes: ['u:/p']\n    profiles: !reset []\n  \
             two: {deploy: {replicas: 0}}\n  three: !override {image: 'd', scale: 2}\n  four: {image: e}\n",
        ),
    ]);
    let project = load(&source(&["a.yaml", "b.yaml"]), &files).unwrap();
    let one = &project.services["one"];
    assert_eq!((&*one.image, one.enabled), ("a:2", true));
    assert_eq!(one.networks, ["x", "y"]);
    assert_eq!(one.volumes, ["u", "w"]);
    assert_eq!(project.services["two"].wanted(), 0);
    let three = &project.services["three"];
    assert_eq!((&*three.image, three.wanted()), ("d", 2));
    assert_eq!(project.services.len(), 4);
    let read = [".env", "a.yaml", "b.yaml"].map(|name| Path::new("/srv/shop").join(name));
    assert_eq!(project.files, read);
}

#[test]
fn profiles_come_from_the_caller_and_from_the_variables() {
    let text = "services: {a: {profiles: [debug]}, b: {profiles: [tools, jobs]}, c: {profiles: []}, d: {}}\n";
    let enabled = |variables: &str, active: &[&str]| {
        let files = disk(&[("/srv/shop/.env", variables), ("/srv/shop/c.yaml", text)]);
        let source = Source {
            profiles: active.iter().map(|name| (*name).to_owned()).collect(),
            ..source(&["c.yaml"])
        };
        let project = load(&source, &files).unwrap();
        let all = project.services.into_iter();
        all.filter(|(_, one)| one.enabled)
            .map(|(name, _)| name)
            .collect::<String>()
    };
    assert_eq!(enabled("", &[]), "cd");
    assert_eq!(enabled("COMPOSE_PROFILES=jobs, debug\n", &[]), "abcd");
    assert_eq!(enabled("", &["debug"]), "acd");
    assert_eq!(enabled("", &["*"]), "abcd");
}

#[test]
fn services_extend_others_here_and_in_other_files() {
    let project = project(&[
        (
            "/srv/shop/compose.yaml",
            "services:\n  api: {extends: {file: base/common.yaml, service: web}, image: 'api:2', volumes: ['own:/o']}\n  \
             worker: {extends: api, profiles: [w]}\nvolumes: {own: {}, shared: {}}\n",
        ),
        (
            "/srv/shop/base/common.yaml",
            "services:\n  web: {extends: root, volumes: ['shared:/s'], networks: [n]}\n  root: {image: 'root:1', scale: 2}\n",
        ),
    ]);
    let api = &project.services["api"];
    assert_eq!((&*api.image, api.wanted()), ("api:2", 2));
    assert_eq!(api.volumes, ["own", "shared"]);
    assert_eq!(api.networks, ["n"]);
    let worker = &project.services["worker"];
    assert_eq!((&*worker.image, worker.wanted()), ("api:2", 0));
    assert!(project.files.contains(&"/srv/shop/base/common.yaml".into()));
}

#[test]
fn included_projects_belong_to_the_whole() {
    let project = project(&[
        ("/srv/shop/.env", "TAG=outer\n"),
        (
            "/srv/shop/compose.yaml",
            "name: Shop-1\ninclude:\n  - db/compose.yaml\n  - path: [q/a.yaml, q/b.yaml]\n    env_file: q/vars\n\
             services: {api: {image: 'api:$TAG'}}\n",
        ),
        ("/srv/shop/db/.env", "TAG=inner\nONLY=there\n"),
        (
            "/srv/shop/db/compose.yaml",
            "services: {db: {image: 'db:$TAG-$ONLY', volumes: ['data:/d']}}\nvolumes: {data: {}}\n",
        ),
        ("/srv/shop/q/vars", "N=4\n"),
        (
            "/srv/shop/q/a.yaml",
            "services: {queue: {image: q, scale: $N}}\n",
        ),
        ("/srv/shop/q/b.yaml", "services: {queue: {image: 'q:2'}}\n"),
    ]);
    assert_eq!(project.name, "shop-1");
    let image = |name: &str| &*project.services[name].image;
    assert_eq!(image("api"), "api:outer");
    assert_eq!(image("db"), "db:outer-there");
    assert_eq!(image("queue"), "q:2");
    assert_eq!(project.services["queue"].wanted(), 4);
    assert_eq!(project.volumes["data"].name, "shop-1_data");
}

#[test]
fn a_file_that_is_included_twice_has_the_variables_of_each_inclusion() {
    let project = project(&[
        (
            "/srv/shop/compose.yaml",
            "include:\n  - {path: x.yaml, env_file: one}\n  - {path: x.yaml, env_file: two}\n",
        ),
        ("/srv/shop/one", "TAG=1\n"),
        ("/srv/shop/two", "TAG=2\n"),
        ("/srv/shop/x.yaml", "services: {x: {image: 'x:$TAG'}}\n"),
    ]);
    assert_eq!(&*project.services["x"].image, "x:2");
}

#[test]
fn the_usual_files_of_a_folder_are_found() {
    let found = |files: &[(&str, &str)]| {
        let found = usual_files(Path::new("/p"), &disk(files));
        found
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(&[]), Vec::<String>::new());
    assert_eq!(
        found(&[
            ("/p/docker-compose.yml", ""),
            ("/p/docker-compose.override.yml", "")
        ]),
        ["/p/docker-compose.yml", "/p/docker-compose.override.yml"]
    );
    assert_eq!(
        found(&[("/p/compose.yaml", ""), ("/p/docker-compose.yml", "")]),
        ["/p/compose.yaml"]
    );
    assert_eq!(
        found(&[
            ("/p/.env", "COMPOSE_FILE=a.yml:/etc/b.yml\n"),
            ("/p/compose.yaml", "")
        ]),
        ["/p/a.yml", "/etc/b.yml"]
    );
}

#[test]
fn a_variable_that_only_the_shell_had_hides_a_name_and_no_service() {
    let project = project(&[(
        "/srv/shop/compose.yaml",
        "services: {a: {image: '${IMAGE:?set it}', scale: '${N:?}', volumes: ['d:/d']}}\nvolumes: {d: {name: '${D:?}'}}\n",
    )]);
    assert_eq!(
        (
            &*project.services["a"].image,
            project.services["a"].wanted()
        ),
        ("", 1)
    );
    assert_eq!(project.volumes["d"].name, "");
}

#[test]
fn what_cannot_be_read_says_which_file_and_where() {
    let told = |files: &[(&str, &str)]| {
        load(&source(&["compose.yaml"]), &disk(files))
            .unwrap_err()
            .to_string()
    };
    assert!(told(&[]).starts_with("cannot read /srv/shop/compose.yaml: "));
    let at = "/srv/shop/compose.yaml";
    assert!(told(&[(at, "services: [\n")]).starts_with("/srv/shop/compose.yaml:2:1: "));
    assert!(told(&[(at, "- a\n")]).contains("a mapping is wanted here, found a list"));
    let missing = "services: {a: {extends: {file: b.yaml, service: b}}}";
    assert!(told(&[(at, missing)]).starts_with("cannot read /srv/shop/b.yaml"));
    let nobody = "services: {a: {extends: nobody}}";
    assert!(told(&[(at, nobody)]).contains("the service \"nobody\" extends one that is not there"));
}

#[test]
fn circles_and_bombs_end_with_an_error() {
    let refused = |text: &str| {
        let files = disk(&[("/srv/shop/compose.yaml", text)]);
        let begun = std::time::Instant::now();
        let told = load(&source(&["compose.yaml"]), &files);
        // Not a measure of speed: without bounds it would go on for ever.
        assert!(begun.elapsed().as_secs() < 60);
        assert!(told.is_err(), "{text:.80}");
    };
    refused("services: {a: {extends: b}, b: {extends: a}}");
    refused("services: {a: {extends: {file: compose.yaml, service: a}}}");
    refused("include: [compose.yaml, compose.yaml, compose.yaml]\nservices: {a: {}}");
    refused(&format!("include: [{}]", "compose.yaml, ".repeat(100)));
    let mut bomb = "x0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..12 {
        let before = format!("*a{}, ", at - 1).repeat(10);
        bomb.push_str(&format!("x{at}: &a{at} [{before}]\n"));
    }
    refused(&bomb);
    refused(&format!("services: {}", "{a: ".repeat(5000)));
    // Each extends a heavy one.
    let heavy = "p, ".repeat(10_000);
    let mut many = format!("services:\n  a: {{profiles: [{heavy}]}}\n");
    for at in 0..500 {
        many.push_str(&format!("  b{at}: {{extends: a}}\n"));
    }
    refused(&many);
}

#[test]
fn more_services_than_anybody_has_are_left_out() {
    let mut text = "services:\n".to_owned();
    for at in 0..3000 {
        text.push_str(&format!("  s{at}{}: {{image: x}}\n", "y".repeat(500)));
    }
    let project = project(&[("/srv/shop/compose.yaml", &text)]);
    assert_eq!(project.services.len(), 1000);
    assert!(project.services.keys().all(|name| name.len() <= 256));
}

proptest! {
    #[test]
    fn no_text_does_any_harm(text in "(?s).{0,200}", variables in "(?s).{0,100}") {
        let files = disk(&[("/srv/shop/compose.yaml", &text), ("/srv/shop/.env", &variables)]);
        let _ = load(&source(&["compose.yaml"]), &files);
        let _ = usual_files(Path::new("/srv/shop"), &files);
    }

    #[test]
    fn pieces_of_compose_files_do_no_harm(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "services:", "\n  a:", "\n    image: ${X:-y}", "\n    extends: a", "\n    profiles: [x]",
                "\n    networks: {n: }", "\n    volumes: ['v:/v']", "\n    depends_on: [b]", "\n    scale: 99999999999999999999",
                "\ninclude: compose.yaml", "\nvolumes: {v: {external: {name: z}}}", " !reset", " !override [a]", "\nname: x", " &q", " *q",
            ]),
            0..14,
        )
    ) {
        let files = disk(&[("/srv/shop/compose.yaml", &pieces.concat())]);
        let _ = load(&source(&["compose.yaml"]), &files);
    }
}

#[test]
fn of_labels_only_ours_is_kept_in_either_form_and_a_later_file_decides() {
    let files = [
        (
            "/srv/shop/compose.yaml",
            "services:\n  api:\n    container_name: the-api\n    ports: ['8000:80']\n    labels:\n      - secret=hunter2\n      - belfry.probe=http_2xx :80/${WHERE:-health}\n  \
             web: {labels: {traefik.auth: hunter2, belfry.probe: ':80/'}}\n  db: {labels: {secret: hunter2}}\n",
        ),
        (
            "/srv/shop/over.yaml",
            "services:\n  web: {labels: ['belfry.probe=tcp_connect :80'], ports: ['127.0.0.1:8080:80']}\n  api: {ports: ['8443:443']}\n",
        ),
    ];
    let project = load(&source(&["compose.yaml", "over.yaml"]), &disk(&files)).unwrap();
    assert!(!format!("{project:?}").contains("hunter2"));
    let probe = |name: &str| &*project.services[name].probe;
    assert_eq!(
        (probe("api"), probe("web"), probe("db")),
        ("http_2xx :80/health", "tcp_connect :80", "")
    );
    let api = &project.services["api"];
    assert_eq!(api.container_name, "the-api");
    let ports: Vec<_> = api.ports.iter().map(|port| port.published).collect();
    assert_eq!(ports, [8000, 8443]);
}
