//! One reading of a server after another: its own connection first, then
//! visits to databases that are due, all within one budget of time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::time::{Instant as Deadline, timeout_at};

use super::asked::Asked;
use super::catalogue;
use super::collector::Pace;
use super::link::{Failure, Link};
use super::pending::Own;
use super::question::{Line, Reports, ask};
use super::settings;
use super::statements::{self, Texts};
use super::target::Target;
use super::visits::Visits;
use crate::pieces::{Pieces, Sheet};

/// The databases whose tables are shown. Templates and closed ones have none
/// that change.
const DATABASES: &str = "SELECT datname FROM pg_database
    WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT')
    ORDER BY datname LIMIT 500";

/// Reads one server, and remembers what is not asked for each time.
pub(super) struct Reader {
    target: Target,
    own: Own,
    seldom: Option<Seldom>,
    visits: Visits,
    asked: Asked,
    texts: Texts,
    texts_asked: Option<Instant>,
    /// The collectors that were held up in the latest reading.
    held_up: BTreeSet<&'static str>,
}

/// What was asked for seldom.
struct Seldom {
    at: Instant,
    pieces: Arc<Pieces>,
    reports: Reports,
    /// The schema of pg_stat_statements, where it is installed.
    statements: Option<String>,
}

impl Reader {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            own: Own::default(),
            seldom: None,
            visits: Visits::default(),
            asked: Asked::default(),
            texts: Texts::default(),
            texts_asked: None,
            held_up: BTreeSet::new(),
        }
    }

    /// Reads the server; fails only when it does not answer at all. What could
    /// not be read in time is missing, and said to be.
    pub(super) async fn read(&mut self) -> Result<Vec<Arc<Pieces>>, Failure> {
        let began = Deadline::now();
        let end = began + self.target.config.deadline;
        // Before either of both connects: each keeps off the other's databases.
        self.visits.let_go();
        self.asked.let_go();
        let (link, new) = self.own.awake(&self.target, end).await?;
        if new {
            // It may be another server than before.
            self.seldom = None;
        }
        // Those that were held up the last time leave the time to the others.
        let mut reports = Reports {
            held_up: std::mem::take(&mut self.held_up),
            ..Reports::default()
        };
        let mut sheet = Sheet::new(&self.target.instance);
        let line = Line {
            link: &link,
            until: began + self.target.config.deadline * 3 / 5,
        };
        let version = link.version;
        let asked = timeout_at(end, self.server(line, &mut sheet, &mut reports)).await;
        self.held_up = std::mem::take(&mut reports.held_up);
        let usable = matches!(asked, Ok(Ok(())))
            && self.tables(&link, end, &mut reports).await
            && self.asked.ask(&self.target, &link, &self.visits, end).await;
        if usable {
            self.own.keep(link);
        } else {
            self.own.keep_busy(link);
        }
        self.report(&mut sheet, &reports, version);
        self.asked.encode(&self.target, &mut sheet);
        let mut all = vec![Arc::new(sheet.finish())];
        all.extend(self.seldom.as_ref().map(|seldom| seldom.pieces.clone()));
        all.extend(self.visits.pieces(&self.target));
        Ok(all)
    }

    /// False when the server's own connection can be used no more.
    async fn tables(&mut self, link: &Link, end: Deadline, reports: &mut Reports) -> bool {
        if self.target.config.tables == 0 {
            return true;
        }
        let began = Instant::now();
        let others = &self.asked;
        let usable = self.visits.read(&self.target, link, others, end).await;
        let sound = self.visits.sound();
        reports.add("stat_user_tables", began.elapsed(), sound);
        reports.add("statio_user_tables", Duration::ZERO, sound);
        usable
    }

    /// What the server tells on its own connection. Fails when that is lost.
    async fn server(
        &mut self,
        line: Line<'_>,
        sheet: &mut Sheet,
        reports: &mut Reports,
    ) -> Result<(), Failure> {
        let labels = [
            ("server", self.target.access.place.as_str()),
            ("short_version", line.link.short_version.as_str()),
            ("version", line.link.full_version.as_str()),
        ];
        sheet
            .family("pg_static", "Which version the server is.", Kind::Untyped)
            .sample(&labels, 1.0);
        self.collect(line, Pace::Each, sheet, reports).await?;
        if let Some(rows) = ask(line, DATABASES, "databases", reports).await? {
            self.visits.found(&rows, &self.target.exclude);
        }
        let now = Instant::now();
        let due = |seldom: &Seldom| now.duration_since(seldom.at) >= self.target.config.seldom;
        if self.seldom.as_ref().is_none_or(due) {
            let held_up = reports.held_up.clone();
            let mut seldom = self.ask_seldom(line, now, held_up).await?;
            reports.held_up.clone_from(&seldom.reports.held_up);
            let short = seldom.reports.cut_short || !seldom.reports.held_up.is_empty();
            if let Some(before) = self.seldom.take().filter(|_| short) {
                // What was told before will do until the lock is gone.
                seldom.pieces = before.pieces;
                seldom.statements = before.statements;
            }
            self.seldom = Some(seldom);
        }
        let schema = self
            .seldom
            .as_ref()
            .and_then(|seldom| seldom.statements.clone());
        if let Some(schema) = schema.filter(|_| self.target.config.statements > 0) {
            self.statements(line, &schema, sheet, reports).await?;
        }
        Ok(())
    }

    async fn collect(
        &self,
        line: Line<'_>,
        pace: Pace,
        sheet: &mut Sheet,
        reports: &mut Reports,
    ) -> Result<(), Failure> {
        let version = line.link.version;
        let asked =
            catalogue::all().filter(|one| one.pace == pace && one.versions.contains(&version));
        let (late, early): (Vec<_>, Vec<_>) =
            asked.partition(|one| reports.held_up.contains(one.name));
        for collector in early.into_iter().chain(late) {
            if let Some(rows) = ask(line, collector.sql, collector.name, reports).await? {
                collector.encode(&rows, &self.target.access.place, sheet);
            }
        }
        Ok(())
    }

    async fn ask_seldom(
        &self,
        line: Line<'_>,
        at: Instant,
        held_up: BTreeSet<&'static str>,
    ) -> Result<Seldom, Failure> {
        let mut sheet = Sheet::new(&self.target.instance);
        let mut reports = Reports {
            held_up,
            ..Reports::default()
        };
        self.collect(line, Pace::Seldom, &mut sheet, &mut reports)
            .await?;
        if let Some(rows) = ask(line, settings::SQL, "settings", &mut reports).await? {
            settings::encode(&rows, &mut sheet);
        }
        let name = statements::COUNTS.name;
        let found = ask(line, statements::WHERE, name, &mut reports).await?;
        let first = found.as_ref().and_then(|rows| rows.iter().next());
        let schema = first.and_then(|row| row.get("schema"));
        Ok(Seldom {
            at,
            pieces: Arc::new(sheet.finish()),
            reports,
            statements: schema.map(str::to_owned),
        })
    }

    async fn statements(
        &mut self,
        line: Line<'_>,
        schema: &str,
        sheet: &mut Sheet,
        reports: &mut Reports,
    ) -> Result<(), Failure> {
        let sql = statements::counts(schema, line.link.version, self.target.config.statements);
        let name = statements::COUNTS.name;
        let Some(counts) = ask(line, &sql, name, reports).await? else {
            return Ok(());
        };
        statements::COUNTS.encode(&counts, "", sheet);
        let lacking = self.texts.lacking(&counts);
        let now = Instant::now();
        // All texts are in one file: not at each reading for one newcomer.
        let due = |at: Instant| now.duration_since(at) >= self.target.config.visit;
        if !lacking.is_empty() && self.texts_asked.is_none_or(due) {
            self.texts_asked = Some(now);
            let sql = statements::texts(schema, &lacking);
            if let Some(texts) = ask(line, &sql, name, reports).await? {
                self.texts.learn(&texts);
            }
        }
        self.texts.encode(sheet);
        Ok(())
    }

    /// The families about collecting itself.
    fn report(&self, sheet: &mut Sheet, fast: &Reports, version: u32) {
        let mut all = fast.clone();
        if let Some(seldom) = &self.seldom {
            for (name, (took, sound)) in &seldom.reports.fared {
                all.add(name, *took, *sound);
            }
        }
        // Those that the connection's end kept from being asked.
        for collector in catalogue::all().filter(|one| one.versions.contains(&version)) {
            if !all.fared.contains_key(collector.name) {
                all.add(collector.name, Duration::ZERO, false);
            }
        }
        all.encode(sheet);
        if self.target.config.tables > 0 {
            self.visits.encode(sheet);
        }
    }
}
