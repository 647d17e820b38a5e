use super::*;

const EVERY: Duration = Duration::from_secs(15);

fn job(text: &str) -> Job {
    settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap()
}

/// The urls and labels of what is found.
fn told(scrapes: &Scrapes) -> Vec<String> {
    scrapes
        .targets
        .iter()
        .map(|found| {
            let target = &found.target;
            format!(
                "{} {}/{} {:?}",
                found.url, target.job, target.instance, target.labels
            )
        })
        .collect()
}

#[test]
fn lists_of_targets_have_their_labels() {
    let job = job("
job_name: app
metrics_path: /m
static_configs:
- targets: ['a:1', 'b:2']
  labels: {zone: eu}
- targets: ['a:1']
");
    let found = Discovery::default().look(&[job], &[], EVERY, true);
    assert_eq!(
        told(&found),
        [
            r#"http://a:1/m app/a:1 {"zone": "eu"}"#,
            r#"http://b:2/m app/b:2 {"zone": "eu"}"#,
            "http://a:1/m app/a:1 {}",
        ]
    );
}

#[test]
fn files_are_read_again_when_they_change_and_never_lost_by_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    let job = job(&format!(
        "job: f\nfile_sd_configs: [{{files: ['{}/*.yml', '{}/c.json']}}]\nrelabel_configs: [{{source_labels: [__meta_filepath], regex: '.*/([^/]*)', target_label: file}}]",
        folder.path().display(),
        folder.path().display()
    ));
    let mut discovery = Discovery::default();
    let mut look = || {
        let found = discovery.look(std::slice::from_ref(&job), &[], EVERY, false);
        (told(&found), found.faults)
    };
    write("a.yml", "- targets: [a:1]\n  labels: {x: y}\n");
    let (found, faults) = look();
    assert_eq!(
        found,
        [r#"http://a:1/metrics f/a:1 {"file": "a.yml", "x": "y"}"#]
    );
    assert!(faults[0].contains("c.json: cannot be read"), "{faults:?}");

    write("c.json", r#"[{"targets": ["c:1"], "labels": {"x": "z"}}]"#);
    write("b.yml", "- targets: [b:1, b:2]\n");
    let (found, faults) = look();
    assert_eq!((found.len(), faults.len()), (4, 0));

    // Half of a file is no file: its targets stay.
    write("b.yml", "- targets: [b:1, b");
    write("a.yml", "- target: [a:7]\n");
    let (found, faults) = look();
    assert_eq!(found.len(), 4);
    assert!(
        faults[0].contains("a.yml:1:3: a group has no field \"target\""),
        "{faults:?}"
    );
    assert!(faults[1].contains("b.yml:"), "{faults:?}");
    // It is told as long as it lasts.
    assert_eq!(look().1.len(), 2);

    write("b.yml", "- targets: [b:3]\n");
    std::fs::remove_file(path("a.yml")).unwrap();
    let (found, faults) = look();
    assert_eq!((found.len(), faults.len()), (2, 0), "{found:?}");
}

fn containers() -> Vec<Container> {
    let network = |name: &str, address: &str| Network {
        name: name.into(),
        address: address.into(),
        facts: None,
    };
    let facts = NetworkFacts {
        id: "n1".into(),
        scope: "local".into(),
        internal: true,
        ingress: false,
        labels: BTreeMap::from([("com.docker.compose.network".into(), "web".into())]),
    };
    let web = Network {
        facts: Some(facts),
        ..network("web", "10.2.0.2")
    };
    vec![
        Container {
            id: "1a".into(),
            name: "shop-api-1".into(),
            service: "api".into(),
            labels: BTreeMap::from([("belfry.scrape".into(), "8000/m/x".into())]),
            network_mode: "shop".into(),
            networks: vec![web, network("back", "10.1.0.2")],
            ports: vec![
                Port {
                    private: 8000,
                    public: Some(("0.0.0.0".into(), 80)),
                },
                Port {
                    private: 9000,
                    public: None,
                },
            ],
        },
        Container {
            id: "2b".into(),
            name: "exporter".into(),
            labels: BTreeMap::from([("belfry.scrape".into(), "9100".into())]),
            network_mode: "host".into(),
            networks: vec![network("host", "")],
            ..Container::default()
        },
        Container {
            id: "3c".into(),
            name: "sidecar".into(),
            labels: BTreeMap::from([("belfry.scrape".into(), "x".into())]),
            network_mode: "container:1a".into(),
            ..Container::default()
        },
    ]
}

#[test]
fn a_container_asks_to_be_scraped_by_a_label() {
    let found = Discovery::default().look(&[], &containers(), EVERY, true);
    assert_eq!(
        told(&found),
        [
            r#"http://10.1.0.2:8000/m/x api/shop-api-1:8000 {"name": "shop-api-1"}"#,
            r#"http://127.0.0.1:9100/metrics exporter/exporter:9100 {"name": "exporter"}"#,
        ]
    );
    assert_eq!(found.faults, [""; 0]);
    let nobody = Discovery::default().look(&[], &containers(), EVERY, false);
    assert_eq!(nobody, Scrapes::default());
}

#[test]
fn containers_have_prometheus_labels_for_relabelling() {
    let job = job("
job_name: docker
docker_sd_configs: [{host: 'unix:///var/run/docker.sock', match_first_network: false, port: 81}]
relabel_configs:
- {action: labelmap, regex: __meta_docker_(.+), replacement: $1}
- {action: labeldrop, regex: container_label_belfry_.*|container_network_mode}
");
    let found = Discovery::default().look(&[job], &containers(), EVERY, false);
    let mut lines = told(&found);
    lines.sort();
    let name = r#""container_id": "1a", "container_name": "/shop-api-1""#;
    let web = r#""network_id": "n1", "network_ingress": "false", "network_internal": "true", "network_ip": "10.2.0.2", "network_label_com_docker_compose_network": "web", "network_name": "web", "network_scope": "local""#;
    let public = r#""port_public": "80", "port_public_ip": "0.0.0.0""#;
    assert_eq!(
        lines,
        [
            format!(r#"http://10.1.0.2:8000/metrics docker/10.1.0.2:8000 {{{name}, "network_ip": "10.1.0.2", "network_name": "back", "port_private": "8000", {public}}}"#),
            r#"http://10.1.0.2:81/metrics docker/10.1.0.2:81 {"container_id": "3c", "container_name": "/sidecar", "network_ip": "10.1.0.2", "network_name": "back"}"#.to_owned(),
            format!(r#"http://10.1.0.2:9000/metrics docker/10.1.0.2:9000 {{{name}, "network_ip": "10.1.0.2", "network_name": "back", "port_private": "9000"}}"#),
            format!(r#"http://10.2.0.2:8000/metrics docker/10.2.0.2:8000 {{{name}, {web}, "port_private": "8000", {public}}}"#),
            format!(r#"http://10.2.0.2:81/metrics docker/10.2.0.2:81 {{"container_id": "3c", "container_name": "/sidecar", {web}}}"#),
            format!(r#"http://10.2.0.2:9000/metrics docker/10.2.0.2:9000 {{{name}, {web}, "port_private": "9000"}}"#),
            r#"http://localhost/metrics docker/localhost {"container_id": "2b", "container_name": "/exporter", "network_name": "host"}"#.to_owned(),
        ]
    );
}

#[test]
fn only_the_first_network_counts_unless_all_do() {
    let job = job("job_name: docker\ndocker_sd_configs: [{}]");
    let found = Discovery::default().look(&[job], &containers(), EVERY, false);
    let mut urls: Vec<&str> = found.targets.iter().map(|found| &*found.url).collect();
    urls.sort_unstable();
    assert_eq!(
        urls,
        [
            // The default port of http goes without saying.
            "http://10.1.0.2/metrics",
            "http://10.1.0.2:8000/metrics",
            "http://10.1.0.2:9000/metrics",
            "http://localhost/metrics",
        ]
    );
}

#[test]
fn too_many_targets_all_fail() {
    let job = job("job: a\ntargets: ['a:1', 'b:1']\ntarget_limit: 1");
    let found = Discovery::default().look(&[job], &[], EVERY, false);
    let told = "target_limit exceeded (number of targets: 2, limit: 1)";
    let faults: Vec<_> = found
        .targets
        .iter()
        .map(|one| one.fault.as_ref().map(|why| &*why.0))
        .collect();
    assert_eq!(faults, [Some(told); 2]);
    assert_eq!(found.faults, [format!("job a: {told}")]);
}
