//! Restores where the disk has no room for two, with somebody who goes on writing, a
//! server that is cut short in dropping, and a disk that is full.

use std::fs;
use std::path::Path;

use backup::restore::{self, Names};

use crate::cluster::{BIN, Cluster};
use crate::faults::tool::instead;
use crate::place::{Bench, Mount};
use crate::replace::{READ, changed, kept, replaced};

#[tokio::test]
async fn what_was_written_until_the_last_moment_is_in_the_dump_that_is_kept() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    changed(&cluster, &bench).await;
    cluster.sql("shop", "CREATE TABLE late (n int)");
    let (tried, taken) = (bench.scratch.path().join("tried"), bench.scratch.path());
    let taken = taken.join("taken");
    // The snapshot of the dump is made, and somebody still writes.
    let script = format!(
        "{BIN}/psql -X -q -h {} -U postgres -d shop -c 'INSERT INTO late VALUES (1)' && echo >> {}\ntouch {}\nexec $real \"$@\"",
        cluster.sockets.display(),
        taken.display(),
        tried.display(),
    );
    instead(&mut bench, "pg_dump", &script);
    replaced(&bench).await.unwrap();
    assert!(tried.exists());
    bench.change(|config| config.jobs[0].bin = BIN.into());
    restore::undo(&bench.setup, bench.job()).await.unwrap();
    let taken = fs::read_to_string(taken).unwrap_or_default();
    let rows = cluster.sql("shop", "SELECT count(*) FROM late");
    assert_eq!(rows, taken.lines().count().to_string());
}

#[tokio::test]
async fn a_database_that_was_dropped_in_part_is_made_of_its_dump() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let (wanted, now) = changed(&cluster, &bench).await;
    let once = bench.scratch.path().join("once");
    // What a server leaves that is cut short in it.
    let script = format!(
        r#"exec 3<&0
exec $real "$@" < <(exec 2>/dev/null; while IFS= read -r line <&3; do
  if [[ $line == 'DROP DATABASE '* ]] && mkdir {}; then
    name=${{line#DROP DATABASE }}; name=${{name%% WITH*}}; name=${{name//\"/}}
    line="UPDATE pg_database SET datconnlimit = -2 WHERE datname = '$name'; SELECT 1/0;"
    printf '%s\n' "$line"; break
  fi
  printf '%s\n' "$line"
done) 3<&-"#,
        once.display()
    );
    instead(&mut bench, "psql", &script);
    let err = replaced(&bench).await.unwrap_err();
    assert!(once.exists(), "{err}");
    assert!(err.ends_with("; everything is as it was"), "{err}");
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(kept(&bench), 0);
    replaced(&bench).await.unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
}

#[tokio::test]
async fn what_the_server_would_not_drop_is_not_touched_nor_what_took_its_name_meanwhile() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let (_, now) = changed(&cluster, &bench).await;
    let template = |is| {
        let sql = format!("ALTER DATABASE shop IS_TEMPLATE {is}");
        cluster.sql("postgres", &sql);
    };
    template(true);
    let err = replaced(&bench).await.unwrap_err();
    let told = "its mark as a template keeps the server from dropping the live database";
    assert_eq!(err, told);
    template(false);
    assert_eq!(cluster.fingerprint("shop"), now);
    instead(
        &mut bench,
        "pg_dump",
        &format!("{}exit 1", missed(&cluster)),
    );
    let err = replaced(&bench).await.unwrap_err();
    assert!(err.ends_with("; everything is as it was"), "{err}");
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(asides(&cluster), 1);
}

/// An application makes the database that it misses, and writes into it.
pub(crate) fn missed(cluster: &Cluster) -> String {
    format!(
        "{BIN}/psql -X -q -h {0} -U postgres -d postgres -c 'CREATE DATABASE shop' >&2\n{BIN}/psql -X -q -h {0} -U postgres -d shop -c 'CREATE TABLE mine (n int)' >&2\n",
        cluster.sockets.display(),
    )
}

/// How many databases are kept of those that it made: there is nothing else.
pub(crate) fn asides(cluster: &Cluster) -> usize {
    let databases = cluster.databases();
    let (asides, others): (Vec<_>, Vec<_>) = databases
        .split(' ')
        .partition(|name| name.contains("__aside_"));
    assert_eq!(others, ["postgres", "shop"]);
    for aside in &asides {
        assert_eq!(cluster.sql(aside, "SELECT count(*) FROM mine"), "0");
    }
    asides.len()
}

#[tokio::test]
async fn what_takes_the_name_of_a_dropped_database_is_kept_whatever_becomes_of_the_restore() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let (wanted, now) = changed(&cluster, &bench).await;
    let once = bench.scratch.path().join("once");
    let begin = format!("{READ}\nmkdir {} || exec $real \"$@\"\n", once.display());
    let missed = missed(&cluster);
    for (end, asides_then) in [("exit 1", 1), ("exec $real \"$@\"", 2)] {
        instead(&mut bench, "pg_restore", &format!("{begin}{missed}{end}"));
        let done = replaced(&bench).await;
        assert!(once.exists(), "{done:?}");
        let failed = done.as_ref().err();
        let told = |err: &String| err.ends_with("; everything is as it was");
        assert!(failed.is_none_or(told), "{done:?}");
        let is_there = if failed.is_some() { &now } else { &wanted };
        assert_eq!(cluster.fingerprint("shop"), *is_there, "{end}");
        assert_eq!(asides(&cluster), asides_then, "{end}");
        fs::remove_dir(&once).unwrap();
    }
    bench.change(|config| config.jobs[0].bin = BIN.into());
    restore::undo(&bench.setup, bench.job()).await.unwrap();
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(asides(&cluster), 2);
}

#[tokio::test]
async fn what_takes_its_name_while_its_dump_cannot_be_unpacked_is_kept() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let (_, now) = changed(&cluster, &bench).await;
    replaced(&bench).await.unwrap();
    // A file where a folder should be.
    let scratch = bench.setup.work.join("scratch");
    fs::remove_dir_all(&scratch).unwrap();
    fs::write(&scratch, "").unwrap();
    restore::undo(&bench.setup, bench.job()).await.unwrap_err();
    cluster.sql("postgres", "CREATE DATABASE shop");
    cluster.sql("shop", "CREATE TABLE mine (n int)");
    let recover = async || restore::recover(&bench.setup, bench.job()).await;
    let told = recover().await.unwrap_err();
    assert!(
        told.contains("what had taken its place is shop__"),
        "{told}"
    );
    fs::remove_file(&scratch).unwrap();
    assert!(recover().await.unwrap().is_some());
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(asides(&cluster), 1);
}

/// A server and our own folder on one small disk.
fn together(options: &str) -> (Cluster, Mount, Bench) {
    let options = format!("{options},mode=777");
    let small = |data: &Path| Mount::small(data.parent().unwrap(), &options);
    let (cluster, disk) = Cluster::on(15, small);
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.setup.work = cluster.sockets.join("work");
    fs::create_dir(&bench.setup.work).unwrap();
    (cluster, disk, bench)
}

fn free(cluster: &Cluster) -> u64 {
    let about = rustix::fs::statvfs(&cluster.sockets).unwrap();
    about.f_bavail * about.f_frsize
}

#[tokio::test]
async fn a_database_is_put_back_although_what_was_restored_has_filled_the_disk() {
    let (cluster, _disk, bench) = together("size=250m");
    let (_, now) = changed(&cluster, &bench).await;
    let number = "SELECT oid FROM pg_database WHERE datname = 'shop'";
    let names = |was| Names {
        was: Some(was),
        ..Names::new("shop", "20260823T031000Z-0123abcd")
    };
    for half in [true, false] {
        let was = cluster.sql("postgres", number).parse().unwrap();
        replaced(&bench).await.unwrap();
        let names = Names {
            made: Some(cluster.sql("postgres", number).parse().unwrap()),
            ..names(was)
        };
        let mut full = "shop";
        if half {
            full = &names.beside;
            cluster.sql("postgres", "DROP DATABASE shop");
            cluster.sql("postgres", &format!("CREATE DATABASE {full}"));
        }
        // Less is left than is asked for to unpack anything.
        for at in 0.. {
            if free(&cluster) < 64 << 20 {
                break;
            }
            let sql = format!(
                "CREATE TABLE ballast_{at} AS SELECT repeat(md5(n::text), 30) AS text FROM generate_series(1, 5000) n"
            );
            cluster.sql(full, &sql);
        }
        let journal = bench.setup.work.join("restore-db.json");
        fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
        let done = restore::recover(&bench.setup, bench.job()).await.unwrap();
        assert!(done.is_some() && !journal.exists());
        assert_eq!(cluster.fingerprint("shop"), now, "{half}");
        assert_eq!(cluster.databases(), "postgres shop");
        assert!(!bench.setup.work.join("kept-db.json").exists());
    }
}

#[tokio::test]
async fn a_database_that_could_not_be_put_back_for_want_of_room_is_not_dropped() {
    let (cluster, _disk, bench) = together("size=200m");
    changed(&cluster, &bench).await;
    // The server packs what is in it far smaller than a dump is.
    let large =
        "CREATE TABLE large AS SELECT repeat('a', 1 << 20) AS text FROM generate_series(1, 150)";
    cluster.sql("shop", large);
    let err = replaced(&bench).await.unwrap_err();
    assert!(
        err.contains("are needed to put back what is kept, and shop is not dropped"),
        "{err}"
    );
    assert!(err.ends_with("; everything is as it was"), "{err}");
    assert_eq!(cluster.sql("shop", "SELECT count(*) FROM large"), "150");
    assert_eq!(cluster.databases(), "postgres shop");
    assert!(!bench.setup.work.join("kept-db.json").exists());
}

#[tokio::test]
async fn no_dump_is_begun_where_its_disk_has_no_room_for_it() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let (_, now) = changed(&cluster, &bench).await;
    let kept = bench.setup.work.join("kept");
    // So much stays free beside it, and nothing is left then.
    let _disk = Mount::small(&kept, "size=64m");
    let begun = bench.scratch.path().join("begun");
    let script = format!("touch {}; exec $real \"$@\"", begun.display());
    instead(&mut bench, "pg_dump", &script);
    let err = replaced(&bench).await.unwrap_err();
    assert!(
        err.contains("cannot be dumped, and is not dropped: ") && err.contains("bytes are free"),
        "{err}"
    );
    assert!(!begun.exists());
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(cluster.databases(), "postgres shop");
}
