//! The pages of the jobs: one in the making for each job, shared by all who ask.
//!
//! However many clients ask, a source is read once at a time, and what was read
//! a moment ago is served again. The collection always gets a page that is made
//! for it or being made. Nobody who goes away ends the making.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Job;

/// So old may be what is served; far less than any interval of collecting.
const AGE: Duration = Duration::from_secs(2);

/// The text of a page, shared by all who were given it.
pub(crate) type Text = Arc<str>;

/// The code that makes a page panicked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the collector panicked")]
pub(crate) struct Panicked;

/// A page for each job.
#[derive(Debug, Default)]
pub(crate) struct Pages([Page; Job::ALL.len()]);

impl Pages {
    /// The page of a job.
    pub(super) fn of(&self, job: Job) -> &Page {
        &self.0[job as usize]
    }
}

/// One page: as it was last made, and in the making. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Page(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: Option<(Text, Instant)>,
    making: Option<watch::Receiver<Option<Text>>>,
}

impl Page {
    /// The page as it was a moment ago; the one in the making, or a new one, where there is none.
    pub(super) async fn recent<F>(&self, make: F) -> Result<Text, Panicked>
    where
        F: Future<Output = String> + Send + 'static,
    {
        let last = self.state().last.clone();
        match last {
            Some((text, made)) if made.elapsed() < AGE => Ok(text),
            _ => self.shared(make).await,
        }
    }

    /// The page in the making, or a new one.
    pub(super) async fn shared<F>(&self, make: F) -> Result<Text, Panicked>
    where
        F: Future<Output = String> + Send + 'static,
    {
        let mut made = {
            let mut state = self.state();
            // One whose maker panicked is in the making no more.
            let making = state.making.clone();
            match making.filter(|making| making.has_changed().is_ok()) {
                Some(making) => making,
                None => {
                    let making = self.begin(make);
                    state.making = Some(making.clone());
                    making
                }
            }
        };
        let text = made.wait_for(Option::is_some).await.map_err(|_| Panicked)?;
        text.clone().ok_or(Panicked)
    }

    /// A page that was begun after this call: what it was called for is on it.
    pub(super) async fn anew<F>(&self, make: F) -> Result<Text, Panicked>
    where
        F: Future<Output = String> + Send + 'static,
    {
        let making = self.state().making.clone();
        if let Some(mut making) = making {
            let _ = making.wait_for(Option::is_some).await;
        }
        self.shared(make).await
    }

    /// Makes it on a task of its own: one who asks and goes away must not take
    /// it from the others.
    fn begin<F>(&self, make: F) -> watch::Receiver<Option<Text>>
    where
        F: Future<Output = String> + Send + 'static,
    {
        let (tell, told) = watch::channel(None);
        let page = self.clone();
        tokio::spawn(async move {
            let text = Text::from(make.await);
            let mut state = page.state();
            state.last = Some((Arc::clone(&text), Instant::now()));
            state.making = None;
            drop(state);
            tell.send_replace(Some(text));
        });
        told
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// A source that is read when the gate lets it, and counts how often.
    struct Source {
        page: Page,
        gate: Arc<Semaphore>,
        read: Arc<AtomicU32>,
    }

    impl Source {
        fn open(permits: usize) -> Self {
            Self {
                page: Page::default(),
                gate: Arc::new(Semaphore::new(permits)),
                read: Arc::default(),
            }
        }

        fn make(&self) -> impl Future<Output = String> + Send + 'static {
            let (gate, read) = (Arc::clone(&self.gate), Arc::clone(&self.read));
            async move {
                let number = read.fetch_add(1, Ordering::SeqCst) + 1;
                gate.acquire().await.unwrap().forget();
                format!("reading {number}")
            }
        }

        fn read(&self) -> u32 {
            self.read.load(Ordering::SeqCst)
        }
    }

    const MANY: usize = 1000;

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_at_once_share_one_reading() {
        let source = Source::open(0);
        let asked = (0..150).map(|_| {
            let (page, make) = (source.page.clone(), source.make());
            tokio::spawn(async move { page.recent(make).await })
        });
        let asked: Vec<_> = asked.collect();
        tokio::task::yield_now().await;
        source.gate.add_permits(MANY);
        for answer in asked {
            assert_eq!(&*answer.await.unwrap().unwrap(), "reading 1");
        }
        assert_eq!(source.read(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_recent_text_is_served_again_but_never_to_the_collection() {
        let source = Source::open(MANY);
        for (what, advance_ms, read) in [
            ("recent", 0, 1),
            ("recent", 1_999, 1),
            ("shared", 0, 2),
            ("recent", 1_999, 2),
            ("recent", 1, 3),
        ] {
            tokio::time::advance(Duration::from_millis(advance_ms)).await;
            let text = match what {
                "recent" => source.page.recent(source.make()).await,
                _ => source.page.shared(source.make()).await,
            };
            assert_eq!(*text.unwrap(), *format!("reading {read}"), "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_goes_away_leaves_the_page_to_the_others() {
        let source = Source::open(0);
        let first = {
            let (page, make) = (source.page.clone(), source.make());
            tokio::spawn(async move { page.recent(make).await })
        };
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        source.gate.add_permits(MANY);
        let text = source.page.shared(source.make()).await.unwrap();
        assert_eq!((&*text, source.read()), ("reading 1", 1));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_change_a_page_that_was_begun_before_will_not_do() {
        let source = Source::open(0);
        let before = {
            let (page, make) = (source.page.clone(), source.make());
            tokio::spawn(async move { page.recent(make).await })
        };
        tokio::task::yield_now().await;
        let after = {
            let (page, make) = (source.page.clone(), source.make());
            tokio::spawn(async move { page.anew(make).await })
        };
        tokio::task::yield_now().await;
        assert_eq!(source.read(), 1, "one at a time");
        source.gate.add_permits(MANY);
        assert_eq!(&*before.await.unwrap().unwrap(), "reading 1");
        assert_eq!(&*after.await.unwrap().unwrap(), "reading 2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_told_and_the_next_one_who_asks_gets_a_new_page() {
        let source = Source::open(MANY);
        let bug = async { panic!("a bug") };
        assert_eq!(source.page.recent(bug).await, Err(Panicked));
        let text = source.page.recent(source.make()).await;
        assert_eq!(text.as_deref(), Ok("reading 1"));
    }
}
