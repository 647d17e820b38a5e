//! A Celery application whose queues stand, whose tasks fail, and whose workers die.

use super::Watched;
use crate::setup::Setup;
use crate::support::celery::Shop;

fn setup(shop: &Shop) -> Setup {
    Setup::new().exporter(&format!(
        "celery: {{interval: 500ms, inspect: 1s, worker_timeout: 8s, brokers: [{{address: '127.0.0.1:{}'}}], \
         beat: [{{task: shop.add, every: 1s}}]}}",
        shop.redis.port()
    ))
}

#[test]
fn rules_about_queues_fire_where_nobody_takes_the_tasks() {
    let shop = Shop::start();
    let watched = Watched::start(setup(&shop));
    watched.is_known("belfry_celery_listening == 1");
    shop.send(&["backlog"]);
    shop.send(&["crowd", "bulk", "120", "0", "well"]);
    // Copies of what waits: a producer that is faster than any worker.
    let more = "local one = redis.call('lindex', KEYS[1], 0) for i = 1, 10 do redis.call('lpush', KEYS[1], one) end";
    watched.fires(
        &[
            ("CeleryQueueStuck", "warning"),
            ("CeleryQueueStuck", "critical"),
            ("CeleryQueueOld", "warning"),
            ("CeleryQueueOld", "critical"),
            ("CeleryQueueGrows", "warning"),
            ("CeleryBeatLate", "warning"),
        ],
        || drop(shop.redis.command(&["eval", more, "1", "bulk"])),
    );
}

#[test]
fn rules_about_workers_fire_for_failing_late_and_hanging_tasks_and_for_their_end() {
    let mut shop = Shop::start();
    let watched = Watched::start(setup(&shop));
    watched.is_known("belfry_celery_listening == 1");
    shop.send(&["crowd", "late", "150", "0.3", "well"]);
    shop.send(&["crowd", "vain", "80", "0.3", "in vain"]);
    shop.send(&["bulk", &shop.path("never").display().to_string()]);
    let alpha = shop.worker("alpha@here", "late,vain", "2");
    let beta = shop.worker("beta@here", "bulk", "1");
    watched.fires(
        &[
            ("CeleryTasksFail", "warning"),
            ("CeleryTasksLate", "info"),
            ("CeleryWorkerHangs", "warning"),
        ],
        || {},
    );
    beta.kill();
    watched.fires(&[("CeleryWorkerDown", "warning")], || {});
    alpha.kill();
    watched.fires(&[("CeleryNoWorkers", "critical")], || {});
    shop.redis.stop();
    watched.fires(&[("CeleryBrokerDown", "critical")], || {});
}
