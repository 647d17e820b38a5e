//! What the prober `celery` is told.

use super::Tls;

settings::section! {
    /// A canary task: put into a queue, taken by a worker, ended, and answered,
    /// all through Redis. This writes into the broker.
    pub struct Celery {
        /// The queue.
        pub queue: String = "celery".to_owned(),
        /// The task. Every application of Celery has the one that stands here; it does nothing.
        pub task: String = "celery.accumulate".to_owned(),
        /// The number of the broker's database in Redis.
        pub database: u16 = 0,
        /// The number of the database that results are kept in. Absent: the broker's.
        pub result_database: Option<u16> = None,
        /// The user that Redis is told. Empty: none.
        pub user: String = String::new(),
        /// The password of Redis.
        pub password: settings::Secret = settings::Secret::default(),
        /// Whether TLS is spoken.
        pub tls: bool = false,
        /// How TLS is spoken.
        pub tls_config: Tls = Tls::default(),
    }
}
