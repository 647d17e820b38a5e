//! Verifying, restoring and drilling, with a real server.

use std::process::Stdio;

use backup::drill::drill;
use backup::marks::Kind;
use backup::restore::{self, restore};
use backup::verify::Error;

use crate::cluster::Cluster;
use crate::place::Bench;
use crate::tree::LATER;

/// Changes a byte in the middle of the stored dump.
fn damage(bench: &Bench) {
    let dump = bench
        .files("local")
        .into_iter()
        .find(|file| file.to_string_lossy().contains("pgdump"))
        .unwrap();
    let mut bytes = std::fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dump, bytes).unwrap();
}

#[tokio::test]
async fn a_sound_copy_is_verified_and_a_damaged_one_is_marked_and_counts_no_more() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    bench.verified().await.unwrap();
    assert_eq!(bench.newest().await.last(Kind::Verified), Some(LATER));
    // Another key, or none: nothing is known, and nothing is marked.
    let file = bench.setup.config.identity_file.clone();
    std::fs::write(&file, backup::age::Identity::generate().unwrap().expose()).unwrap();
    assert!(
        matches!(bench.verified().await, Err(Error::Unknown(why)) if why.contains("no key that is here opens it"))
    );
    bench.change(|config| config.identity_file = "".into());
    assert!(matches!(bench.verified().await, Err(Error::Unknown(_))));
    assert!(bench.newest().await.is_good());
    bench.change(|config| config.identity_file = file.clone());
    std::fs::write(&file, bench.key.expose()).unwrap();
    damage(&bench);
    let err = bench.verified().await.unwrap_err();
    assert!(
        matches!(&err, Error::Unsound(why) if why.contains("dump is damaged")),
        "{err:?}"
    );
    assert!(!bench.newest().await.is_good());
}

#[tokio::test]
async fn a_restore_takes_the_place_of_the_live_database_and_can_be_undone_or_confirmed() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    let wanted = cluster.fingerprint("shop");
    let about = "SELECT pg_encoding_to_char(encoding), datcollate, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), \
        (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = 'shop'";
    let properties = cluster.sql("postgres", about);
    cluster.sql(
        "shop",
        "DELETE FROM users WHERE id > 10; INSERT INTO child VALUES (1, 1), (2, 2)",
    );
    let copy = bench.newest().await;
    let lost = restore::loss(
        &bench.setup,
        bench.job(),
        copy.manifest.postgres.as_ref().unwrap(),
    )
    .await
    .unwrap();
    let told = ["public.child: 2 rows that are new or were changed since"];
    assert_eq!(lost, told);
    // An application that holds a connection does not hold it up.
    let mut app = cluster
        .psql("shop")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let names = restore(
        &bench.setup,
        bench.job(),
        &bench.target("local"),
        &copy,
        &|_| {},
    )
    .await
    .unwrap();
    app.kill().unwrap();
    app.wait().unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
    assert_eq!(cluster.sql("postgres", about), properties);
    assert_eq!(
        cluster.sql(
            "postgres",
            &format!(
                "SELECT datallowconn FROM pg_database WHERE datname = '{}'",
                names.before
            )
        ),
        "f"
    );

    let beside = restore::undo(&bench.setup, bench.job()).await.unwrap();
    let beside = beside.unwrap();
    assert_eq!(cluster.sql("shop", "SELECT count(*) FROM users"), "10");
    assert_eq!(cluster.databases(), format!("postgres shop {beside}"));
    restore(
        &bench.setup,
        bench.job(),
        &bench.target("local"),
        &copy,
        &|_| {},
    )
    .await
    .unwrap();
    assert_eq!(
        restore::confirm(&bench.setup, bench.job()).await.unwrap(),
        [names.before]
    );
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(cluster.fingerprint("shop"), wanted);
}

#[tokio::test]
async fn a_database_that_is_lost_with_its_server_comes_back_from_the_copy_alone() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    let wanted = cluster.fingerprint("shop");
    drop(cluster);
    let other = Cluster::start();
    bench.change(|config| config.jobs[0].host = other.sockets.display().to_string());
    let copy = bench.newest().await;
    let target = bench.target("local");
    // The owner is not there: that is said before anything is done.
    let err = restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap_err();
    assert!(err.contains("no role \"seller\""), "{err}");
    let globals = String::from_utf8(bench.open("local", &manifest.pieces[1]).await).unwrap();
    let seller = globals
        .lines()
        .filter(|line| line.contains("seller"))
        .collect::<Vec<_>>()
        .join("\n");
    other.sql("postgres", &seller);
    restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(other.fingerprint("shop"), wanted);
}

#[tokio::test]
async fn a_restore_that_cannot_succeed_touches_nothing() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let wanted = cluster.fingerprint("shop");
    let copy = bench.newest().await;
    let target = bench.target("local");
    // What was dumped is not what the manifest says.
    let mut lying = copy.clone();
    let tables = &mut lying.manifest.postgres.as_mut().unwrap().tables;
    let users = tables
        .iter_mut()
        .find(|table| table.name == "users")
        .unwrap();
    users.rows = 4999;
    let err = restore(&bench.setup, bench.job(), &target, &lying, &|_| {})
        .await
        .unwrap_err();
    assert!(
        err.contains(
            "public.users has 5000 rows, and the backup has 4999; everything is as it was"
        ),
        "{err}"
    );
    // An extension is not installed.
    let mut wanting = copy.clone();
    wanting.manifest.postgres.as_mut().unwrap().extensions[0].name = "no_such_thing".into();
    let err = restore(&bench.setup, bench.job(), &target, &wanting, &|_| {})
        .await
        .unwrap_err();
    assert!(
        err.contains("lacks the extension(s) no_such_thing"),
        "{err}"
    );
    let mut newer = copy.clone();
    newer.manifest.postgres.as_mut().unwrap().server_version = 180_000;
    let err = restore(&bench.setup, bench.job(), &target, &newer, &|_| {})
        .await
        .unwrap_err();
    assert!(
        err.contains("of PostgreSQL 18, and this server is 15"),
        "{err}"
    );
    damage(&bench);
    let err = restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap_err();
    assert!(err.contains("dump is damaged"), "{err}");
    let file = bench.setup.config.identity_file.clone();
    bench.change(|config| config.identity_file = "".into());
    let err = restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap_err();
    assert!(err.contains("no key that is here opens it"), "{err}");
    bench.change(|config| config.identity_file = file);
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(cluster.fingerprint("shop"), wanted);
    assert_eq!(
        restore::recover(&bench.setup, bench.job()).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_restore_that_died_at_any_step_is_put_back() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    let wanted = cluster.fingerprint("shop");
    let names = restore::Names::new("shop", &manifest.id);
    let (beside, before) = (&names.beside, &names.before);
    let steps = [
        vec![format!("CREATE DATABASE {beside}")],
        vec![
            format!("CREATE DATABASE {beside}"),
            "ALTER DATABASE shop ALLOW_CONNECTIONS false".to_owned(),
        ],
        vec![
            format!("CREATE DATABASE {beside}"),
            format!("ALTER DATABASE shop RENAME TO {before}"),
        ],
        vec![
            format!("CREATE DATABASE {beside}"),
            format!("ALTER DATABASE shop RENAME TO {before}"),
            format!("ALTER DATABASE {beside} RENAME TO shop"),
        ],
    ];
    for done in steps {
        let journal = bench.setup.work.join("restore-db.json");
        std::fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
        for sql in &done {
            cluster.sql("postgres", sql);
        }
        assert!(
            restore::recover(&bench.setup, bench.job())
                .await
                .unwrap()
                .is_some(),
            "{done:?}"
        );
        // What had the live name may have been written into: it is not dropped.
        let aside = beside.replace("__restore_", "__aside_");
        let left = match done.len() {
            3 => format!("postgres shop {aside}"),
            _ => "postgres shop".to_owned(),
        };
        assert_eq!(cluster.databases(), left, "{done:?}");
        assert_eq!(cluster.fingerprint("shop"), wanted, "{done:?}");
        assert!(!journal.exists());
    }
    // Once more, where the name is taken; and a recovery that was cut short: what had
    // the live name has it no more, and nothing is under the name of what is dropped.
    let aside = beside.replace("__restore_", "__aside_");
    let more = [format!("{aside}_2"), format!("{aside}_3")];
    let away = format!("ALTER DATABASE shop RENAME TO {before}");
    let cut = format!("CREATE DATABASE {}", more[1]);
    for (at, done) in [
        vec![away.clone(), "CREATE DATABASE shop".to_owned()],
        vec![away, cut],
    ]
    .iter()
    .enumerate()
    {
        let journal = bench.setup.work.join("restore-db.json");
        std::fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
        done.iter()
            .for_each(|sql| drop(cluster.sql("postgres", sql)));
        let recovered = restore::recover(&bench.setup, bench.job()).await.unwrap();
        assert_eq!(recovered.unwrap().ends_with("_2"), at == 0, "{done:?}");
        let left = format!("postgres shop {aside} {}", more[..=at].join(" "));
        assert_eq!(cluster.databases(), left, "{done:?}");
        assert_eq!(cluster.fingerprint("shop"), wanted, "{done:?}");
    }
}

#[tokio::test]
async fn a_drill_proves_a_backup_asks_the_users_questions_and_leaves_nothing() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.change(|config| config.recipients.clear());
    bench.good().await;
    let target = bench.target("local");
    // Of a drill that died, and of somebody else.
    let dead = format!("belfry_drill_db_{}_0123abcd", bench.setup.mark());
    cluster.sql("postgres", &format!("CREATE DATABASE {dead}"));
    cluster.sql("postgres", "CREATE DATABASE belfry_drill_notes");
    let right = "SELECT count(*) = 5000 FROM users";
    bench.change(|config| config.jobs[0].checks = vec![right.into()]);
    let copy = bench.newest().await;
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    assert!(report.passed, "{report:?}");
    assert_eq!(bench.newest().await.last(Kind::Drilled), Some(LATER));
    assert_eq!(cluster.databases(), "belfry_drill_notes postgres shop");
    let reports = bench.files("work/drills");
    assert_eq!(reports.len(), 2, "{reports:?}");
    let text = std::fs::read_to_string(&reports[1]).unwrap();
    assert!(
        text.contains("# Drill of db: passed") && text.contains(right),
        "{text}"
    );
    // It lies with the copy as well, with what a program reads of it.
    let stored = |ending: &str| {
        let mut files = bench.files("local").into_iter();
        let file = files.find(|file| file.to_string_lossy().ends_with(ending));
        std::fs::read_to_string(file.unwrap()).unwrap()
    };
    let json = std::fs::read_to_string(&reports[0]).unwrap();
    assert_eq!(stored(".drilled-20260823T154640Z").trim_end(), json);
    let there = stored(".report-20260823T154640Z");
    assert_eq!(there, format!("{text}\n```json\n{json}\n```\n"));

    // A wrong answer, an error, and a question that would change something.
    for (sql, answer) in [
        ("SELECT max(id) > 9999 FROM users", "f"),
        ("SELECT * FROM nowhere", "does not exist"),
        ("DELETE FROM users RETURNING true", "read-only"),
    ] {
        bench.change(|config| config.jobs[0].checks = vec![sql.into(), right.into()]);
        let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
            .await
            .unwrap();
        assert!(!report.passed && !report.unsound, "{report:?}");
        assert!(report.checks[0].answer.contains(answer), "{report:?}");
        assert!(report.checks[1].passed);
    }
    assert!(
        bench.newest().await.is_good(),
        "a wrong answer does not make it unsound"
    );
    damage(&bench);
    let report = drill(
        &bench.setup,
        bench.job(),
        &target,
        &copy,
        LATER + 1000,
        &|_| {},
    )
    .await
    .unwrap();
    assert!(report.unsound, "{report:?}");
    assert!(!bench.newest().await.is_good());
    assert_eq!(cluster.databases(), "belfry_drill_notes postgres shop");
    assert_eq!(bench.files("work/scratch").len(), 0);
}

#[tokio::test]
async fn what_tells_other_servers_of_a_database_stays_out_of_its_drill() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    cluster.sql(
        "shop",
        "CREATE PUBLICATION tells FOR ALL TABLES; CREATE SUBSCRIPTION hears CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)",
    );
    bench.good().await;
    let none = "SELECT count(*) = 0 FROM pg_publication";
    let here = "SELECT count(*) = 0 FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    for sql in [none, here] {
        assert_eq!(cluster.sql("shop", sql), "f");
    }
    bench.change(|config| config.jobs[0].checks = vec![none.into(), here.into()]);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    assert!(report.passed, "{report:?}");
}
