//! The configuration: which brokers, how often, and for how long what counts.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::rabbit::Place;
use crate::redis::address::Address;
use crate::tls::Papers;

settings::section! {
    /// Celery applications, by their brokers: celery-exporter's names.
    pub struct Config {
        /// The brokers, Redis or RabbitMQ; see `find` for those in containers.
        pub brokers: Vec<Broker> = Vec::new(),
        /// Whether Celery is looked for in the Redis and RabbitMQ servers of
        /// containers.
        pub find: bool = true,
        /// Whether a container's environment may be looked at for how to log in to a
        /// RabbitMQ server that was found: RABBITMQ_DEFAULT_USER,
        /// RABBITMQ_DEFAULT_PASS and RABBITMQ_DEFAULT_VHOST. For Redis see `redis`.
        pub environment: bool = false,
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
        /// The address of a Redis server: host:port, the path of a socket, or
        /// rediss://host:port with TLS; or that of a RabbitMQ server:
        /// amqp://host:port, or amqps:// with TLS. No password here.
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
        /// The authorities that may vouch for a server behind rediss:// or amqps://,
        /// as a PEM file. Empty: the system's.
        pub ca_file: Option<PathBuf> = None,
        /// The certificate that is shown to such a server, as a PEM file. Empty: none.
        pub cert_file: Option<PathBuf> = None,
        /// The key of that certificate, as a PEM file.
        pub key_file: Option<PathBuf> = None,
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
        /// The cron line by which it is sent, as crontab() has it, instead of `every`.
        pub cron: String = String::new(),
        /// The IANA time zone of `cron`: the application's `timezone`.
        pub timezone: String = "UTC".to_owned(),
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
                let message = "host:port, the path of a socket, rediss://host:port, amqp://host:port or amqps://host:port is wanted, without a password";
                faults.push((format!("{key}.address"), message.to_owned()));
            } else if !names.insert(broker.label()) {
                let message = format!("{:?} stands twice", broker.label());
                faults.push((format!("{key}.name"), message));
            }
            faults.extend(
                broker
                    .tls_fault()
                    .map(|(below, message)| (format!("{key}.{below}"), message.to_owned())),
            );
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

    fn tls_fault(&self) -> Option<(&'static str, &'static str)> {
        let tls = match self.rabbit() {
            Some(place) => place.tls,
            None => matches!(Address::parse(&self.address), Some(Address::Tls(..))),
        };
        match Papers::first(&self.ca_file, &self.cert_file, &self.key_file) {
            Some(key) if !tls => Some((
                key,
                "only an address that begins with rediss:// or amqps:// has TLS",
            )),
            _ => Papers::fault(&self.cert_file, &self.key_file),
        }
    }

    /// What TLS is set up with.
    pub(super) fn papers(&self) -> Papers {
        Papers::new(&self.ca_file, &self.cert_file, &self.key_file)
    }

    /// Where it is, if it is RabbitMQ.
    pub(super) fn rabbit(&self) -> Option<Place<'_>> {
        let (address, tls) = match self.address.strip_prefix("amqps://") {
            Some(address) => (address, true),
            None => (self.address.strip_prefix("amqp://")?, false),
        };
        let address = address.trim_end_matches('/');
        if address.is_empty() || address.contains(['@', '/', ' ', '?']) {
            return None;
        }
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => (host, port.parse().ok()?),
            Some(_) => return None,
            None => (address, if tls { 5671 } else { 5672 }),
        };
        Some(Place { host, port, tls })
    }

    /// Where it is, as host:port or the path of a socket.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        if let Some(place) = self.rabbit() {
            return Some(format!("{}:{}", place.host, place.port));
        }
        Address::parse(&self.address).map(|address| address.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tls_at_an_address_without_it_are_refused() {
        let file = || Some(PathBuf::from("/some.pem"));
        let faults = |address: &str, ca, cert, key| {
            let broker = Broker {
                address: address.to_owned(),
                ca_file: ca,
                cert_file: cert,
                key_file: key,
                ..Broker::default()
            };
            let config = Config {
                brokers: vec![broker],
                ..Config::default()
            };
            let faults = config.faults();
            faults.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        for address in ["db:6379", "/run/redis.sock", "amqp://mq"] {
            for (ca, cert, key, below) in [
                (file(), None, None, "ca_file"),
                (None, file(), file(), "cert_file"),
                (None, None, file(), "key_file"),
            ] {
                let want = format!("celery.brokers[0].{below}");
                assert_eq!(faults(address, ca, cert, key), [want], "{address}");
            }
            assert!(faults(address, None, None, None).is_empty(), "{address}");
        }
        for address in ["rediss://db", "amqps://mq"] {
            assert!(faults(address, file(), file(), file()).is_empty());
            let half = faults(address, file(), file(), None);
            assert_eq!(half, ["celery.brokers[0].key_file"], "{address}");
        }
    }

    #[test]
    fn an_address_of_rabbitmq_is_told_with_its_port_and_whether_it_is_encrypted() {
        let of = |address: &str| {
            let broker = Broker {
                address: address.to_owned(),
                ..Broker::default()
            };
            let place = broker.rabbit();
            place.map(|place| (place.host.to_owned(), place.port, place.tls))
        };
        let place = |host: &str, port, tls| Some((host.to_owned(), port, tls));
        for (address, want) in [
            ("amqp://mq", place("mq", 5672, false)),
            ("amqp://mq:99/", place("mq", 99, false)),
            ("amqps://mq", place("mq", 5671, true)),
            ("amqps://10.0.0.1:99", place("10.0.0.1", 99, true)),
            ("amqps://user:word@mq", None),
            ("amqp://", None),
            ("amqp://:5672", None),
            ("mq:5672", None),
        ] {
            assert_eq!(of(address), want, "{address}");
        }
    }
}
