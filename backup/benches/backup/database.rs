//! A dump into a folder and a bucket at once, and the restore, beside PostgreSQL's
//! own programs, gzip and the aws command.

use std::collections::BTreeMap;
use std::path::Path;

use crate::child::STEPS;
use crate::cluster::{BIN, Cluster};
use crate::place::{Place, Used, own, seconds, settle};
use crate::sink::Sink;
use crate::{budget, median, plain, store};

/// Bytes of a row in a dump.
const ROW: usize = 480;
const TABLES: usize = 8;

/// Hashes, texts and JSON, with the indexes that such tables have.
fn fill(cluster: &Cluster, mib: usize) {
    cluster.sql("postgres", "CREATE DATABASE shop");
    let rows = mib * (1 << 20) / ROW / TABLES;
    for at in 0..TABLES {
        for sql in [
            format!(
                "CREATE TABLE events_{at} AS SELECT n::bigint AS id, '2026-01-01'::timestamptz + n * interval '1.7 s' AS at, \
                 encode(sha256((n * 8 + {at})::text::bytea), 'hex') AS digest, (ARRAY['view','order','paid','sent','back'])[1 + n % 5] AS kind, \
                 jsonb_build_object('user', hashint4(n % 40000), 'path', '/shop/' || n % 977 || '/item/' || hashint4(n), \
                 'agent', 'Mozilla/5.0 (X11; Linux x86_64) rv:' || 90 + n % 41, 'session', md5((n / 12)::text), \
                 'amount', (abs(hashint4(n + 7)::bigint) % 100000) / 100.0, 'tags', jsonb_build_array('t' || n % 31, 't' || n % 57, n % 3 = 0), \
                 'trace', encode(sha256((n::bigint * 31 + {at})::text::bytea), 'base64')) AS data FROM generate_series(1, {rows}) n"
            ),
            format!("ALTER TABLE events_{at} ADD PRIMARY KEY (id)"),
            format!("CREATE INDEX ON events_{at} (digest)"),
            format!("VACUUM ANALYZE events_{at}"),
        ] {
            cluster.sql("shop", &sql);
        }
    }
    cluster.sql("postgres", "CHECKPOINT");
}

/// Fills a database and sets each way beside the others, in turns.
pub(crate) fn run(mib: usize, runs: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(store::Store::with_volumes_of(1024));
    // As people run it: their pg_restore waits for its log of writes too.
    let (cluster, ()) = Cluster::set(15, |_| {}, &[]);
    fill(&cluster, mib);
    let place = Place::new();
    let sink = Sink::start(None);
    let lean = Sink::start(Some(place.path("parts")));
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/awscli");
    assert!(tools.is_dir(), "no aws command: run `make bench`");
    let (socket, port) = (
        cluster.sockets.display().to_string(),
        store.port.to_string(),
    );
    let at = format!("-h {socket} -U postgres");
    let upload = format!(
        "PYTHONPATH={tools} AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
         python3 {tools}/bin/aws --endpoint-url http://127.0.0.1:{port} s3 cp --only-show-errors dump.sql.gz s3://{}/bench/dump.sql.gz",
        store::KEY_ID,
        store::SECRET,
        store::BUCKET,
        tools = tools.display(),
    );
    let bare = format!("{BIN}/pg_dump {at} -Fc -Z0 shop >/dev/null");
    let gzip = format!("{BIN}/pg_dump {at} shop | gzip >dump.sql.gz");
    place.shell(&format!("{BIN}/pg_dump {at} -Fc -Z0 shop >raw.dump"));
    let bytes = place.path("raw.dump").metadata().expect("a dump").len();
    let mib = bytes as f64 / f64::from(1 << 20);
    plain("dump, before it is compressed", mib, "MiB");

    let (mut ours, mut bares, mut gzips, mut uploads) = (vec![], vec![], vec![], vec![]);
    let (mut alone, mut sunk, mut leans) = (vec![], vec![], vec![]);
    // Who else is at work on this machine's processors.
    let mut store_used = Used::by(&store.server);
    let (mut server_used, mut bare_used) = (Used::by(&cluster.server), Used::by(&cluster.server));
    for _ in 0..runs {
        place.forget_copies();
        alone.push(place.ours("backup", &[&socket]));
        place.forget_copies();
        bares.push(bare_used.during(|| place.shell(&bare)));
        sunk.push(place.ours("backup", &[&socket, &sink.port.to_string()]));
        place.forget_copies();
        lean.forget();
        leans.push(place.ours("backup", &[&socket, &lean.port.to_string()]));
        lean.forget();
        place.forget_copies();
        let backed_up = || place.ours("backup", &[&socket, &port]);
        ours.push(store_used.during(|| server_used.during(backed_up)));
        // Slow, and there is little between its runs.
        if gzips.len() < runs.min(3) {
            gzips.push(place.shell(&gzip));
            settle();
            uploads.push(place.shell(&upload));
        }
    }
    let (ours_s, bare_s, gzip_s) = (seconds(&ours), seconds(&bares), seconds(&gzips));
    let upload_s = gzip_s + seconds(&uploads);
    plain("pg_dump -Fc -Z0 >/dev/null", bare_s, "s");
    plain(
        "  the server's processor time for it",
        bare_used.median(),
        "s",
    );
    budget(
        "backup, into a folder and a bucket: SeaweedFS",
        ours_s,
        "s",
        bare_s * 1.1,
    );
    own(&ours);
    let server_s = server_used.median();
    plain(
        "  the server's processor time for it, with counting",
        server_s,
        "s",
    );
    // It is of this machine too, and takes what nobody would take elsewhere.
    let store_s = store_used.median();
    plain("  the S3 server's processor time for it", store_s, "s");
    // What a bucket elsewhere leaves to this machine: all but the server's own work.
    let name = "backup, into a folder and a receiver that writes it down";
    budget(name, seconds(&leans), "s", bare_s * 1.1);
    own(&leans);
    let name = "backup, into a folder and a sink that keeps nothing";
    budget(name, seconds(&sunk), "s", bare_s * 1.1);
    own(&sunk);
    plain(
        "  bytes that the sink took, each time",
        sink.mib() / runs as f64,
        "MiB",
    );
    budget(
        "backup, into a folder alone",
        seconds(&alone),
        "s",
        bare_s * 1.1,
    );
    plain("pg_dump | gzip >file", gzip_s, "s");
    budget("  2.5 times ours, beside it", ours_s * 2.5, "s", gzip_s);
    plain("the same, then aws s3 cp", upload_s, "s");
    plain("  times as long as ours", upload_s / ours_s, "");
    let stored: u64 = place.stored();
    plain("stored", stored as f64 / f64::from(1 << 20), "MiB");
    let gzipped = place.path("dump.sql.gz").metadata().expect("a dump").len();
    plain("stored by gzip", gzipped as f64 / f64::from(1 << 20), "MiB");
    restores(&place, &cluster, (&socket, &port), runs);
}

fn restores(place: &Place, cluster: &Cluster, (socket, port): (&str, &str), runs: usize) {
    let (mut ours, mut bares) = (vec![], vec![]);
    let mut steps: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..runs.min(3) {
        cluster.sql("postgres", "CREATE DATABASE bare");
        cluster.sql("postgres", "CHECKPOINT");
        bares.push(place.shell(&format!(
            "{BIN}/pg_restore -h {socket} -U postgres -j 2 --exit-on-error -d bare raw.dump"
        )));
        cluster.sql("postgres", "DROP DATABASE bare");
        cluster.sql("postgres", "CHECKPOINT");
        ours.push(place.ours("restore", &[socket, port]));
        let told = std::fs::read_to_string(place.path(STEPS)).expect("when it could be used");
        for (word, at) in told.lines().filter_map(|line| line.split_once(' ')) {
            let all = steps.entry(word.to_owned()).or_default();
            all.push(at.parse().expect("a number"));
        }
    }
    let (ours_s, bare_s) = (seconds(&ours), seconds(&bares));
    plain("pg_restore -j 2, of a dump that is at hand", bare_s, "s");
    let mut at = |word: &str| median(steps.remove(word).unwrap_or_default());
    let (fetch, restore, compare, swap) = (at("fetch"), at("restore"), at("compare"), at("swap"));
    let name = "restore: fetched, restored, counted, swapped";
    budget(name, swap, "s", bare_s * 1.1);
    plain("  fetched, opened, hashed and read through", fetch, "s");
    plain("  restored by pg_restore", restore - fetch, "s");
    plain(
        "  all rows counted, and rough statistics",
        compare - restore,
        "s",
    );
    plain("  put in its place", swap - compare, "s");
    plain("  with all of its statistics, confirmed", ours_s, "s");
    own(&ours);
}
