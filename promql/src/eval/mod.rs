//! The evaluator: one walk over the tree, every node over all times at once.
//!
//! A query's times are a [`Grid`]; an instant query has one. A node's value is
//! a [`Table`]: a row for each series, a cell for each time. So labels are
//! matched, grouped and copied once for each series, however many times a
//! range query has, and each series is read once for each selector.
//!
//! Names are dropped late: a function only marks its rows, and the name goes at
//! the end, so that `label_replace` and `by (__name__)` can still see it.

mod absent;
mod aggregate;
mod binary;
mod budget;
pub(crate) mod calendar;
mod elementwise;
mod grid;
mod group;
mod histogram;
mod labels;
mod matching;
mod notes;
pub(crate) mod numbers;
mod over_time;
mod rank;
mod select;
mod sets;
mod table;

pub(crate) use budget::Budget;
pub(crate) use grid::Grid;
pub(crate) use notes::Notes;
pub(crate) use table::{Row, Table, is_absent};

use series::Store;

use crate::error::{Error, execution};
use crate::syntax::{Call, Function, Kind, Node};

/// One evaluation.
pub(crate) struct Evaluator<'a> {
    pub(crate) store: &'a Store,
    /// Whether roll-ups may be read.
    pub(crate) history: bool,
    pub(crate) lookback_ms: i64,
    pub(crate) subquery_step_ms: i64,
    /// The first and last time of the query, for `@ start()` and `@ end()`.
    pub(crate) bounds: (i64, i64),
    /// Whether the query asks for a range, where order means nothing.
    pub(crate) is_range: bool,
    pub(crate) budget: Budget,
    pub(crate) notes: Notes,
}

/// The value of a scalar or an instant vector.
pub(crate) enum Data {
    /// One number for each time.
    Scalar(Vec<f64>),
    Table(Table),
}

impl Evaluator<'_> {
    pub(crate) fn eval(&mut self, node: &Node, grid: Grid) -> Result<Data, Error> {
        match &node.kind {
            Kind::Number { value, .. } => {
                self.budget.take(grid.count)?;
                Ok(Data::Scalar(vec![*value; grid.count]))
            }
            Kind::Paren(inner) | Kind::Plus(inner) => self.eval(inner, grid),
            Kind::Minus(inner) => self.negate(inner, grid),
            Kind::Binary(binary) => self.binary(binary, grid),
            Kind::Aggregate(aggregate) => self.aggregate(aggregate, grid).map(Data::Table),
            Kind::Call(call) => self.call(call, node, grid),
            Kind::Selector(selector) => self.instant(selector, grid, false).map(Data::Table),
            Kind::Text(_) | Kind::Range(_) | Kind::Subquery(_) => {
                // The parser lets these stand only where they are read otherwise.
                execution(format!("unexpected {}", node.ty().as_str()))
            }
        }
    }

    /// The value of a node that is an instant vector.
    pub(crate) fn table(&mut self, node: &Node, grid: Grid) -> Result<Table, Error> {
        match self.eval(node, grid)? {
            Data::Table(table) => Ok(table),
            Data::Scalar(_) => execution("expected an instant vector, got a scalar"),
        }
    }

    /// The value of a node that is a scalar.
    pub(crate) fn scalar(&mut self, node: &Node, grid: Grid) -> Result<Vec<f64>, Error> {
        match self.eval(node, grid)? {
            Data::Scalar(values) => Ok(values),
            Data::Table(_) => execution("expected a scalar, got an instant vector"),
        }
    }

    fn negate(&mut self, inner: &Node, grid: Grid) -> Result<Data, Error> {
        Ok(match self.eval(inner, grid)? {
            Data::Scalar(mut values) => {
                values.iter_mut().for_each(|value| *value = -*value);
                Data::Scalar(values)
            }
            Data::Table(mut table) => {
                table.map(|value| -value);
                Data::Table(table)
            }
        })
    }

    fn call(&mut self, call: &Call, node: &Node, grid: Grid) -> Result<Data, Error> {
        let args = &call.args[..];
        Ok(Data::Table(match call.function {
            Function::Pi => {
                self.budget.take(grid.count)?;
                return Ok(Data::Scalar(vec![std::f64::consts::PI; grid.count]));
            }
            Function::Time => {
                self.budget.take(grid.count)?;
                return Ok(Data::Scalar(grid.seconds()));
            }
            Function::Scalar => return self.only_value(&args[0], grid).map(Data::Scalar),
            Function::Vector => Table::nameless(self.scalar(&args[0], grid)?),
            Function::Each(function) => {
                let mut table = self.table(&args[0], grid)?;
                table.map(function);
                table
            }
            Function::Date(function) => self.date(function, args, grid)?,
            Function::Window(window) => self.over_time(window, args, grid)?,
            Function::Absent => self.absent(&args[0], grid)?,
            Function::AbsentOverTime => self.absent_over_time(&args[0], grid)?,
            Function::Clamp => self.clamp(&args[0], Some(&args[1]), Some(&args[2]), grid)?,
            Function::ClampMin => self.clamp(&args[0], Some(&args[1]), None, grid)?,
            Function::ClampMax => self.clamp(&args[0], None, Some(&args[1]), grid)?,
            Function::Round => self.round(args, grid)?,
            Function::HistogramQuantile => self.histogram_quantile(args, grid)?,
            Function::HistogramFraction => self.histogram_fraction(args, grid)?,
            Function::NativeOnly => {
                self.table(&args[0], grid)?;
                // Prometheus leaves out what is no native histogram, and says nothing.
                let what = format!(
                    "native histograms are not supported, and of other samples {} makes nothing",
                    call.name
                );
                self.notes.info(&what, node.place);
                Table::new(grid.count)
            }
            Function::LabelJoin => self.label_join(args, grid)?,
            Function::LabelReplace => self.label_replace(call, grid)?,
            Function::Sort { down } => self.sort(&args[0], down, node, grid)?,
            Function::Timestamp => self.timestamp(&args[0], grid)?,
        }))
    }
}
