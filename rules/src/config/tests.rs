use super::*;

#[test]
fn files_are_found_by_pattern_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.yml", "a.yml", "c.txt"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    std::fs::create_dir(folder.path().join("d.yml")).unwrap();
    let config = Config {
        files: vec![format!("{}/*.yml", folder.path().display())],
        pack: false,
        ..Config::default()
    };
    let texts: Vec<String> = config
        .sources()
        .unwrap()
        .into_iter()
        .map(|source| source.text)
        .collect();
    assert_eq!(texts, ["a.yml", "b.yml"]);
}

#[test]
fn a_named_file_that_is_not_there_is_a_fault_and_an_empty_pattern_is_none() {
    let of = |files: &[&str]| Config {
        files: files.iter().map(ToString::to_string).collect(),
        ..Config::default()
    };
    assert_eq!(
        of(&["/nowhere/*.yml"]).sources().unwrap().len(),
        pack::FILES.len()
    );
    let faults = of(&["/nowhere/a.yml", "/nowhere/b.yml"])
        .sources()
        .unwrap_err();
    assert_eq!(faults.len(), 2);
    assert!(
        faults[0]
            .to_string()
            .starts_with("/nowhere/a.yml:1:1: cannot read the rule file")
    );
}

#[test]
fn the_section_is_read_from_the_configuration() {
    let text =
        "files: [a.yml]\npack: false\ndisable: [X]\ninterval: 30s\nexternal_labels: {cluster: eu}";
    let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
    assert_eq!(config.interval, Some(Duration::from_secs(30)));
    assert_eq!(config.disable, ["X"]);
    assert!(!config.pack);
    assert_eq!(config.external_labels["cluster"], "eu");
}

#[test]
fn so_many_evaluations_that_no_alert_would_end_are_a_fault() {
    for (recovery, fault) in [
        (0, ""),
        (240, ""),
        (241, "241 evaluations are too many, the most is 240"),
        (
            u32::MAX,
            "4294967295 evaluations are too many, the most is 240",
        ),
    ] {
        let text = format!("recovery: {recovery}");
        let config: Config = settings::read("belfry.yml".as_ref(), &text, &|_| None).unwrap();
        let wanted = [("recovery".to_owned(), fault.to_owned())];
        let wanted = if fault.is_empty() { &[][..] } else { &wanted };
        assert_eq!(config.faults(), wanted, "{recovery}");
    }
}
