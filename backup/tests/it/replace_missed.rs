//! Restores where the disk has no room for two, with an application that makes the
//! database that it misses, and writes into it.

use std::fs;

use backup::restore::{self, Names};

use crate::cluster::Cluster;
use crate::faults::tool::instead;
use crate::place::{Bench, Mount};
use crate::replace::{changed, kept, replaced};
use crate::replace_faults::{asides, missed};

const NUMBER: &str = "SELECT oid FROM pg_database WHERE datname = 'shop'";

/// As it is when a restore died between dropping the database and making one beside,
/// and the application has made its own. What the database was, and the journal.
async fn died(cluster: &Cluster, bench: &Bench) -> String {
    let (_, now) = changed(cluster, bench).await;
    let was = cluster.sql("postgres", NUMBER).parse().unwrap();
    replaced(bench).await.unwrap();
    cluster.sql("postgres", "DROP DATABASE shop");
    cluster.sql("postgres", "CREATE DATABASE shop");
    cluster.sql("shop", "CREATE TABLE mine (n int)");
    let names = Names {
        was: Some(was),
        ..Names::new("shop", "20260823T031000Z-0123abcd")
    };
    let journal = bench.setup.work.join("restore-db.json");
    fs::write(journal, serde_json::to_vec(&names).unwrap()).unwrap();
    now
}

async fn recovered(bench: &Bench) -> Result<String, String> {
    let done = restore::recover(&bench.setup, bench.job()).await;
    done.map(Option::unwrap_or_default)
}

const TOLD: &str = "; what had taken its place is shop__aside_";

#[tokio::test]
async fn what_takes_its_name_before_one_is_made_beside_is_kept() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let now = died(&cluster, &bench).await;
    let done = recovered(&bench).await.unwrap();
    assert!(done.contains(TOLD), "{done}");
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!((asides(&cluster), kept(&bench)), (1, 0));
}

#[tokio::test]
async fn what_was_put_back_is_not_dropped_though_its_dump_could_not_be_removed() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    changed(&cluster, &bench).await;
    replaced(&bench).await.unwrap();
    let held = Mount::held(&bench.setup.work.join("kept-db.json"));
    let undone = restore::undo(&bench.setup, bench.job()).await;
    let err = undone.unwrap_err();
    assert!(err.contains("it must go, and cannot be removed"), "{err}");
    // The application goes on with it.
    cluster.sql("shop", "CREATE TABLE later (n int)");
    drop(held);
    recovered(&bench).await.unwrap();
    assert_eq!(cluster.sql("shop", "SELECT count(*) FROM later"), "0");
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(kept(&bench), 0);
}

#[tokio::test]
async fn what_was_set_aside_is_told_though_its_dump_could_not_be_removed() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let now = died(&cluster, &bench).await;
    let held = Mount::held(&bench.setup.work.join("kept-db.json"));
    let err = recovered(&bench).await.unwrap_err();
    assert!(err.contains("it must go, and cannot be removed"), "{err}");
    assert!(err.contains(TOLD), "{err}");
    drop(held);
    recovered(&bench).await.unwrap();
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!((asides(&cluster), kept(&bench)), (1, 0));
}

#[tokio::test]
async fn what_was_set_aside_is_told_though_the_backup_could_not_take_its_place() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let (_, now) = changed(&cluster, &bench).await;
    let once = |name: &str| bench.scratch.path().join(name).display().to_string();
    let script = format!(
        r#"exec 3<&0
exec $real "$@" < <(exec 2>/dev/null; while IFS= read -r line <&3; do
  case $line in
    'CREATE DATABASE "shop__restore_'*) if mkdir {}; then
{}fi ;;
    *' RENAME TO "shop";') mkdir {} && line='SELECT 1/0;' ;;
  esac
  printf '%s\n' "$line"
done) 3<&-"#,
        once("made"),
        missed(&cluster),
        once("failed"),
    );
    let failed = once("failed");
    instead(&mut bench, "psql", &script);
    let err = replaced(&bench).await.unwrap_err();
    assert!(fs::exists(failed).unwrap(), "{err}");
    assert!(err.contains(TOLD), "{err}");
    assert!(err.ends_with("; everything is as it was"), "{err}");
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!((asides(&cluster), kept(&bench)), (1, 0));
}
