//! How kombu calls things in Redis: channels, lists, and bindings.

/// Between the parts of kombu's names.
const SEP: &str = "\u{6}\u{16}";
/// The list of messages that a queue's workers take first.
const FIRST: u32 = 0;

/// The names of one broker.
#[derive(Debug, Clone)]
pub(super) struct Names {
    database: u32,
    /// What the application puts before each name (`global_keyprefix`).
    prefix: String,
    /// Tells our answers from those of others who ask.
    asker: String,
}

impl Names {
    pub(super) fn new(database: u32, prefix: &str, asker: u64) -> Self {
        Self {
            database,
            prefix: prefix.to_owned(),
            asker: format!("belfry-{asker:016x}"),
        }
    }

    /// The pattern of all channels with events.
    pub(super) fn events(&self) -> String {
        format!("{}/{}.celeryev/*", self.prefix, self.database)
    }

    /// The channel where workers hear questions.
    pub(super) fn questions(&self) -> String {
        format!("{}/{}.celery.pidbox", self.prefix, self.database)
    }

    /// The list of a queue for one priority.
    pub(super) fn list(&self, queue: &str, step: u32) -> String {
        match step {
            FIRST => format!("{}{queue}", self.prefix),
            step => format!("{}{queue}{SEP}{step}", self.prefix),
        }
    }

    /// Messages that were taken and not acknowledged, and when.
    pub(super) fn unacked(&self) -> (String, String) {
        let prefix = &self.prefix;
        (format!("{prefix}unacked"), format!("{prefix}unacked_index"))
    }

    /// The set of the queues that are bound to an exchange.
    pub(super) fn bindings(&self, exchange: &str) -> String {
        format!("{}_kombu.binding.{exchange}", self.prefix)
    }

    /// The name under which we are answered, and our entry among the bindings.
    pub(super) fn asker(&self) -> (&str, String) {
        let asker = &self.asker;
        let entry = format!("{asker}{SEP}{SEP}{asker}.reply.celery.pidbox");
        (asker, entry)
    }

    /// The list where answers come in.
    pub(super) fn answers(&self) -> String {
        format!("{}{}.reply.celery.pidbox", self.prefix, self.asker)
    }
}

/// The queue of an entry among bindings.
pub(super) fn bound(entry: &str) -> Option<&str> {
    let queue = entry.rsplit(SEP).next()?;
    (entry.contains(SEP) && !queue.is_empty()).then_some(queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kombus() {
        let names = Names::new(2, "app:", 7);
        assert_eq!(names.events(), "app:/2.celeryev/*");
        assert_eq!(names.list("mail", 0), "app:mail");
        assert_eq!(names.list("mail", 9), "app:mail\u{6}\u{16}9");
        let (asker, entry) = names.asker();
        assert_eq!(asker, "belfry-0000000000000007");
        assert_eq!(
            bound(&entry),
            Some("belfry-0000000000000007.reply.celery.pidbox")
        );
        assert_eq!(bound("celery\u{6}\u{16}\u{6}\u{16}mail"), Some("mail"));
        assert_eq!(bound("mail"), None);
    }
}
