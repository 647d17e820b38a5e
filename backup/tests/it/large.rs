//! The first backup of what is large, into a bucket that takes only so many parts.

use std::process::Command;

use crate::bucket::bench::Bench as Bucket;
use crate::cluster::{Cluster, run};
use crate::faults::bucket as place;
use crate::place::Bench;
use crate::strict::To;

#[tokio::test]
async fn the_parts_of_a_first_dump_are_as_large_as_its_database_and_not_as_what_came_before() {
    let cluster = Cluster::start();
    cluster.shop();
    // Some 20 MiB that do not become smaller.
    cluster.sql(
        "shop",
        "CREATE TABLE noise AS SELECT sha512(n::text::bytea) || sha512(('a' || n)::bytea) b FROM generate_series(1, 170000) n",
    );
    let bucket = Bucket::new().await;
    let mut bench = Bench::new(&cluster);
    bench.change(|config| config.targets = vec![place(bucket.port, "")]);
    let parts = async |bench: &Bench| {
        bucket.strict.forget();
        bench.good().await;
        bucket.strict.seen(To::Part)
    };
    let small = parts(&bench).await;
    assert!(small > 2, "of the least size there are more: {small}");
    // A database of 300 GB on its disk, as the server tells it: a file that is a hole.
    let path = "SELECT current_setting('data_directory') || '/base/' || oid || '/99999999' FROM pg_database WHERE datname = 'shop'";
    let hole = cluster.sql("postgres", path);
    run(Command::new("truncate").args(["--size=300G", &hole]));
    let size = cluster.sql(
        "shop",
        "SELECT pg_database_size('shop') > 300::bigint << 30",
    );
    assert_eq!(size, "t");
    // It has grown since the last one, and is the first of its host.
    let grown = parts(&bench).await;
    assert_eq!(grown, 0, "all of it fits one, which is no upload in parts");
    bench.setup.host = "another".into();
    assert_eq!(parts(&bench).await, 0);
    assert_eq!(bucket.strict.broken(), Vec::<String>::new());
}
