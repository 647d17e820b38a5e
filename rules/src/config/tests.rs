use super::*;

#[test]
fn files_are_found_by_pattern_in_order_and_each_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["b.yml", "a.yml", "c.txt"] {
        std::fs::write(path(name), name).unwrap();
    }
    std::fs::create_dir(path("d.yml")).unwrap();
    for (patterns, wanted) in [
        (&["*.yml"][..], &["a.yml", "b.yml"][..]),
        (
            &["*.yml", "a.yml", "./b.yml", "[a-c].yml"],
            &["a.yml", "b.yml"],
        ),
        (&["b.yml", "*.yml"], &["b.yml", "a.yml"]),
    ] {
        let found = RuleFiles::read(patterns.iter().map(|pattern| path(pattern)));
        assert_eq!(found.faults(), []);
        let texts: Vec<_> = found
            .sources
            .into_iter()
            .map(|source| source.text)
            .collect();
        assert_eq!(texts, wanted, "{patterns:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told_apart_from_an_empty_pattern_and_from_one_without_an_end() {
    let found = RuleFiles::read([
        "/nowhere/*.yml",
        "/nowhere/a.yml",
        "/dev/zero",
        "/nowhere/b.yml",
    ]);
    assert_eq!(found.empty, [PathBuf::from("/nowhere/*.yml")]);
    assert_eq!(found.missing.len(), 2);
    let told: Vec<_> = found.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/nowhere/a.yml:1:1: cannot read the rule file: there is no such file",
            "/nowhere/b.yml:1:1: cannot read the rule file: there is no such file",
            "/dev/zero:1:1: cannot read the rule file: it is a device, not a regular file",
        ]
    );
}

#[test]
fn stars_in_the_folder_of_a_rule_file_are_a_fault() {
    let text = "files: [a.yml, 'rules/*/a.yml', 'rules-?/*.yml']";
    let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
    let message = "a * can stand only in the last part of a path".to_owned();
    assert_eq!(config.faults(), [("files[1]".to_owned(), message)]);
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
