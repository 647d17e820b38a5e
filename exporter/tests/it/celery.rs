//! A real Celery application over a real Redis: queues, priorities, failures,
//! retries, tasks that are called off, a worker that is killed, and a broker
//! that goes away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use exporter::celery::{Beat, Broker, Celery, Config};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio_util::sync::CancellationToken;

use crate::redis::Instance;
use crate::server::{Scratch, Server, run};
use crate::watch::within;

/// The application; one broker and any number of workers.
pub(crate) struct Shop {
    pub(crate) redis: Instance,
    pub(crate) scratch: Scratch,
}

impl Shop {
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new();
        let redis = Instance::start(&scratch.path, "broker", 0, &[]);
        Self { redis, scratch }
    }

    pub(crate) fn python(&self) -> Command {
        let broker = format!("redis+socket://{}", self.redis.socket.display());
        python(&broker, &self.scratch.path)
    }

    pub(crate) fn send(&self, words: &[&str]) {
        run(self.python().args(["-m", "shop"]).args(words));
    }

    /// A worker, in a process group of its own.
    fn worker(&self, node: &str, queues: &str, concurrency: &str) -> Server {
        let log = self.path(&format!("{node}.log"));
        worker(self.python(), &log, &[node, queues, concurrency])
    }

    fn watch(&self, kept: Option<&str>) -> Work {
        let celery = Celery::new(Config {
            brokers: vec![Broker {
                address: self.redis.socket.display().to_string(),
                ..Broker::default()
            }],
            interval: Duration::from_millis(200),
            deadline: Duration::from_secs(20),
            inspect: Duration::from_secs(1),
            // A sign of life comes every 2 s.
            worker_timeout: Duration::from_secs(8),
            beat: vec![Beat {
                task: "shop.add".into(),
                every: Duration::from_secs(3600),
                ..Beat::default()
            }],
            ..Config::default()
        });
        if let Some(kept) = kept {
            celery.restore(kept).unwrap();
        }
        Work::start(celery)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path.join(name)
    }
}

/// Python with the application, whose broker is this.
pub(crate) fn python(broker: &str, folder: &Path) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("../.tools/celery");
    assert!(
        tools.join("celery").is_dir(),
        "Celery is not installed: run `make setup`"
    );
    let mut python = Command::new(crate::server::find("python3", "python3"));
    let paths = [tools, root.join("tests/it/celery")];
    python
        .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BROKER", broker)
        .current_dir(folder);
    python
}

/// A worker, in a process group of its own: its node, queues and concurrency.
pub(crate) fn worker(mut python: Command, log: &Path, of: &[&str; 3]) -> Server {
    use std::os::unix::process::CommandExt;
    let [node, queues, concurrency] = of;
    python.args(["-m", "celery", "-A", "shop", "worker"]);
    python.args(["-n", node, "-Q", queues, "-c", concurrency]);
    // Root may run it here: its tasks are ours.
    python.env("C_FORCE_ROOT", "1").process_group(0);
    Server::start(&mut python, log, Signal::TERM)
}

/// A watcher at work, until it is dropped.
pub(crate) struct Work {
    pub(crate) celery: Celery,
    stop: CancellationToken,
}

impl Work {
    pub(crate) fn start(celery: Celery) -> Self {
        let stop = CancellationToken::new();
        tokio::spawn({
            let (celery, stop) = (celery.clone(), stop.clone());
            async move { celery.run(stop).await }
        });
        Self { celery, stop }
    }

    /// The first page with all these lines.
    pub(crate) async fn until(&self, wanted: &[&str]) -> String {
        let mut readings = self.celery.readings();
        let mut page = String::new();
        let found = async {
            loop {
                page = self.celery.page().await;
                let has = |line: &&str| page.lines().any(|one| one == *line);
                if wanted.iter().all(has) {
                    return;
                }
                readings.changed().await.unwrap();
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(180), found).await;
        let missing: Vec<_> = wanted
            .iter()
            .filter(|line| !page.lines().any(|one| one == **line))
            .collect();
        assert!(found.is_ok(), "{missing:#?} are missing on:\n{page}");
        page
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn value(page: &str, series: &str) -> Option<f64> {
    let mut lines = page.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    value.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_celery_application_is_told_from_its_queues_to_its_killed_worker() {
    let mut shop = Shop::start();
    let work = shop.watch(None);
    work.until(&["belfry_celery_listening 1"]).await;

    // Nobody works: three priorities in one queue, one message in another.
    shop.send(&["backlog"]);
    let page = work
        .until(&[
            "celery_queue_length{queue_name=\"mail\"} 3",
            "celery_queue_length{queue_name=\"celery\"} 1",
            "belfry_celery_queue_priority_length{priority=\"0\",queue_name=\"mail\"} 1",
            "belfry_celery_queue_priority_length{priority=\"3\",queue_name=\"mail\"} 1",
            "belfry_celery_queue_priority_length{priority=\"6\",queue_name=\"mail\"} 0",
            "belfry_celery_queue_priority_length{priority=\"9\",queue_name=\"mail\"} 1",
            "belfry_celery_beat_late{name=\"shop.add\"} 0",
        ])
        .await;
    let age = "belfry_celery_queue_oldest_age_seconds{queue_name=\"mail\"}";
    assert!(value(&page, age) > Some(0.0), "{page}");
    assert!(
        value(
            &page,
            "belfry_celery_beat_last_sent_timestamp_seconds{name=\"shop.add\"}"
        ) > Some(1e9)
    );

    // A worker that sends no events until it is told to.
    let usual = shop.worker("celery@alpha", "mail,celery", "2");
    work.until(&[
        "celery_worker_up{hostname=\"alpha\"} 1",
        "belfry_celery_worker_pool_size{hostname=\"alpha\"} 2",
        "celery_active_worker_count{queue_name=\"mail\"} 1",
        "celery_active_process_count{queue_name=\"celery\"} 2",
        "celery_queue_length{queue_name=\"mail\"} 0",
        "belfry_celery_queue_oldest_age_seconds{queue_name=\"mail\"} 0",
    ])
    .await;
    shop.send(&["work"]);
    let of = |what: &str, name: &str, queue: &str, count: u32| {
        format!(
            "celery_task_{what}_total{{hostname=\"alpha\",name=\"shop.{name}\",queue_name=\"{queue}\"}} {count}"
        )
    };
    let lines = [
        of("succeeded", "add", "mail", 3),
        of("started", "add", "mail", 3),
        of("revoked", "add", "celery", 1),
        of("received", "fail", "celery", 2),
        of("retried", "flaky", "celery", 1),
        of("succeeded", "flaky", "celery", 1),
        of("rejected", "refuse", "celery", 1),
        "celery_task_failed_total{exception=\"ValueError\",hostname=\"alpha\",name=\"shop.fail\",queue_name=\"celery\"} 2".to_owned(),
        "celery_task_runtime_count{hostname=\"alpha\",name=\"shop.add\",queue_name=\"mail\"} 3".to_owned(),
        "celery_task_queue_wait_time_count{hostname=\"alpha\",name=\"shop.add\",queue_name=\"mail\"} 3".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let page = work.until(&lines).await;
    let sent: f64 = page
        .lines()
        .filter(|line| line.starts_with("celery_task_sent_total{") && line.contains("shop.add"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(sent, 8.0, "{page}");
    assert!(!page.contains("hunter2"), "{page}");
    crate::contracts::celery(&page);

    // A worker with more than it can do, which is then killed.
    let killed = shop.worker("bulk@beta", "bulk", "1");
    work.until(&["celery_active_process_count{queue_name=\"bulk\"} 1"])
        .await;
    let gate = shop.path("gate");
    shop.send(&["bulk", &gate.display().to_string()]);
    work.until(&[
        "celery_worker_tasks_active{hostname=\"bulk@beta\"} 1",
        "belfry_celery_worker_reserved{hostname=\"bulk@beta\"} 1",
        "celery_queue_length{queue_name=\"bulk\"} 1",
        "belfry_celery_unacked_messages 1",
    ])
    .await;
    let group = Pid::from_raw(killed.pid() as i32).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
    work.until(&[
        "celery_worker_up{hostname=\"bulk@beta\"} 0",
        "celery_active_worker_count{queue_name=\"bulk\"} 0",
        "celery_worker_up{hostname=\"alpha\"} 1",
    ])
    .await;

    // Another process of ours goes on with the counts.
    let kept = work.celery.snapshot().unwrap();
    assert!(!kept.contains("hunter2"));
    drop(work);
    // It may have been killed in the middle of a question.
    let bindings = "_kombu.binding.reply.celery.pidbox";
    let orphaned = shop.redis.command(&["SMEMBERS", bindings]);
    let work = shop.watch(Some(&kept));
    work.until(&lines).await;
    work.until(&["celery_worker_up{hostname=\"alpha\"} 1"])
        .await;
    shop.send(&["work"]);
    work.until(&[&of("succeeded", "add", "mail", 6)]).await;

    // The broker goes away and returns; nobody is called silent meanwhile.
    shop.redis.stop();
    let page = work.until(&["belfry_celery_broker_up 0"]).await;
    assert!(
        !page.contains("celery_worker_up{hostname=\"alpha\"} 0"),
        "{page}"
    );
    shop.redis = Instance::start(&shop.scratch.path, "broker", 0, &[]);
    work.until(&["belfry_celery_broker_up 1", "belfry_celery_listening 1"])
        .await;
    // The worker comes back by itself, at its next try, and then has its queues again. What
    // it does before it was told anew to send events nobody hears of.
    let series = of("succeeded", "add", "mail", 6);
    let series = series.trim_end_matches(" 6");
    within(async {
        while value(&work.celery.page().await, series) <= Some(6.0) {
            shop.send(&["work"]);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;

    // One that is stopped in good order says so.
    drop(usual);
    work.until(&["celery_worker_up{hostname=\"alpha\"} 0"])
        .await;
    // Between two rounds nothing of our questions is in the broker.
    within(async {
        let left = || shop.redis.command(&["SMEMBERS", bindings]);
        let ours = |entry: &&str| entry.contains("belfry") && !orphaned.contains(*entry);
        while left().lines().any(|entry| ours(&entry)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_found_is_a_broker_only_when_celery_uses_it() {
    let shop = Shop::start();
    let celery = Celery::new(Config {
        interval: Duration::from_millis(200),
        inspect: Duration::from_millis(200),
        ..Config::default()
    });
    celery.found(vec![Broker {
        address: shop.redis.socket.display().to_string(),
        name: "cache-1".into(),
        ..Broker::default()
    }]);
    let work = Work::start(celery);
    shop.redis.command(&["SET", "a", "b"]);
    assert!(work.celery.is_idle() && work.celery.standing().is_empty());
    assert_eq!(work.celery.page().await, "");
    shop.send(&["backlog"]);
    work.until(&[
        "belfry_celery_broker_up{instance=\"cache-1\"} 1",
        "celery_queue_length{instance=\"cache-1\",queue_name=\"celery\"} 1",
    ])
    .await;
    assert_eq!(work.celery.standing()[0].up, Some(true));
}
