//! Backups that fail, are behind elsewhere, are damaged, or were never tried.

use std::fs;
use std::path::Path;

use ::backup::manifest::Manifest;

use super::Watched;
use crate::backup_files::command;
use crate::disaster::store;
use crate::setup::Setup;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::scratch::Scratch;

/// Every dump below a folder has another byte in its middle.
fn damage(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            damage(&path);
        } else if path.to_string_lossy().contains("pgdump") {
            // It may be a new one that is not whole yet, or an old one that goes.
            let Ok(mut bytes) = fs::read(&path) else {
                continue;
            };
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte = 0;
                let _ = fs::write(&path, bytes);
            }
        }
    }
}

const OLD: &str = "20200101T000000Z-00000000";

/// Beside the first whole copy below a folder there is one of long ago, as of a job that
/// is not new.
fn make_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            make_old(&path);
            continue;
        }
        let old = path.with_file_name(format!("{OLD}.manifest.json"));
        let name = path.to_string_lossy();
        if !name.ends_with(".manifest.json") || old.exists() {
            continue;
        }
        let text = fs::read(&path).expect("a manifest");
        let mut copy = Manifest::parse(&text).expect("a manifest");
        for piece in &mut copy.pieces {
            let end = piece.key.rsplit('/').next().unwrap_or_default();
            let old = end.replace(&copy.id, OLD);
            fs::copy(path.with_file_name(end), path.with_file_name(&old)).expect("a piece");
            piece.key = piece.key.replace(&copy.id, OLD);
        }
        copy.id = OLD.to_owned();
        let at: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().expect("a time");
        copy.started_ms = at.as_millisecond();
        fs::write(old, copy.text()).expect("a manifest");
    }
}

#[test]
fn rules_about_runs_fire_for_failed_lagging_damaged_and_untried_backups() {
    let postgres = Postgres::start();
    postgres.query("create table seats as select n, md5(n::text) from generate_series(1, 2000) n");
    let copies = Scratch::new();
    for folder in ["here", "away"] {
        fs::create_dir(copies.path.join(folder)).expect("room for copies");
    }
    let (folder, port) = (copies.path.display(), postgres.port());
    // Nothing fits where a petabyte must stay free.
    let watched = Watched::start(Setup::new().part(&format!(
        "backup:\n  targets: [{{name: here, folder: {folder}/here, reserve: 1MiB}}, {{name: away, folder: {folder}/away, reserve: 1024TiB}}]\n  \
         jobs:\n  - {{name: db, database: postgres, host: 127.0.0.1, port: {port}, schedule: '* * * * *', verify: '* * * * *', jitter: 0s}}\n  \
         - {{name: lost, database: nowhere, host: 127.0.0.1, port: {port}, targets: [here], schedule: '* * * * *', jitter: 0s}}"
    )));
    watched.fires(
        &[
            ("BackupFailed", "warning"),
            ("BackupIncomplete", "warning"),
            ("BackupBehind", "warning"),
            // A new job would have the time to try one first.
            ("BackupNotDrilled", "warning"),
        ],
        || make_old(&copies.path.join("here")),
    );
    // Only then: where no copy is good, no target is behind another.
    watched.fires(&[("BackupUnsound", "critical")], || {
        damage(&copies.path.join("here"));
    });
}

#[test]
fn the_rule_about_unread_backups_fires_where_none_was_read_to_its_end() {
    let postgres = Postgres::start();
    let copies = Scratch::new();
    let (folder, port) = (copies.path.display(), postgres.port());
    // An age recipient whose key nobody has.
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let watched = Watched::start(Setup::new().part(&format!(
        "backup:\n  recipients: [{recipient}]\n  targets: [{{name: here, folder: {folder}, reserve: 1MiB}}]\n  \
         jobs: [{{name: db, database: postgres, host: 127.0.0.1, port: {port}, schedule: '* * * * *', jitter: 0s}}]"
    )));
    watched.fires(
        &[
            ("BackupNotVerified", "warning"),
            ("BackupKeyNotAttested", "warning"),
        ],
        || make_old(&copies.path),
    );
}

#[test]
fn a_copy_in_a_bucket_is_tried_by_schedule_and_the_one_beside_it_is_not_called_untried() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(store::Store::start());
    let place = Scratch::new();
    for folder in ["files", "copies"] {
        fs::create_dir(place.path.join(folder)).expect("a folder");
    }
    fs::write(place.path.join("files/one"), "one").expect("a file");
    let folder = place.path.display();
    let watched = Watched::start(Setup::new().part(&format!(
        "backup:\n  targets:\n  - {{name: here, folder: {folder}/copies, reserve: 1MiB}}\n  \
         - {{name: r2, bucket: {}, endpoint: 'http://127.0.0.1:{}', access_key_id: {}, secret_access_key: {}}}\n  \
         jobs: [{{name: files, directory: {folder}/files, schedule: '* * * * *', verify: '* * * * *', \
         drill: '* * * * *', jitter: 0s}}]",
        store::BUCKET,
        store.port,
        store::KEY_ID,
        store::SECRET,
    )));
    for proof in ["verified", "drilled"] {
        let last = format!("belfry_backup_last_{proof}_timestamp_seconds");
        watched.is_known(&format!("{last}{{target=\"r2\"}} > 0"));
        watched.is_known(&format!("{last}{{target=\"here\"}} == 0"));
    }
    for name in ["BackupNotVerified", "BackupNotDrilled"] {
        watched.is_known(&format!("absent(ALERTS{{alertname=\"{name}\"}})"));
    }
}

#[test]
fn runs_by_hand_are_known_at_once_and_a_good_one_ends_the_alert_about_the_one_before() {
    let place = Scratch::new();
    for folder in ["files", "copies"] {
        fs::create_dir(place.path.join(folder)).expect("a folder");
    }
    fs::write(place.path.join("files/one"), "one").expect("a file");
    let folder = place.path.display();
    // It has no schedule: nothing but what is done by hand ends anything.
    let watched = Watched::start(Setup::new().part(&format!(
        "backup:\n  targets: [{{name: here, folder: {folder}/copies, reserve: 1MiB}}]\n  \
         jobs: [{{name: files, directory: {folder}/files, before: [test, -e, {folder}/mended]}}]"
    )));
    let data = watched.belfry.data();
    let by_hand = |task: &str| {
        let beside = data.parent().expect("a folder around the data");
        let mut command = command(beside, &["backup", task, "files", "--data"]);
        let done = command.arg(&data).output().expect("the binary runs");
        done.status.code()
    };
    assert_eq!(by_hand("run"), Some(2));
    watched.fires(&[("BackupFailed", "warning")], || {});
    fs::write(place.path.join("mended"), "").expect("a file");
    assert_eq!(by_hand("run"), Some(0));
    // An earlier copy says nothing of what there is now.
    make_old(&place.path.join("copies"));
    let beside = data.parent().expect("a folder around the data");
    for task in ["verify", "drill"] {
        let words = ["backup", task, "files", "--from", OLD, "--data"];
        let done = command(beside, &words).arg(&data).output();
        assert_eq!(done.expect("the binary runs").status.code(), Some(0));
        let proof = if task == "drill" {
            "drilled"
        } else {
            "verified"
        };
        let last = format!("belfry_backup_last_{proof}_timestamp_seconds");
        watched.is_known(&format!("{last} > 0 and time() - {last} > 86400"));
        watched.is_known(&format!(
            "absent(belfry_backup_last_run_success{{task=\"{task}\"}})"
        ));
    }
    for task in ["verify", "drill"] {
        assert_eq!(by_hand(task), Some(0), "{task}");
    }
    watched.is_known("absent(ALERTS{alertname=\"BackupFailed\"})");
    for task in ["backup", "verify", "drill"] {
        watched.is_known(&format!(
            "belfry_backup_last_run_success{{task=\"{task}\"}} == 1"
        ));
    }
    watched.is_known("time() - belfry_backup_last_drilled_timestamp_seconds < 86400");
    let runs = || watched.belfry.get("/api/belfry/v1/backups").json()["jobs"][0]["runs"].clone();
    poll::holds("all runs should be told", || {
        runs().as_array().is_some_and(|runs| runs.len() == 6)
    });
    let runs = runs();
    for (at, (task, status)) in [
        ("drill", "ok"),
        ("verify", "ok"),
        ("drill-older", "ok"),
        ("verify-older", "ok"),
        ("backup", "ok"),
        ("backup", "failed"),
    ]
    .into_iter()
    .enumerate()
    {
        let run = &runs[at];
        assert_eq!(
            (&run["task"], &run["status"]),
            (&task.into(), &status.into()),
            "{runs}"
        );
        assert!(run["scheduled_ms"].is_null(), "{runs}");
        assert!(
            run["finished_ms"].as_i64() >= run["started_ms"].as_i64(),
            "{runs}"
        );
    }
    assert_eq!(runs[0]["backup"], runs[4]["backup"]);
    assert_eq!(runs[2]["backup"], OLD);
    let why = runs[5]["error"].as_str().unwrap_or_default();
    assert!(why.contains("the command before the run"), "{runs}");

    // What is only planned is no run.
    let into = place.path.join("into").display().to_string();
    for (code, words) in [
        (0, vec!["backup", "replicate", "files"]),
        (0, vec!["backup", "prune", "files", "--dry-run"]),
        (0, vec!["backup", "prune", "files"]),
        (0, vec!["restore", "files", "--into", &into, "--plan"]),
        (0, vec!["restore", "files", "--into", &into]),
        (2, vec!["restore", "files", "--into", "/proc/no"]),
    ] {
        let mut command = command(beside, &words);
        let done = command.arg("--data").arg(&data).output();
        let done = done.expect("the binary runs");
        assert_eq!(done.status.code(), Some(code), "{words:?}: {done:?}");
    }
    let runs = || watched.belfry.get("/api/belfry/v1/backups").json()["jobs"][0]["runs"].clone();
    poll::holds("these runs should be told too", || {
        runs().as_array().is_some_and(|runs| runs.len() == 10)
    });
    let runs = runs();
    for (at, told) in ["restore failed", "restore ok", "prune ok", "replicate ok"]
        .iter()
        .enumerate()
    {
        let run = &runs[at];
        let (task, status) = (run["task"].as_str(), run["status"].as_str());
        let is = format!("{} {}", task.unwrap_or(""), status.unwrap_or(""));
        assert_eq!(is, *told, "{runs}");
    }
    assert_eq!(runs[1]["backup"], runs[8]["backup"], "{runs}");
    assert!(
        runs[0]["error"]
            .as_str()
            .is_some_and(|why| why.contains("/proc: ")),
        "{runs}"
    );
}

#[test]
fn the_rule_about_stopped_containers_fires_for_one_that_cannot_be_started_again() {
    let engine = Engine::start();
    let place = Scratch::new();
    for folder in ["files", "copies", "need"] {
        fs::create_dir(place.path.join(folder)).expect("a folder");
    }
    let folder = place.path.display();
    engine.run(&Container::named("needy").option("--volume", &format!("{folder}/need:/need")));
    // What it needs is no folder any more when it is to be started.
    let before = format!("rm -rf {folder}/need && touch {folder}/need");
    let setup = Setup::new().engine(&engine).part(&format!(
        "backup:\n  targets: [{{name: here, folder: {folder}/copies, reserve: 1MiB}}]\n  \
         jobs: [{{name: files, directory: {folder}/files, stop: [needy], before: [sh, -c, '{before}'], \
         schedule: '* * * * *', jitter: 0s}}]"
    ));
    Watched::start(setup).fires(&[("BackupContainerStopped", "critical")], || {});
    engine.wait_for_state("needy", "exited");
}
