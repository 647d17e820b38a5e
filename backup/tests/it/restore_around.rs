//! What goes on around a restore of a database, single tables, and globals.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use backup::catalogue::Copy;
use backup::restore::{self, globals, restore, table};

use crate::cluster::Cluster;
use crate::place::Bench;

async fn restored(bench: &Bench, copy: &Copy) -> Result<Vec<String>, String> {
    let (done, lines) = told(bench, copy).await;
    done.map(|()| lines)
}

/// What became of it, and what was told of it.
async fn told(bench: &Bench, copy: &Copy) -> (Result<(), String>, Vec<String>) {
    let lines = Mutex::new(Vec::new());
    let say = |line: String| lines.lock().unwrap().push(line);
    let target = bench.target("local");
    let done = restore(&bench.setup, bench.job(), &target, copy, &say).await;
    (done.map(|_| ()), lines.into_inner().unwrap())
}

/// A page that answers with a status.
async fn page(status: StatusCode) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/health", get(move || async move { status }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/health")
}

fn words(text: &str) -> Vec<String> {
    ["sh", "-c", text].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn commands_run_around_a_restore_and_what_should_be_well_is_waited_for() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let copy = bench.newest().await;
    cluster.sql("shop", "DELETE FROM users");
    let notes = bench.scratch.path().join("notes").display().to_string();
    let well = page(StatusCode::OK).await;
    let psql = format!(
        "psql -h {} -U postgres -At -d shop -c",
        cluster.sockets.display()
    );
    let told = notes.clone();
    bench.change(|config| {
        let job = &mut config.jobs[0];
        job.checks = vec!["SELECT count(*) = 5000 FROM users".into()];
        job.restore.before = words(&format!("{psql} 'SELECT count(*) FROM users' >{told}"));
        job.restore.migrate = words(&format!(
            "{psql} 'CREATE TABLE migrated (); SELECT count(*) FROM users' >>{told}"
        ));
        job.restore.healthy = vec![well];
        job.restore.after = words(&format!("echo after $BELFRY_JOB >>{told}; exit 3"));
    });
    let lines = restored(&bench, &copy).await.unwrap();
    let notes = std::fs::read_to_string(notes).unwrap();
    assert_eq!(notes, "0\nCREATE TABLE\n5000\nafter db\n");
    for line in [
        "right   SELECT count(*) = 5000",
        "migrate sh",
        "well    http://127",
        "warn    the command after",
    ] {
        assert!(
            lines.iter().any(|told| told.starts_with(line)),
            "{line}: {lines:?}"
        );
    }
    assert_eq!(cluster.sql("shop", "SELECT count(*) FROM migrated"), "0");
}

type Change = Box<dyn Fn(&mut backup::Job)>;

#[tokio::test]
async fn a_restore_whose_surroundings_fail_puts_everything_back() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let copy = bench.newest().await;
    cluster.sql("shop", "DELETE FROM users WHERE id > 10");
    let before = cluster.fingerprint("shop");
    let ill = page(StatusCode::SERVICE_UNAVAILABLE).await;
    let job = bench.job().clone();
    let cases: [(&str, Change); 6] = [
        (
            "SELECT false is f",
            Box::new(|job| job.checks = vec!["SELECT false".into()]),
        ),
        (
            "the command before: sh ended with code 7",
            Box::new(|job| job.restore.before = words("exit 7")),
        ),
        (
            "the migration: sh ended with code 8: no such column",
            Box::new(|job| job.restore.migrate = words("echo no such column >&2; exit 8")),
        ),
        (
            "the migration: it took longer than 1s",
            Box::new(|job| {
                job.restore.migrate = vec!["sleep".into(), "600".into()];
                job.restore.hook_timeout = std::time::Duration::from_secs(1);
            }),
        ),
        (
            "is not well: it answers 503",
            Box::new(move |job| {
                job.restore.healthy = vec![ill.clone()];
                job.restore.healthy_within = std::time::Duration::ZERO;
            }),
        ),
        (
            "no engine is there",
            Box::new(|job| job.restore.stop = vec!["app".into()]),
        ),
    ];
    for (cause, change) in cases {
        bench.change(|config| {
            config.jobs[0] = job.clone();
            change(&mut config.jobs[0]);
        });
        let (done, lines) = told(&bench, &copy).await;
        let err = done.unwrap_err();
        assert!(
            err.contains(cause) && err.contains("everything is as it was"),
            "{cause}: {err}"
        );
        assert_eq!(cluster.fingerprint("shop"), before, "{cause}");
        assert!(!restore::is_left(&bench.setup, bench.job()), "{cause}");
        // What had the live name for a while is kept under another, and told.
        let aside = |line: &str| line.contains("__aside_");
        let had_the_name = ["the migration", "is not well"]
            .iter()
            .any(|late| cause.contains(late));
        assert_eq!(
            lines.iter().any(|line| aside(line)),
            had_the_name,
            "{cause}: {lines:?}"
        );
        assert_eq!(aside(&cluster.databases()), had_the_name, "{cause}");
        for name in cluster.databases().split(' ').filter(|name| aside(name)) {
            cluster.sql("postgres", &format!("DROP DATABASE {name}"));
        }
        assert_eq!(cluster.databases(), "postgres shop", "{cause}");
    }
}

#[tokio::test]
async fn rows_that_were_changed_since_are_told_although_there_are_as_many() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    let copy = bench.newest().await;
    let facts = copy.manifest.postgres.clone().unwrap();
    let lost = async || {
        restore::loss(&bench.setup, bench.job(), &facts)
            .await
            .unwrap()
    };
    assert_eq!(lost().await, Vec::<String>::new());
    cluster.sql("shop", "DELETE FROM users WHERE id > 4990");
    assert_eq!(lost().await, Vec::<String>::new(), "nothing would be lost");
    cluster.sql("shop", "VACUUM FREEZE users");
    assert_eq!(lost().await, Vec::<String>::new());
    cluster.sql("shop", "UPDATE users SET name = name WHERE id < 3");
    let told = ["public.users: 2 rows that are new or were changed since"];
    assert_eq!(lost().await, told);
    cluster.sql("shop", "VACUUM users");
    assert_eq!(lost().await, told);
    // Of a database that was restored nobody knows when its rows were written.
    restored(&bench, &copy).await.unwrap();
    assert_eq!(lost().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_single_table_is_restored_beside_the_live_one() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql(
        "shop",
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE SCHEMA \"odd one\";
         CREATE TABLE \"odd one\".\"a.b\" (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, m mood NOT NULL, \
         t text COLLATE \"C\", n numeric(10,2)[], f float8, d timestamptz, b bytea, twice int GENERATED ALWAYS AS (length(t) * 2) STORED);
         INSERT INTO \"odd one\".\"a.b\" (m, t, n, f, d, b) SELECT 'bad', E'a\\tb\\n\\\\' || i, ARRAY[i, NULL], i / 3.0, now(), decode('00ff', 'hex') FROM generate_series(1, 500) i;
         INSERT INTO \"odd one\".\"a.b\" (m) VALUES ('good');
         CREATE TABLE parts (k int, v text) PARTITION BY RANGE (k);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
         CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
         INSERT INTO parts SELECT i, i::text FROM generate_series(0, 19) i",
    );
    let bench = Bench::new(&cluster);
    bench.good().await;
    let copy = bench.newest().await;
    let target = bench.target("local");
    let get = async |table: &str, into: Option<&str>| {
        table::restore(
            &bench.setup,
            bench.job(),
            &target,
            &copy,
            (table, into),
            &|_| {},
        )
        .await
    };
    let sum = |table: &str| {
        cluster.sql(
            "shop",
            &format!(
                "SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t"
            ),
        )
    };
    let (odd, parts, users) = (sum("\"odd one\".\"a.b\""), sum("parts"), sum("users"));
    cluster.sql("shop", "TRUNCATE \"odd one\".\"a.b\"; DELETE FROM parts WHERE k > 5; DELETE FROM users WHERE id = 1");
    let live = [sum("parts"), sum("users")];

    let made = get("odd one.a.b", Some("public.back")).await.unwrap();
    assert_eq!((made.as_str(), sum("back")), ("public.back", odd));
    let kinds = "SELECT string_agg(format_type(atttypid, atttypmod) || attnotnull, ' ' ORDER BY attnum) \
        FROM pg_attribute WHERE attnum > 0 AND attrelid = 'back'::regclass";
    assert_eq!(
        cluster.sql("shop", kinds),
        "integertrue moodtrue textfalse numeric(10,2)[]false double precisionfalse \
         timestamp with time zonefalse byteafalse integerfalse"
    );
    let made = get("parts", None).await.unwrap();
    assert!(made.starts_with("public.parts__restored_"), "{made}");
    assert_eq!(sum(&made), parts);
    let made = get("public.users", None).await.unwrap();
    assert_eq!(sum(&made), users);
    assert_eq!(
        [sum("parts"), sum("users")],
        live,
        "what is live is untouched"
    );

    let err = get("users", Some("back")).await.unwrap_err();
    assert_eq!(err, "there is a table public.back already");
    let err = get("nothing", None).await.unwrap_err();
    assert_eq!(err, "the backup has no table public.nothing");
    let err = get("users", Some("nowhere.x")).await.unwrap_err();
    assert!(err.contains("schema \"nowhere\" does not exist"), "{err}");
    assert_eq!(cluster.databases(), "postgres shop");
}

#[tokio::test]
async fn globals_that_a_server_refuses_are_named_and_keep_no_other_from_being_made() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql(
        "postgres",
        "CREATE ROLE team; GRANT team TO seller; COMMENT ON ROLE team IS 'it''s; a \\\\! team'",
    );
    let place = tempfile::tempdir().unwrap();
    let run = |program: &str, words: &[&str]| {
        crate::cluster::run(
            std::process::Command::new(program)
                .args(words)
                .arg(place.path()),
        );
    };
    run("chmod", &["755"]);
    run("chown", &["postgres"]);
    cluster.sql(
        "postgres",
        &format!(
            "CREATE TABLESPACE fast LOCATION '{}'",
            place.path().display()
        ),
    );
    // A job of the globals alone: they lie beside each database too.
    let mut bench = Bench::new(&cluster);
    bench.change(|config| {
        config.jobs[0].database.clear();
        config.jobs[0].globals = true;
    });
    assert_eq!(bench.setup.config.faults(), []);
    let manifest = bench.good().await;
    assert_eq!(
        (manifest.kind.as_str(), manifest.pieces.len()),
        ("globals", 1)
    );
    let target = bench.target("local");
    let copy = bench.newest().await;
    backup::verify::verify(&bench.setup, bench.job(), &target, &copy, 1, &|_| {})
        .await
        .unwrap();
    let drilled = backup::drill::drill(&bench.setup, bench.job(), &target, &copy, 1, &|_| {})
        .await
        .unwrap();
    assert!(!drilled.passed && !drilled.unsound, "{drilled:?}");
    drop(cluster);
    drop(place);
    let other = Cluster::start();
    bench.change(|config| config.jobs[0].host = other.sockets.display().to_string());
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let say = move |line: String| lines.lock().unwrap().push(line);
    let applied = globals::apply(&bench.setup, bench.job(), &target, &copy, &say)
        .await
        .unwrap();
    // The superuser was there; the folder of the tablespace is not.
    assert_eq!((applied.there, applied.failed.len()), (1, 1), "{applied:?}");
    assert!(applied.failed[0].contains("does not exist"), "{applied:?}");
    assert!(
        told.lock()
            .unwrap()
            .iter()
            .any(|line| line.starts_with("FAILED"))
    );
    let roles = "SELECT rolpassword IS NOT NULL, pg_has_role('seller', 'team', 'member'), \
        shobj_description((SELECT oid FROM pg_roles WHERE rolname = 'team'), 'pg_authid') FROM pg_authid WHERE rolname = 'seller'";
    assert_eq!(other.sql("postgres", roles), "t|t|it's; a \\\\! team");
    let again = globals::apply(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!((again.there, again.failed.len()), (3, 1), "{again:?}");
}
