//! What a restore would lose, asked once more when it is about to be lost: a restore takes
//! its time, and of what is written meanwhile nobody was told.

use super::{Manner, loss};
use crate::catalogue::Copy;
use crate::manifest::Postgres;
use crate::postgres::{Session, writes};
use crate::run::Say;
use crate::target::Target;
use crate::{Job, Setup};

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

impl Newer {
    /// Asks what a restore of a database would lose.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn of_database(setup: &Setup, job: &Job, facts: &Postgres) -> Result<Self, String> {
        let noted = noted(setup, job, false).await;
        let told = loss::of_database(setup, job, facts).await?;
        Ok(Self {
            told,
            lose: false,
            noted,
        })
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
        Ok(Self {
            told: loss::of_tree(setup, job, target, copy).await?,
            ..Self::default()
        })
    }

    /// Asks again, when whoever writes to the database was stopped.
    pub(super) async fn in_database(
        &self,
        setup: &Setup,
        job: &Job,
        facts: &Postgres,
        say: Say<'_>,
    ) -> Result<(), String> {
        // Counting takes time in which the application is stopped.
        if self.noted.is_some() && noted(setup, job, true).await == self.noted {
            return Ok(());
        }
        self.asked(loss::of_database(setup, job, facts).await, say)
    }

    /// Asks again, when whoever writes to the files was stopped.
    pub(super) async fn in_tree(
        &self,
        setup: &Setup,
        job: &Job,
        (target, copy): (&Target, &Copy),
        say: Say<'_>,
    ) -> Result<(), String> {
        self.asked(loss::of_tree(setup, job, target, copy).await, say)
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
            true => Err(
                "there is more now that the backup lacks than when this began; --lose-newer goes on all the same"
                    .to_owned(),
            ),
            false => Ok(()),
        }
    }
}

impl Manner {
    /// Whether nothing came to be lost of a database that nobody was told of.
    pub(super) async fn still(
        &self,
        setup: &Setup,
        job: &Job,
        facts: &Postgres,
        say: Say<'_>,
    ) -> Result<(), String> {
        match &self.newer {
            Some(newer) => newer.in_database(setup, job, facts, say).await,
            None => Ok(()),
        }
    }
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
