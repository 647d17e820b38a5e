//! The configuration: which brokers, how often, and for how long what counts.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::redis::client::Address;

settings::section! {
    /// Celery applications, by their brokers: celery-exporter's names.
    pub struct Config {
        /// The brokers, Redis or RabbitMQ; see `find` for those in containers.
        pub brokers: Vec<Broker> = Vec::new(),
        /// Whether Celery is looked for in the Redis servers of containers.
        pub find: bool = true,
        /// How often queues are measured.
        pub interval: Duration = Duration::from_secs(15),
        /// How long a broker may take to answer.
        pub deadline: Duration = Duration::from_secs(5),
        /// How often workers are asked for their pools, queues and tasks.
        pub inspect: Duration = Duration::from_secs(60),
        /// Whether workers are told to send events of their tasks, as
        /// `celery control enable_events` does.
        pub enable_events: bool = true,
        /// How long a worker that gives no sign of life counts as alive.
        pub worker_timeout: Duration = Duration::from_secs(30),
        /// How long a worker that is silent is shown.
        pub worker_forget: Duration = Duration::from_secs(600),
        /// Tasks that beat sends, to see whether it lives.
        pub beat: Vec<Beat> = Vec::new(),
    }
}

settings::section! {
    /// A broker.
    pub struct Broker {
        /// The address of a Redis server: host:port, or the path of a socket; or
        /// that of a RabbitMQ server: amqp://host:port. No password here.
        pub address: String = "127.0.0.1:6379".to_owned(),
        /// The number of the database, in Redis.
        pub database: u32 = 0,
        /// The virtual host, in RabbitMQ.
        pub vhost: String = "/".to_owned(),
        /// The label `instance` of its series. Empty: none with one broker, the
        /// address and database with several.
        pub name: String = String::new(),
        /// The user to log in as. Empty: the default user; `guest` in RabbitMQ.
        pub username: String = String::new(),
        /// The password. Empty: none is sent; `guest` to RabbitMQ.
        pub password: settings::Secret = settings::Secret::default(),
        /// Queues that neither the bindings in Redis nor the workers tell of.
        pub queues: Vec<String> = Vec::new(),
        /// The application's `priority_steps`.
        pub priority_steps: Vec<u32> = vec![0, 3, 6, 9],
        /// The application's `global_keyprefix`.
        pub key_prefix: String = String::new(),
    }
}

settings::section! {
    /// A task that beat sends.
    pub struct Beat {
        /// The name of the task.
        pub task: String = String::new(),
        /// How often it is sent.
        pub every: Duration = Duration::from_secs(60),
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        for (at, broker) in self.brokers.iter().enumerate() {
            let key = format!("celery.brokers[{at}]");
            if Address::parse(&broker.address).is_none() && broker.rabbit().is_none() {
                // Not repeated here: there may be a password in it.
                let message = "host:port, the path of a socket or amqp://host:port is wanted, without a password";
                faults.push((format!("{key}.address"), message.to_owned()));
            } else if !names.insert(broker.label()) {
                let message = format!("{:?} stands twice", broker.label());
                faults.push((format!("{key}.name"), message));
            }
            if broker.priority_steps.is_empty() {
                let message = "one step is needed at least".to_owned();
                faults.push((format!("{key}.priority_steps"), message));
            }
        }
        for (at, beat) in self.beat.iter().enumerate() {
            if beat.task.is_empty() {
                let message = "the name of a task is wanted".to_owned();
                faults.push((format!("celery.beat[{at}].task"), message));
            }
        }
        for (key, value) in [
            ("interval", self.interval),
            ("deadline", self.deadline),
            ("inspect", self.inspect),
        ] {
            if value < Duration::from_millis(100) {
                let message = "it must be 100ms at least".to_owned();
                faults.push((format!("celery.{key}"), message));
            }
        }
        faults
    }
}

impl Broker {
    /// What tells it from others.
    pub(super) fn label(&self) -> String {
        match (self.name.is_empty(), self.rabbit()) {
            (false, _) => self.name.clone(),
            (true, None) => format!("{}/{}", self.address, self.database),
            (true, Some(_)) => {
                let address = self.address.trim_end_matches('/');
                format!("{address}/{}", self.vhost.trim_start_matches('/'))
            }
        }
    }

    /// Host and port, where it is RabbitMQ.
    pub(super) fn rabbit(&self) -> Option<(&str, u16)> {
        let place = self.address.strip_prefix("amqp://")?.trim_end_matches('/');
        if place.is_empty() || place.contains(['@', '/', ' ', '?']) {
            return None;
        }
        match place.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => Some((host, port.parse().ok()?)),
            Some(_) => None,
            None => Some((place, 5672)),
        }
    }

    /// Where it is, as host:port or the path of a socket.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        Address::parse(&self.address).map(|address| address.to_string())
    }
}
