//! Finding the copies that a command is about.

use backup::catalogue::{self, Backup, Copy};
use backup::restore::{From, pick};
use backup::target::Target;
use backup::{Job, Setup};

use crate::config::Config;
use crate::out;

/// All backups of a job, and the targets that could be listed.
pub(super) struct Found {
    pub(super) targets: Vec<Target>,
    pub(super) backups: Vec<Backup>,
}

/// Lists a job's targets. One that cannot be listed is told, and left out.
pub(super) async fn find(setup: &Setup, job: &Job) -> Result<Found, String> {
    let prefix = setup.shelf(job).prefix();
    let mut listings = Vec::new();
    let mut targets = Vec::new();
    let mut errors = Vec::new();
    for target in setup.targets(job).map_err(|err| err.to_string())? {
        match catalogue::list(&target, &prefix, &setup.kept()).await {
            Ok(listing) => {
                listings.push((target.name().to_owned(), listing));
                targets.push(target);
            }
            Err(err) => errors.push(format!("{} cannot be listed: {err}", target.name())),
        }
    }
    if targets.is_empty() {
        return Err(errors.join("; "));
    }
    for error in errors {
        out::error(format_args!("belfry: {error}"));
    }
    Ok(Found {
        backups: catalogue::merge(&listings),
        targets,
    })
}

impl Found {
    /// What a trial of a copy is noted as: one of an earlier backup says nothing of what
    /// there is now, and does not take the place of the last trial that does.
    pub(super) fn task(&self, copy: &Copy, task: &'static str) -> &'static str {
        let newest = self.backups.iter().rfind(|backup| backup.is_good());
        match (newest, task) {
            (Some(newest), _) if newest.manifest.id == copy.manifest.id => task,
            (_, "verify") => "verify-older",
            _ => "drill-older",
        }
    }

    /// The copy that is wanted: of which backup, and from which target, or the
    /// first that has it; `elsewhere` asks those first that survive this host.
    pub(super) fn pick(
        &self,
        from: &From,
        target: Option<&str>,
        elsewhere: bool,
    ) -> Result<(&Target, &Copy), String> {
        let mut order: Vec<_> = self
            .targets
            .iter()
            .filter(|known| target.is_none_or(|name| known.name() == name))
            .collect();
        if order.is_empty() {
            return Err(format!(
                "the job has no target {:?} that answers",
                target.unwrap_or_default()
            ));
        }
        order.sort_by_key(|target| target.is_elsewhere() != elsewhere);
        let names: Vec<_> = order
            .iter()
            .map(|target| target.name().to_owned())
            .collect();
        let (name, copy) = pick(&self.backups, from, &names)?;
        let target = order.into_iter().find(|target| target.name() == name);
        target
            .map(|target| (target, copy))
            .ok_or_else(|| "no copy of it is whole".to_owned())
    }
}

/// Reads `latest`, an id, or a time such as `2026-08-23 03:10` in the configured zone.
pub(super) fn from(text: &str, config: &Config) -> Result<From, String> {
    if text == "latest" {
        return Ok(From::Latest);
    }
    if backup::id::Id::parse(text).is_some() {
        return Ok(From::Id(text.to_owned()));
    }
    let unread = || {
        format!(
            "{text:?} is neither \"latest\", nor an id of `belfry backup list`, nor a time such as 2026-08-23T03:10"
        )
    };
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(From::Time(at.as_millisecond()));
    }
    let at: jiff::civil::DateTime = text.parse().map_err(|_| unread())?;
    let at = config.zone().to_timestamp(at).map_err(|_| unread())?;
    Ok(From::Time(at.as_millisecond()))
}
