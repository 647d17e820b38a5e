//! Celery's brokers that hang or lie, and its beat when it ends.

use std::time::Duration;

use exporter::celery::{Beat, Broker, Celery, Config};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::celery::{Shop, Work, value};
use crate::redis::Instance;
use crate::server::Server;
use crate::watch::within;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_is_down_until_it_answers_and_one_that_lies_is_down() {
    let mut shop = Shop::start();
    let liar = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let named = |name: &str, address: String| Broker {
        address,
        name: name.into(),
        ..Broker::default()
    };
    let brokers = vec![
        named("shop", shop.redis.socket.display().to_string()),
        named("liar", liar.local_addr().unwrap().to_string()),
    ];
    let lies = tokio::spawn(async move {
        while let Ok((mut stream, _)) = liar.accept().await {
            let _ = stream.write_all(b"?hunter2\r\n").await;
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    let work = Work::start(Celery::new(Config {
        brokers,
        interval: Duration::from_millis(200),
        deadline: Duration::from_secs(5),
        ..Config::default()
    }));
    let listening = "belfry_celery_listening{instance=\"shop\"} 1";
    work.until(&[listening]).await;
    shop.send(&["backlog"]);
    let length = "celery_queue_length{instance=\"shop\",queue_name=\"mail\"} 3";
    let up = "belfry_celery_broker_up{instance=\"shop\"} 1";
    let page = work
        .until(&[up, length, "belfry_celery_broker_up{instance=\"liar\"} 0"])
        .await;
    assert!(!page.contains("hunter2"), "{page}");
    let trouble = |at: usize| work.celery.standing()[at].trouble.clone();
    assert_eq!(trouble(1), "the answer is malformed, or too large");

    shop.redis.signal(Signal::STOP);
    work.until(&["belfry_celery_broker_up{instance=\"shop\"} 0"])
        .await;
    assert_eq!(trouble(0), "no answer in time");
    shop.redis.signal(Signal::CONT);
    work.until(&[up, length, listening]).await;
    lies.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_beat_that_ends_is_late_but_not_because_the_broker_was_away() {
    let mut shop = Shop::start();
    let celery = Celery::new(Config {
        brokers: vec![Broker {
            address: shop.redis.socket.display().to_string(),
            ..Broker::default()
        }],
        interval: Duration::from_millis(200),
        beat: vec![Beat {
            task: "shop.add".into(),
            every: Duration::from_secs(1),
            ..Beat::default()
        }],
        ..Config::default()
    });
    let work = Work::start(celery);
    work.until(&["belfry_celery_listening 1"]).await;
    let mut python = shop.python();
    python.args(["-m", "celery", "-A", "shop", "beat"]);
    let beat = python.env("BEAT", "1");
    let beat = Server::start(beat, &shop.path("beat.log"), Signal::TERM);
    let sent = "belfry_celery_beat_last_sent_timestamp_seconds{name=\"shop.add\"}";
    let in_time = "belfry_celery_beat_late{name=\"shop.add\"} 0";
    within(async {
        while value(&work.until(&[in_time]).await, sent).is_none() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    drop(beat);
    work.until(&["belfry_celery_beat_late{name=\"shop.add\"} 1"])
        .await;
    // When the broker was away, nobody knows what was not sent for it.
    shop.redis.stop();
    work.until(&["belfry_celery_broker_up 0"]).await;
    shop.redis = Instance::start(&shop.scratch.path, "broker", 0, &[]);
    work.until(&["belfry_celery_listening 1", in_time]).await;
}
