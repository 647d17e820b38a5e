//! The `health` section of belfry.yml.

use std::collections::BTreeMap;

settings::section! {
    /// What is answered at /health on behalf of services.
    pub struct Config {
        /// What a request must carry, as `Authorization: Bearer`, to be told more than pass or fail at /health, and to be answered at /api/belfry/v1/health. The page, the metrics and the other APIs tell all to whoever reaches them. Empty: everybody is told all.
        pub token: settings::Secret = settings::Secret::default(),
        /// Services by name, beside those that compose labels tell of, or to say more of those.
        pub services: BTreeMap<String, Declared> = BTreeMap::new(),
    }
}

settings::section! {
    /// One service.
    pub struct Declared {
        /// The name of the compose service. Empty: the name itself.
        pub service: String = String::new(),
        /// The compose project. Empty: any.
        pub project: String = String::new(),
        /// Whether it runs in containers; one that does not is judged by what is said below alone.
        pub container: bool = true,
        /// Whether it is there to end, so that one that ended well is ready. Compose labels tell it of what others wait for.
        pub one_shot: bool = false,
        /// Services that must be ready too.
        pub depends_on: Vec<String> = vec![],
        /// The heartbeat that must not be down.
        pub heartbeat: String = String::new(),
        /// The probe that must not fail.
        pub probe: String = String::new(),
        /// What must hold: an expression of PromQL over the collected series, such as `celery_queue_length{queue_name="mail"} < 100`. Like the expression of an alert, it holds while it gives anything; a plain number holds unless it is 0.
        pub ready_when: String = String::new(),
    }
}
