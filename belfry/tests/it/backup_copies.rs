//! Copies of backups at the terminal: pinned, and brought to targets that lack them.

use std::fs;
use std::process::Output;

use ::backup::manifest::Manifest;
use serde_json::Value;

use crate::backup_files::command;
use crate::support::scratch::Scratch;

/// A job of a folder, and two targets, one of which is away.
struct Place(Scratch);

impl Place {
    fn new() -> Self {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path.join("copies")).unwrap();
        fs::create_dir(scratch.path.join("files")).unwrap();
        fs::write(scratch.path.join("files/file"), "content").unwrap();
        let files = scratch.path.join("files");
        let config = format!(
            "host: here\ndata: data\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  targets: [{{name: local, folder: copies, reserve: 1MiB}}, \
             {{name: late, folder: late, reserve: 1MiB}}]\n  jobs: [{{name: files, directory: {files:?}, \
             keep: {{last: 1, daily: 0, weekly: 0, monthly: 0}}}}]\n"
        );
        scratch.file("belfry.yml", &config);
        Self(scratch)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(&self.0.path, arguments).output().unwrap()
    }

    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(
            done.status.code(),
            Some(code),
            "{arguments:?}: {told}{said}"
        );
        told
    }

    #[track_caller]
    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let told = self.expect(code, arguments);
        serde_json::from_str(&told).unwrap_or_else(|err| panic!("{told}: {err}"))
    }
}

#[test]
fn what_a_target_lacks_is_brought_to_it_and_told_in_words_and_as_json() {
    let place = Place::new();
    place.expect(1, &["backup", "run", "files"]);
    let away = place.json(1, &["backup", "replicate", "files", "--json"]);
    assert_eq!(away["brought"], Value::Array(vec![]), "{away}");
    let error = away["errors"][0].as_str().unwrap();
    assert!(error.contains("late") && !error.contains('\n'), "{away}");
    fs::create_dir(place.0.path.join("late")).unwrap();
    let done = place.json(0, &["backup", "replicate", "files", "--json"]);
    assert_eq!(done["brought"][0]["target"], "late", "{done}");
    assert_eq!(done["errors"], Value::Array(vec![]), "{done}");
    let id = done["brought"][0]["id"].as_str().unwrap();
    place.expect(
        0,
        &[
            "backup", "verify", "files", "--from", id, "--target", "late",
        ],
    );
    let again = place.expect(0, &["backup", "replicate", "files"]);
    assert!(
        again.contains("every target has the newest backups"),
        "{again}"
    );
    let again = place.json(0, &["backup", "replicate", "files", "--json"]);
    assert_eq!(again["brought"], Value::Array(vec![]), "{again}");
    place.expect(3, &["backup", "replicate", "nothing"]);
    place.expect(3, &["backup", "replicate"]);
}

#[test]
fn a_pinned_backup_stays_in_all_targets_and_what_cannot_be_pinned_is_told() {
    let place = Place::new();
    fs::create_dir(place.0.path.join("late")).unwrap();
    place.expect(2, &["backup", "pin", "files"]);
    place.expect(3, &["backup", "pin", "nothing"]);
    place.expect(0, &["backup", "run", "files"]);
    let pinned = place.json(0, &["backup", "pin", "files", "--days", "3", "--json"]);
    assert_eq!(
        pinned["targets"],
        serde_json::json!(["local", "late"]),
        "{pinned}"
    );
    let first = pinned["id"].as_str().unwrap().to_owned();
    let until: jiff::Timestamp = pinned["until"].as_str().unwrap().parse().unwrap();
    let days = (until.as_second() - jiff::Timestamp::now().as_second()) as f64 / 86_400.0;
    assert!((2.9..3.1).contains(&days), "{pinned}");
    place.expect(0, &["backup", "run", "files"]);
    let second = place.json(0, &["backup", "pin", "files", "--from", "latest", "--json"]);
    assert_ne!(
        second["id"],
        first.as_str(),
        "the newest, unless told otherwise"
    );
    // Only one would stay without the pin.
    place.expect(0, &["backup", "prune", "files", "--force"]);
    for target in ["local", "late"] {
        let arguments = [
            "backup", "verify", "files", "--from", &first, "--target", target,
        ];
        place.expect(0, &arguments);
    }
    let told = place.expect(0, &["backup", "pin", "files", "--from", &first]);
    assert!(
        told.contains(&format!("pinned  {first} in local,late until ")),
        "{told}"
    );
    let wrong = place.run(&[
        "backup",
        "pin",
        "files",
        "--from",
        "20200101T000000Z-00000000",
    ]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    place.expect(3, &["backup", "pin", "files", "--days", "many"]);
    // Before somebody does something: with the run, and with why.
    place.expect(3, &["backup", "run", "files", "--reason", "no pin"]);
    let run = [
        "backup",
        "run",
        "files",
        "--pin",
        "9",
        "--reason",
        "before the move",
    ];
    let told = place.expect(0, &run);
    let third = place.json(0, &["backup", "list", "--json"])[0].clone();
    let third_id = third["id"].as_str().unwrap();
    assert!(
        told.contains(&format!("pinned  {third_id} in local,late until ")),
        "{told}"
    );
    let until = third["pinned_until_ms"].as_i64().unwrap();
    let days = (until / 1000 - jiff::Timestamp::now().as_second()) as f64 / 86_400.0;
    assert!((8.9..9.1).contains(&days), "{third}");
    assert_eq!(third["pinned_why"], "before the move", "{third}");
    place.expect(0, &["backup", "run", "files"]);
    place.expect(0, &["backup", "prune", "files", "--force"]);
    let told = place.expect(0, &["backup", "list"]);
    let line = format!("pinned: {third_id} until ");
    let line = told.lines().find(|told| told.starts_with(&line));
    assert!(
        line.is_some_and(|line| line.ends_with(": before the move")),
        "{told}"
    );
}

#[test]
fn the_days_that_retention_keeps_are_those_of_the_jobs_own_zone() {
    let place = Place::new();
    fs::create_dir(place.0.path.join("late")).unwrap();
    place.expect(0, &["backup", "run", "files"]);
    let folder = place.0.path.join("copies/here/directory/files");
    let entries = fs::read_dir(&folder).unwrap().flatten();
    let paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    let made = paths
        .iter()
        .find(|path| path.to_string_lossy().ends_with("manifest.json"));
    let made = Manifest::parse(&fs::read(made.unwrap()).unwrap()).unwrap();
    // Around a midnight of the island, within one day of UTC.
    let ids = ["20260110T093000Z-00000000", "20260110T103000Z-00000000"];
    for (id, at) in ids
        .iter()
        .zip(["2026-01-10T09:30:00Z", "2026-01-10T10:30:00Z"])
    {
        let mut earlier = made.clone();
        earlier.id = (*id).to_owned();
        earlier.started_ms = at.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        for piece in &mut earlier.pieces {
            let key = piece.key.replace(&made.id, id);
            let at = |key: &str| place.0.path.join("copies").join(key);
            fs::copy(at(&piece.key), at(&key)).unwrap();
            piece.key = key;
        }
        let file = folder.join(format!("{id}.manifest.json"));
        fs::write(file, earlier.text()).unwrap();
    }
    let file = place.0.path.join("belfry.yml");
    let config = fs::read_to_string(&file).unwrap();
    for (zone, days) in [("UTC", 1), ("Pacific/Kiritimati", 2)] {
        let keep = format!(
            "timezone: {zone}, keep: {{last: 1, daily: 7, weekly: 0, monthly: 0, min_keep: 1}}"
        );
        let (head, _) = config.split_once("keep:").unwrap();
        fs::write(&file, format!("timezone: UTC\n{head}{keep}}}]\n")).unwrap();
        let plan = place.json(0, &["backup", "prune", "files", "--dry-run", "--json"]);
        let plan = plan[0]["plan"].as_array().unwrap();
        let stays = |id: &&&str| {
            plan.iter()
                .any(|one| one["id"] == **id && one["stays"][0] == "daily")
        };
        assert_eq!(ids.iter().filter(stays).count(), days, "{zone}: {plan:?}");
    }
}

#[test]
fn backups_of_hosts_that_share_a_target_are_told_apart() {
    let place = Place::new();
    fs::create_dir(place.0.path.join("late")).unwrap();
    let config = fs::read_to_string(place.0.path.join("belfry.yml")).unwrap();
    place.expect(0, &["backup", "run", "files"]);
    let told = place.expect(0, &["backup", "list"]);
    let newest = |told: &str, start: &str| {
        let mut lines = told.lines().filter_map(|line| line.strip_prefix(start));
        lines.next().map(str::to_owned)
    };
    let ours = newest(&told, "newest good one: ");
    assert!(ours.is_some() && !told.contains("HOST"), "{told}");
    let elsewhere = config.replace("host: here", "host: there");
    let elsewhere = elsewhere.replace("data: data", "data: other");
    place.0.file("belfry.yml", &elsewhere);
    place.expect(0, &["backup", "run", "files"]);
    place.0.file("belfry.yml", &config);
    let told = place.expect(0, &["backup", "list"]);
    let rows = |host: &str| {
        let of = told
            .lines()
            .filter(|line| line.ends_with(&format!("  {host}")));
        of.count()
    };
    assert_eq!(
        (rows("HOST"), rows("here"), rows("there")),
        (1, 1, 1),
        "{told}"
    );
    // The other's is newer, and is not this host's.
    assert_eq!(newest(&told, "newest good one of here: "), ours, "{told}");
    assert!(
        newest(&told, "newest good one of there: ").is_some(),
        "{told}"
    );
    let all = place.json(0, &["backup", "list", "--json"]);
    assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
}

#[test]
fn what_is_restored_is_pinned_until_it_is_confirmed_or_undone() {
    let place = Place::new();
    fs::create_dir(place.0.path.join("late")).unwrap();
    let run = || {
        place.expect(0, &["backup", "run", "files"]);
        let all = place.json(0, &["backup", "list", "--json"]);
        all[0]["id"].as_str().unwrap().to_owned()
    };
    let prune = || {
        place.expect(0, &["backup", "prune", "files", "--force"]);
    };
    let has = |id: &str| {
        let all = place.json(0, &["backup", "list", "--json"]);
        let mut all = all.as_array().unwrap().iter();
        all.any(|one| one["id"] == *id && !one["copies"]["local"].is_null())
    };
    for end in ["--confirm", "--undo"] {
        let first = run();
        let restore = [
            "restore",
            "files",
            "--yes",
            "--lose-newer",
            "--target",
            "local",
        ];
        let told = place.expect(0, &restore);
        assert!(
            told.contains(&format!("pin     {first} in local")),
            "{told}"
        );
        run();
        prune();
        assert!(has(&first), "only the newest would stay without the pin");
        place.expect(0, &["restore", "files", end]);
        prune();
        assert!(!has(&first), "it needs no pin any more: {end}");
        // What was undone is left for a person to look at.
        for entry in fs::read_dir(&place.0.path).unwrap().flatten() {
            if entry.file_name().to_string_lossy().contains("belfry-") {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
    // One that failed needs none.
    run();
    let config = fs::read_to_string(place.0.path.join("belfry.yml")).unwrap();
    let fails = config.replace("keep: {", "restore: {before: ['false']}, keep: {");
    place.0.file("belfry.yml", &fails);
    place.expect(2, &["restore", "files", "--yes", "--lose-newer"]);
    let pinned = fs::read_dir(place.0.path.join("data/backup")).unwrap();
    let mut pinned = pinned.flatten();
    assert!(!pinned.any(|entry| entry.file_name().to_string_lossy().contains("pinned")));
}
