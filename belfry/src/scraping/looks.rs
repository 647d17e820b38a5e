//! Where the targets of the jobs are. A job that has it in files, or its certificates,
//! is looked at on a thread of its own: the disk may hang, and stop the others not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reqwest::Client;
use rules::{Clients, Discovery, Foreign, Job, Scrapes};
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::{self, Instant};

use super::Wanted;

/// So long a look at files is waited for. What comes later counts with the next one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The name of a job, and how many before it have the same.
type Place = (String, usize);

/// What a look found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) scrapes: Scrapes,
    /// The jobs whose files do not answer: their targets stay as they are.
    pub(crate) hung: Vec<String>,
    clients: BTreeMap<String, Result<Client, String>>,
}

/// Looks for targets again and again.
#[derive(Default)]
pub(crate) struct Looks {
    clients: Arc<Clients>,
    files: BTreeMap<Place, Look>,
}

/// At the files of one job.
enum Look {
    Idle(Discovery),
    UnderWay(oneshot::Receiver<Seen>, Instant),
}

struct Seen {
    discovery: Discovery,
    scrapes: Scrapes,
    /// That of all targets of the job, if there are any.
    client: Option<Result<Client, String>>,
}

impl Looks {
    /// Looks once.
    pub(crate) async fn look(&mut self, mut wanted: Wanted) -> anyhow::Result<Found> {
        let jobs = std::mem::take(&mut wanted.jobs);
        let (in_files, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(Job::reads_files);
        let wanted = Arc::new(wanted);
        let mut known = std::mem::take(&mut self.files);
        let mut looks = Vec::new();
        for job in in_files {
            let same = |(place, _): &&(Place, Look)| place.0 == job.name();
            let place = (job.name().to_owned(), looks.iter().filter(same).count());
            let look = match known.remove(&place) {
                Some(under_way @ Look::UnderWay(..)) => under_way,
                Some(Look::Idle(discovery)) => self.begin(discovery, job, &wanted)?,
                None => self.begin(Discovery::default(), job, &wanted)?,
            };
            looks.push((place, look));
        }
        let mut found = Found {
            scrapes: task::spawn_blocking(move || {
                let (every, labelled) = (wanted.every, wanted.labelled);
                Discovery::default().look(&others, &wanted.containers, every, labelled)
            })
            .await?,
            ..Found::default()
        };
        for (place, look) in looks {
            let look = found.wait(&place.0, look).await?;
            self.files.insert(place, look);
        }
        Ok(found)
    }

    fn begin(
        &self,
        mut discovery: Discovery,
        job: Job,
        wanted: &Arc<Wanted>,
    ) -> anyhow::Result<Look> {
        let (tell, seen) = oneshot::channel();
        let (clients, wanted) = (Arc::clone(&self.clients), Arc::clone(wanted));
        thread::Builder::new()
            .name("targets".to_owned())
            .spawn(move || {
                let job = std::slice::from_ref(&job);
                let scrapes = discovery.look(job, &wanted.containers, wanted.every, false);
                let _ = tell.send(Seen {
                    discovery,
                    client: scrapes.targets.first().map(|target| clients.of(target)),
                    scrapes,
                });
            })?;
        Ok(Look::UnderWay(seen, Instant::now() + PATIENCE))
    }

    /// The client for a target that was found.
    pub(crate) fn client(&self, found: &Found, target: &Foreign) -> Result<Client, String> {
        let origin = target.target.origin.as_ref();
        let had = origin.and_then(|origin| found.clients.get(&origin.pool));
        // Without files it takes no time.
        had.map_or_else(|| self.clients.of(target), Clone::clone)
    }
}

impl Found {
    async fn wait(&mut self, job: &str, look: Look) -> anyhow::Result<Look> {
        let Look::UnderWay(mut seen, until) = look else {
            return Ok(look);
        };
        let Ok(seen) = time::timeout_at(until, &mut seen).await else {
            let fault = format!("job {job}: its files do not answer");
            self.scrapes.faults.push(fault);
            self.hung.push(job.to_owned());
            return Ok(Look::UnderWay(seen, until));
        };
        let Seen {
            discovery,
            scrapes,
            client,
        } = seen?;
        self.scrapes.join(scrapes);
        self.clients
            .extend(client.map(|client| (job.to_owned(), client)));
        Ok(Look::Idle(discovery))
    }
}
