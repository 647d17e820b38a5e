//! Quantiles and fractions of classic histograms, whose buckets are series.

use std::collections::HashMap;

use exposition::parse_value;

use super::group::{Grouper, Key};
use super::{Evaluator, Grid, Row, Table, is_absent};
use crate::error::{Error, SAME_LABELSET};
use crate::syntax::{Node, quote};

const BOUND: &str = "le";

/// Relative differences below this are rounding, not observations.
const ROUNDING: f64 = 1e-12;

/// One bucket: its upper bound, and how many observations are not above it.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

struct Histogram {
    row: Row,
    name: String,
    /// Upper bounds, in order, and the rows that count for them.
    buckets: Vec<(f64, usize)>,
}

impl Evaluator<'_> {
    pub(super) fn histogram_quantile(&mut self, args: &[Node], grid: Grid) -> Result<Table, Error> {
        let ranks = self.scalar(&args[0], grid)?;
        self.warn_of_quantiles(&ranks, args[0].place);
        self.histogram(&args[1], grid, |step, buckets| {
            quantile(ranks[step], buckets)
        })
    }

    pub(super) fn histogram_fraction(&mut self, args: &[Node], grid: Grid) -> Result<Table, Error> {
        let lower = self.scalar(&args[0], grid)?;
        let upper = self.scalar(&args[1], grid)?;
        self.histogram(&args[2], grid, |step, buckets| {
            (fraction(lower[step], upper[step], buckets), false)
        })
    }

    /// Calls `measure` for each histogram at each time; it says the value and
    /// whether the counts had to be forced to grow.
    fn histogram(
        &mut self,
        arg: &Node,
        grid: Grid,
        measure: impl Fn(usize, &mut Vec<Bucket>) -> (f64, bool),
    ) -> Result<Table, Error> {
        let table = self.table(arg, grid)?;
        let histograms = self.histograms(&table, arg);
        self.budget.take_cells(histograms.len(), grid.count)?;
        let mut answer = Table::new(grid.count);
        let mut buckets = Vec::new();
        for histogram in histograms {
            self.budget
                .work(histogram.buckets.len().saturating_mul(grid.count))?;
            let mut forced = false;
            answer.add_filled(histogram.row, |cells| {
                for (step, cell) in cells.iter_mut().enumerate() {
                    buckets.clear();
                    buckets.extend(histogram.buckets.iter().filter_map(|&(bound, row)| {
                        let count = table.cells_of(row)[step];
                        (!is_absent(count)).then_some(Bucket { bound, count })
                    }));
                    if !buckets.is_empty() {
                        let (value, fixed) = measure(step, &mut buckets);
                        *cell = value;
                        forced |= fixed;
                    }
                }
            });
            if forced {
                let what = format!(
                    "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/practices/histograms/#errors-in-quantile-calculation) for metric name {}",
                    quote(&histogram.name)
                );
                self.notes.info(&what, arg.place);
            }
        }
        answer.merge(SAME_LABELSET)
    }

    fn histograms(&mut self, table: &Table, arg: &Node) -> Vec<Histogram> {
        let bound_label = [BOUND.to_owned()];
        let key = Key {
            by: false,
            names: &bound_label,
            with_name: true,
        };
        let nameless = Key {
            with_name: false,
            ..key
        };
        let mut grouper = Grouper::new(key);
        let mut histograms: Vec<Histogram> = Vec::new();
        let mut bounds: HashMap<&str, Option<f64>> = HashMap::new();
        for (at, row) in table.rows.iter().enumerate() {
            let text = row.labels.get(BOUND);
            let bound = *bounds.entry(text).or_insert_with(|| parse_value(text));
            let Some(bound) = bound else {
                let what = format!(
                    "bucket label \"le\" is missing or has a malformed value of {} for metric name {}",
                    quote(text),
                    quote(row.labels.name())
                );
                self.notes.warn(&what, arg.place);
                continue;
            };
            let group = grouper.id(&row.labels);
            if group == histograms.len() {
                histograms.push(Histogram {
                    row: Row {
                        labels: nameless.of(&row.labels),
                        nameless: true,
                    },
                    name: row.labels.name().to_owned(),
                    buckets: Vec::new(),
                });
            }
            histograms[group].buckets.push((bound, at));
        }
        for histogram in &mut histograms {
            histogram
                .buckets
                .sort_by(|left, right| left.0.total_cmp(&right.0));
        }
        histograms
    }
}

/// Makes one bucket of those with the same bound; false without a last one
/// that takes everything.
fn prepare(buckets: &mut Vec<Bucket>) -> bool {
    if buckets
        .last()
        .is_none_or(|last| last.bound != f64::INFINITY)
    {
        return false;
    }
    buckets.dedup_by(|next, have| {
        let same = next.bound == have.bound;
        if same {
            have.count += next.count;
        }
        same
    });
    true
}

/// Counts of buckets may not fall. Small falls are rounding, larger ones come
/// from buckets that were read at different times, and are reported.
fn force_growth(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let (low, high) = (before.min(bucket.count), before.max(bucket.count));
        let is_rounding = (high - low) / (low.abs() + high.abs()).min(f64::MAX) < ROUNDING;
        if bucket.count == before {
            continue;
        }
        if is_rounding {
            bucket.count = before;
        } else if bucket.count < before {
            bucket.count = before;
            forced = true;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn quantile(rank: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if rank.is_nan() {
        return (f64::NAN, false);
    }
    if rank < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if rank > 1.0 {
        return (f64::INFINITY, false);
    }
    if !prepare(buckets) {
        return (f64::NAN, false);
    }
    let forced = force_growth(buckets);
    let last = buckets.len() - 1;
    let total = buckets[last].count;
    if last == 0 || total == 0.0 || total.is_nan() {
        return (f64::NAN, forced);
    }
    let wanted = rank * total;
    let at = buckets[..last].partition_point(|bucket| bucket.count < wanted);
    if at == last {
        // Nothing is known of what lies beyond the highest finite bound.
        return (buckets[last - 1].bound, forced);
    }
    let (end, mut count, mut within) = (buckets[at].bound, buckets[at].count, wanted);
    let mut start = 0.0;
    if at == 0 {
        if end <= 0.0 {
            return (end, forced);
        }
    } else {
        start = buckets[at - 1].bound;
        count -= buckets[at - 1].count;
        within -= buckets[at - 1].count;
    }
    (start + (end - start) * (within / count), forced)
}

fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if !prepare(buckets) {
        return f64::NAN;
    }
    force_growth(buckets);
    let total = buckets[buckets.len() - 1].count;
    if total == 0.0 || total.is_nan() || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (below(upper, buckets) - below(lower, buckets)) / total
}

/// How many observations are taken to lie below a value. Within a bucket they
/// are spread evenly; in one without an end nothing can be said, so they are
/// taken to lie at its far end.
fn below(value: f64, buckets: &[Bucket]) -> f64 {
    let mut before = 0.0;
    let mut start = if buckets[0].bound > 0.0 {
        0.0
    } else {
        f64::NEG_INFINITY
    };
    for bucket in buckets {
        if value <= start {
            return before;
        }
        if value < bucket.bound {
            return if start == f64::NEG_INFINITY {
                bucket.count
            } else if bucket.bound == f64::INFINITY {
                before
            } else {
                before + (bucket.count - before) * (value - start) / (bucket.bound - start)
            };
        }
        before = bucket.count;
        start = bucket.bound;
    }
    before
}
