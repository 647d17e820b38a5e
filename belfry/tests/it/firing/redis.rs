//! A Redis that is out of connections, out of disk, cut off, or too large.

use std::net::TcpStream;

use super::Watched;
use crate::setup::Setup;
use crate::support::claim;
use crate::support::fault::SmallDisk;
use crate::support::redis::Redis;

#[test]
fn rules_about_redis_fire_for_too_many_clients_a_full_disk_and_a_lost_master() {
    let redis = Redis::start();
    let replica = Redis::start();
    let nobody = claim::port();
    let port = redis.port();
    let disk = SmallDisk::new(2 << 20);
    let watched = Watched::start(Setup::new().exporter(&format!(
        "redis: {{interval: 500ms, servers: [{{address: '127.0.0.1:{port}'}}, {{address: '127.0.0.1:{}'}}]}}",
        replica.port()
    )));
    watched.is_known("sum(redis_up) == 2");
    let folder = disk.path().display().to_string();
    redis.command(&["config", "set", "dir", &folder]);
    redis.command(&["config", "set", "stop-writes-on-bgsave-error", "no"]);
    redis.command(&["config", "set", "appendonly", "yes"]);
    replica.command(&["replicaof", "127.0.0.1", &nobody.number.to_string()]);
    redis.command(&["config", "set", "maxclients", "20"]);
    let client = || TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let held: Vec<TcpStream> = (0..18).map(|_| client()).collect();
    watched.fires(
        &[
            ("RedisConnections", "warning"),
            ("RedisReplicaCutOff", "warning"),
        ],
        || {},
    );
    watched.fires(&[("RedisRejectsConnections", "critical")], || {
        drop((0..5).map(|_| client()).collect::<Vec<_>>());
    });
    drop(held);
    disk.fill();
    watched.fires(
        &[
            ("RedisAppendFailed", "critical"),
            ("RedisSaveFailed", "critical"),
        ],
        || {
            // Refused once the log cannot be written; asked for while a save runs.
            let _ = redis.attempt(&["set", "a", "b"]);
            let _ = redis.attempt(&["bgsave"]);
        },
    );
}

#[test]
fn rules_about_redis_fire_for_one_that_takes_much_memory_without_a_limit_and_in_pieces() {
    let redis = Redis::start();
    let watched = Watched::start(Setup::new().exporter(&format!(
        "redis: {{interval: 500ms, servers: [{{address: '127.0.0.1:{}'}}]}}",
        redis.port()
    )));
    // Every fourth is kept later, so that no page of memory becomes free.
    for round in 0..33 {
        let more = "local value = string.rep('x', 1000) for i = 1, 10000 do redis.call('set', KEYS[1] .. i, value) end";
        redis.command(&["eval", more, "1", &format!("{round}-")]);
    }
    watched.fires(&[("RedisWithoutMemoryLimit", "info")], || {});
    for round in 0..33 {
        let most = "for i = 1, 10000 do if i % 4 > 0 then redis.call('del', KEYS[1] .. i) end end";
        redis.command(&["eval", most, "1", &format!("{round}-")]);
    }
    watched.fires(&[("RedisFragmented", "info")], || {});
}
