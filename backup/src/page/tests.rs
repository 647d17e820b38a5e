use super::*;

#[test]
fn a_folder_that_cannot_be_read_has_no_copy() {
    let watch = Watch {
        name: "db".into(),
        ..Watch::default()
    };
    let lost = page(
        &[(&watch, Err(io::ErrorKind::NotFound.into()))],
        &[],
        &[],
        &[],
        &[],
        None,
    );
    assert!(lost.contains("belfry_backup_folder_readable{job_name=\"db\"} 0\n"));
    assert!(!lost.contains("belfry_backup_last_success_timestamp_seconds{"));
    let copies = Copies {
        count: 1,
        bytes: 5,
        too_small: 0,
        newest: Some((1_500, 5)),
    };
    let read = page(&[(&watch, Ok(copies))], &[], &[], &[], &[], None);
    assert!(read.contains("belfry_backup_last_success_timestamp_seconds{job_name=\"db\"} 1.5\n"));
}

#[test]
fn a_target_that_was_never_listed_is_not_an_empty_one() {
    use crate::known::KnownTarget;
    let target = |name: &str, had| KnownTarget {
        name: name.into(),
        readable: false,
        had,
    };
    let mut known = Known {
        job: "db".into(),
        targets: vec![target("r2", None)],
        ..Known::default()
    };
    let told = page(&[], &[known.clone()], &[], &[], &[], None);
    assert!(
        told.contains("belfry_backup_target_readable{job_name=\"db\",target=\"r2\"} 0\n"),
        "{told}"
    );
    assert!(!told.contains("success_timestamp_seconds{"), "{told}");
    known.targets.push(target("local", Some(Had::default())));
    let told = page(&[], &[known.clone()], &[], &[], &[], None);
    assert!(
        told.contains("belfry_backup_last_success_timestamp_seconds{job_name=\"db\"} 0\n"),
        "{told}"
    );
    let had = Had {
        newest: Some((1_500, 7)),
        ..Had::default()
    };
    known.targets[0].had = Some(had);
    let told = page(&[], &[known], &[], &[], &[], None);
    assert!(
        told.contains("belfry_backup_last_success_timestamp_seconds{job_name=\"db\"} 1.5\n"),
        "{told}"
    );
    assert!(told.contains("belfry_backup_target_last_success_timestamp_seconds{job_name=\"db\",target=\"local\"} 0\n"), "{told}");
}

#[test]
fn unsound_copies_of_all_targets_are_counted_and_runs_that_were_good_in_part_are_told() {
    use crate::known::{KnownTarget, LastRun};
    let target = |name: &str, unsound| KnownTarget {
        name: name.into(),
        readable: true,
        had: Some(Had {
            unsound,
            ..Had::default()
        }),
    };
    let known = Known {
        job: "db".into(),
        targets: vec![target("local", 1), target("r2", 2)],
        runs: vec![LastRun {
            task: "backup".into(),
            last: Some((false, 2.0)),
            partly: true,
            ..LastRun::default()
        }],
        ..Known::default()
    };
    let left = [("db".to_owned(), "shop-web-1".to_owned())];
    let told = page(&[], &[known], &left, &[], &[], None);
    for line in [
        "belfry_backup_copies_unsound{job_name=\"db\"} 3\n",
        "belfry_backup_last_run_success{job_name=\"db\",task=\"backup\"} 0\n",
        "belfry_backup_last_run_incomplete{job_name=\"db\",task=\"backup\"} 1\n",
        "belfry_backup_container_stopped{job_name=\"db\",stopped=\"shop-web-1\"} 1\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
    let command = [("db".to_owned(), String::new())];
    assert!(!page(&[], &[], &command, &[], &[], None).contains("stopped"));
}

#[test]
fn globals_have_no_drill_and_what_is_known_of_databases_and_keys_is_told() {
    use crate::known::KnownTarget;
    let known = Known {
        job: "roles".into(),
        no_drill: true,
        targets: vec![KnownTarget {
            name: "local".into(),
            readable: true,
            had: Some(Had::default()),
        }],
        ..Known::default()
    };
    let database = Served {
        server: "shop-db-1".into(),
        name: "shop".into(),
        ..Served::default()
    };
    let databases = [(database, Coverage::Unknown)];
    let told = page(&[], &[known], &[], &[], &databases, Some(0));
    for line in [
        "belfry_backup_last_verified_timestamp_seconds{job_name=\"roles\",target=\"local\"} 0\n",
        "belfry_backup_database_coverage{postgres=\"shop-db-1\",datname=\"shop\",coverage=\"unknown\"} 1\n",
        "belfry_backup_key_attested_timestamp_seconds 0\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
    assert!(!told.contains("last_drilled_timestamp_seconds{"), "{told}");
}

#[test]
fn nothing_configured_is_an_empty_page() {
    assert_eq!(page(&[], &[], &[], &[], &[], Some(0)), "");
}
