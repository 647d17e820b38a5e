//! The engine: limits, and the two ways to ask.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use exposition::Labels;
use series::{Store, Summary};

use crate::Error;
use crate::error::SAME_LABELSET;
use crate::eval::{Budget, Data, Evaluator, Grid, Notes, Table, is_absent};
use crate::syntax::{Expr, Kind, Moment, Reach, Selector, Type};

/// What a query may cost and how far it looks back.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most values that a query reads and makes at one time.
    pub samples: usize,
    /// How long it may take.
    pub timeout: Duration,
    /// How old the newest sample of a series may be for an instant selector.
    pub lookback: Duration,
    /// The step of a subquery that names none: the global evaluation interval.
    pub subquery_step: Duration,
    /// Set by the caller, from any thread, to end its queries.
    pub cancel: Option<Arc<AtomicBool>>,
    /// Whether roll-ups are used where memory does not reach back far enough.
    /// They are read from a disk, so whoever must not wait for one says no.
    pub history: bool,
}

impl Default for Limits {
    /// Prometheus' defaults.
    fn default() -> Self {
        Self {
            samples: 50_000_000,
            timeout: Duration::from_secs(120),
            lookback: Duration::from_secs(300),
            subquery_step: Duration::from_secs(60),
            cancel: None,
            history: false,
        }
    }
}

/// Evaluates expressions within limits. Cheap to make for each request.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    limits: Limits,
}

/// Series, each with one value.
type Vector = Vec<(Labels, f64)>;

/// Series, each with times in milliseconds and values.
type Matrix = Vec<(Labels, Vec<(i64, f64)>)>;

/// The result of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A text.
    String(String),
    /// Series with one value each; sorted where the expression says so.
    Vector(Vector),
    /// Series with many values each, sorted by labels.
    Matrix(Matrix),
}

/// A result and what there is to say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// What is probably wrong with the expression or its series.
    pub warnings: Vec<String>,
    /// What might be wrong with it.
    pub infos: Vec<String>,
    /// Whether roll-ups were among what it was computed from.
    pub rolled_up: bool,
    /// What it took.
    pub samples: Samples,
}

/// How many samples a query had to do with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Samples {
    /// Those read, each as often as one of the query's times sees it.
    pub read: usize,
    /// The most values at one time: what [`Limits::samples`] bounds.
    pub peak: usize,
}

impl Engine {
    /// An engine with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Evaluates at one time, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the series do not allow it or a limit is reached.
    pub fn instant(&self, store: &Store, expr: &Expr, time_ms: i64) -> Result<Answer, Error> {
        let mut evaluator = self.evaluator(store, (time_ms, time_ms), false);
        let grid = Grid::instant(time_ms);
        let value = match (&expr.root.bare().kind, expr.kind()) {
            (Kind::Text(text), _) => Value::String(text.lossy()),
            (_, Type::Matrix) => raw(&mut evaluator, expr, grid)?,
            _ => match evaluator.eval(&expr.root, grid)? {
                Data::Scalar(values) => Value::Scalar(values.first().copied().unwrap_or(f64::NAN)),
                Data::Table(table) => vector(table)?,
            },
        };
        Ok(answer(value, evaluator))
    }

    /// Evaluates at `start_ms` and each step behind it up to `end_ms`.
    ///
    /// # Errors
    /// When the question makes no sense, the series do not allow it or a
    /// limit is reached.
    pub fn range(
        &self,
        store: &Store,
        expr: &Expr,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Answer, Error> {
        let kind = expr.kind();
        if !matches!(kind, Type::Scalar | Type::Vector) {
            return Err(Error::BadData(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                kind.as_str()
            )));
        }
        if step_ms <= 0 {
            return Err(Error::BadData(
                "zero or negative query resolution step widths are not accepted".into(),
            ));
        }
        if end_ms < start_ms {
            return Err(Error::BadData(
                "end timestamp must not be before start time".into(),
            ));
        }
        let mut evaluator = self.evaluator(store, (start_ms, end_ms), true);
        let grid = Grid::range(start_ms, end_ms, step_ms);
        evaluator.budget.take(grid.count)?;
        let table = match evaluator.eval(&expr.root, grid)? {
            Data::Scalar(values) => Table::nameless(values),
            Data::Table(table) => table,
        };
        let mut matrix: Matrix = shown(table)?
            .map(|(labels, cells)| {
                let points = cells
                    .iter()
                    .enumerate()
                    .filter(|(_, value)| !is_absent(**value))
                    .map(|(at, value)| (grid.time(at), *value));
                (labels, points.collect())
            })
            .collect();
        matrix.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(answer(Value::Matrix(matrix), evaluator))
    }

    /// The selectors without series that keep an expression from ever having a
    /// result, when `has_series` says which ones have any. It is told which
    /// samples an evaluation at this time, in milliseconds since 1970, would see.
    /// Empty when a result is possible.
    pub fn blocked_by<'a>(
        &self,
        expr: &'a Expr,
        time_ms: i64,
        has_series: impl FnMut(&Selector, Reach) -> bool,
    ) -> Vec<&'a Selector> {
        let at = Moment {
            time_ms,
            lookback_ms: milliseconds(self.limits.lookback),
        };
        expr.blocked_by(at, has_series)
    }

    fn evaluator<'a>(&self, store: &'a Store, bounds: (i64, i64), is_range: bool) -> Evaluator<'a> {
        let limits = &self.limits;
        // The one look at a clock: results do not depend on it.
        let deadline = Instant::now().checked_add(limits.timeout);
        Evaluator {
            store,
            history: limits.history,
            lookback_ms: milliseconds(limits.lookback),
            subquery_step_ms: milliseconds(limits.subquery_step),
            bounds,
            is_range,
            budget: Budget::new(limits.samples, deadline, limits.cancel.clone()),
            notes: Notes::default(),
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn answer(value: Value, evaluator: Evaluator<'_>) -> Answer {
    let Evaluator { notes, budget, .. } = evaluator;
    let rolled_up = notes.rolled_up;
    let (warnings, infos) = notes.finish();
    Answer {
        rolled_up,
        samples: Samples {
            read: budget.read,
            peak: budget.peak(),
        },
        value,
        warnings,
        infos,
    }
}

/// The rows under the labels they are shown with.
fn shown(mut table: Table) -> Result<impl Iterator<Item = (Labels, Vec<f64>)>, Error> {
    for row in &mut table.rows {
        row.labels = row.shown();
        row.nameless = false;
    }
    table.compact();
    let Table { steps, rows, cells } = table.merge(SAME_LABELSET)?;
    Ok(rows.into_iter().enumerate().map(move |(at, row)| {
        let cells = cells[at * steps..(at + 1) * steps].to_vec();
        (row.labels, cells)
    }))
}

fn vector(table: Table) -> Result<Value, Error> {
    let rows = shown(table)?;
    Ok(Value::Vector(
        rows.map(|(labels, cells)| (labels, cells[0])).collect(),
    ))
}

/// The samples behind a range vector, as they are.
fn raw(evaluator: &mut Evaluator<'_>, expr: &Expr, grid: Grid) -> Result<Value, Error> {
    let mut matrix: Matrix = Vec::new();
    let is_range = matches!(&expr.root.bare().kind, Kind::Range(_));
    evaluator.windows(
        &expr.root,
        grid,
        Summary::Last,
        &mut |this, row, points, windows| {
            let (low, high) = windows.bounds(0);
            let within = points
                .iter()
                .filter(|point| point.0 > low && point.0 <= high);
            let points: Vec<_> = within.copied().collect();
            this.budget.take(points.len())?;
            // Those of a subquery have been counted when they were computed.
            this.budget.read += if is_range { points.len() } else { 0 };
            if !points.is_empty() {
                matrix.push((row.shown(), points));
            }
            Ok(())
        },
    )?;
    matrix.sort_by(|left, right| left.0.cmp(&right.0));
    if matrix.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::Execution(SAME_LABELSET.into()));
    }
    Ok(Value::Matrix(matrix))
}
