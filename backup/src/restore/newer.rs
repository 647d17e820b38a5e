//! What a restore would lose, asked once more when it is about to be lost: a restore takes
//! its time, and of what is written meanwhile nobody was told.

use super::{Manner, around, loss};
use crate::catalogue::Copy;
use crate::files::Glob;
use crate::manifest::Postgres;
use crate::postgres::{Session, writes};
use crate::quiet::Quiet;
use crate::run::Say;
use crate::target::Target;
use crate::{Job, Setup};

/// Why a restore stops for what was written meanwhile.
const MORE: &str = "there is more now that the backup lacks than when this began; --lose-newer goes on all the same";

/// What would be lost, as it was when somebody asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newer {
    /// In words, a table or a file each.
    pub told: Vec<String>,
    /// Whether it may be lost, and whatever more there is by then.
    pub lose: bool,
    /// What the server had noted of writes before it was asked.
    noted: Option<String>,
}

/// What is live.
#[derive(Debug, Clone, Copy)]
pub(super) enum Live<'a> {
    /// A database, and what the backup tells of it.
    Database(&'a Postgres),
    /// Files, and the copy of them.
    Tree(&'a Target, &'a Copy),
}

impl Live<'_> {
    async fn loss(&self, setup: &Setup, job: &Job) -> Result<Vec<String>, String> {
        match self {
            Self::Database(facts) => loss::of_database(setup, job, facts).await,
            Self::Tree(target, copy) => loss::of_tree(setup, job, target, copy).await,
        }
    }

    async fn noted(&self, setup: &Setup, job: &Job, alone: bool) -> Option<String> {
        match self {
            Self::Database(_) => noted(setup, job, alone).await,
            Self::Tree(..) => None,
        }
    }

    /// Whether a line of what would be lost is about one of these tables or files.
    fn is_named(&self, names: &[String], line: &str) -> bool {
        let what = line.rsplit_once(": ").map_or(line, |(what, _)| what);
        names.iter().any(|name| match self {
            Self::Database(_) => {
                let tables = [format!("{name}: "), format!("public.{name}: ")];
                tables.iter().any(|start| line.starts_with(start))
                    || Glob::new(name).matches(what.as_bytes())
            }
            Self::Tree(..) => Glob::new(name).matches(what.as_bytes()),
        })
    }
}

impl Newer {
    /// Asks what a restore of a database would lose.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn of_database(setup: &Setup, job: &Job, facts: &Postgres) -> Result<Self, String> {
        Self::of(setup, job, Live::Database(facts)).await
    }

    /// Asks what a restore of files would lose.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn of_tree(
        setup: &Setup,
        job: &Job,
        target: &Target,
        copy: &Copy,
    ) -> Result<Self, String> {
        Self::of(setup, job, Live::Tree(target, copy)).await
    }

    async fn of(setup: &Setup, job: &Job, live: Live<'_>) -> Result<Self, String> {
        let noted = live.noted(setup, job, false).await;
        Ok(Self {
            told: live.loss(setup, job).await?,
            lose: false,
            noted,
        })
    }

    /// Runs the command before. What it is said to write counts no more when it has; what
    /// anybody else wrote until it began stops the restore, and so does all that it is not
    /// said to write, once nobody writes any more.
    async fn past_command(
        &self,
        setup: &Setup,
        job: &Job,
        live: Live<'_>,
        say: Say<'_>,
    ) -> Result<Self, String> {
        if job.restore.before.is_empty() || job.restore.before_writes.is_empty() || self.lose {
            around::before(setup, job).await?;
            return Ok(self.clone());
        }
        self.again(setup, job, live, say).await?;
        around::before(setup, job).await?;
        let now = Self::of(setup, job, live).await?;
        let is_its = |line: &String| live.is_named(&job.restore.before_writes, line);
        let new = now
            .told
            .into_iter()
            .filter(|line| !self.told.contains(line));
        let (its, others): (Vec<_>, Vec<_>) = new.partition(is_its);
        for line in &its {
            say(format!(
                "lost    {line}: written while the command before ran"
            ));
        }
        Ok(Self {
            told: [&self.told[..], &its].concat(),
            lose: false,
            noted: now.noted.filter(|_| others.is_empty()),
        })
    }

    /// Asks again, when whoever writes to it was stopped.
    async fn again(
        &self,
        setup: &Setup,
        job: &Job,
        live: Live<'_>,
        say: Say<'_>,
    ) -> Result<(), String> {
        // Counting takes time in which the application is stopped.
        if self.noted.is_some() && live.noted(setup, job, true).await == self.noted {
            return Ok(());
        }
        self.asked(live.loss(setup, job).await, say)
    }

    /// What cannot be found out stops nobody who may lose it.
    fn asked(&self, lost: Result<Vec<String>, String>, say: Say<'_>) -> Result<(), String> {
        match lost {
            Err(err) if self.lose => {
                say(format!(
                    "warn    what was written meanwhile is not known: {err}"
                ));
                Ok(())
            }
            lost => self.judged(lost?, say),
        }
    }

    /// Tells what was not told before, and whether to go on.
    fn judged(&self, lost: Vec<String>, say: Say<'_>) -> Result<(), String> {
        let mut more = lost.into_iter().filter(|line| !self.told.contains(line));
        let mut found = false;
        for line in more.by_ref() {
            found = true;
            say(format!("lost    {line}: written meanwhile"));
        }
        match found && !self.lose {
            true => Err(MORE.to_owned()),
            false => Ok(()),
        }
    }
}

impl Manner {
    /// Runs the command before, and stops whoever uses what is live: until then they may
    /// write. What to ask afterwards.
    pub(super) async fn hushed(
        &self,
        setup: &Setup,
        job: &Job,
        live: Live<'_>,
        say: Say<'_>,
    ) -> Result<(Quiet, Option<Newer>), String> {
        let newer = match &self.newer {
            Some(newer) => Some(newer.past_command(setup, job, live, say).await?),
            None => {
                around::before(setup, job).await?;
                None
            }
        };
        Ok((around::hushed(setup, job, say).await?, newer))
    }
}

/// Whether nothing came to be lost that nobody was told of.
pub(super) async fn still(
    newer: Option<Newer>,
    (setup, job): (&Setup, &Job),
    live: Live<'_>,
    say: Say<'_>,
) -> Result<(), String> {
    let Some(newer) = newer else { return Ok(()) };
    let asked = newer.again(setup, job, live, say).await;
    asked.map_err(|err| match err == MORE && !job.restore.before.is_empty() {
        false => err,
        true => format!("{err}, and restore.before_writes says what the command before writes"),
    })
}

/// What the server notes of writes to the live database; nothing where that is not sure.
async fn noted(setup: &Setup, job: &Job, alone: bool) -> Option<String> {
    let (server, _) = setup.server(job).ok()?.prepared().await.ok()?;
    let mut session = Session::open(&server).await.ok()?;
    writes(&mut session, alone).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_told_before_stops_a_restore_and_nothing_where_it_may_be_lost() {
        let newer = |lose| Newer {
            told: vec!["t: 7 rows".to_owned()],
            lose,
            noted: None,
        };
        let lines = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect();
        let quiet = |line| panic!("{line}");
        assert_eq!(newer(false).judged(lines(&["t: 7 rows"]), &quiet), Ok(()));
        assert_eq!(newer(false).judged(Vec::new(), &quiet), Ok(()));
        let unknown = || Err("no answer".to_owned());
        assert!(newer(false).asked(unknown(), &quiet).is_err());
        assert_eq!(newer(true).asked(unknown(), &|_| {}), Ok(()));
        let told = std::sync::Mutex::new(Vec::new());
        let say = |line| told.lock().unwrap().push(line);
        let more = lines(&["t: 8 rows"]);
        assert!(newer(false).judged(more, &say).is_err());
        assert_eq!(newer(true).judged(lines(&["t: 9 rows"]), &say), Ok(()));
        assert_eq!(
            *told.lock().unwrap(),
            [
                "lost    t: 8 rows: written meanwhile",
                "lost    t: 9 rows: written meanwhile"
            ]
        );
    }
}
