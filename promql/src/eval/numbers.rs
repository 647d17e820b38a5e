//! Sums that keep their small parts, means that do not overflow, quantiles, lines.

use super::select::Point;

/// A sum with Neumaier's compensation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    sum: f64,
    compensation: f64,
}

impl Sum {
    pub(crate) fn of(value: f64) -> Self {
        Self {
            sum: value,
            compensation: 0.0,
        }
    }

    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.compensation = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.compensation += (self.sum - total) + value;
        } else {
            self.compensation += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn total(self) -> f64 {
        if self.sum.is_infinite() {
            self.sum
        } else {
            self.sum + self.compensation
        }
    }

    fn scaled(self, factor: f64) -> Self {
        Self {
            sum: self.sum * factor,
            compensation: self.compensation * factor,
        }
    }

    fn divided(self, by: f64) -> Self {
        Self {
            sum: self.sum / by,
            compensation: self.compensation / by,
        }
    }
}

/// A mean: the sum divided, or where the sum would overflow, a running mean.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    running: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = Sum::of(value);
            return;
        }
        if !self.running {
            let mut next = self.sum;
            next.add(value);
            if !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.running = true;
            self.sum = self.sum.divided(self.count - 1.0);
        }
        self.sum = self.sum.scaled((self.count - 1.0) / self.count);
        self.sum.add(value / self.count);
    }

    pub(crate) fn mean(self) -> f64 {
        let mean = if self.running {
            self.sum
        } else {
            self.sum.divided(self.count)
        };
        mean.sum + mean.compensation
    }
}

/// Welford's variance, as aggregations compute it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Variance {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    pub(crate) fn variance(self) -> f64 {
        self.squares / self.count
    }
}

/// The variance of a window, compensated throughout.
pub(crate) fn window_variance(points: &[Point]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for &(_, value) in points {
        count += 1.0;
        let delta = value - (mean.sum + mean.compensation);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.sum + mean.compensation)));
    }
    (squares.sum + squares.compensation) / count
}

/// The quantile of values in any order; they come out sorted, NaN first.
pub(crate) fn quantile(rank: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || rank.is_nan() {
        return f64::NAN;
    }
    if rank < 0.0 {
        return f64::NEG_INFINITY;
    }
    if rank > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|left, right| {
        let nan_first = right.is_nan().cmp(&left.is_nan());
        nan_first.then(left.total_cmp(right))
    });
    let last = values.len() - 1;
    let place = rank * last as f64;
    let lower = (place.floor() as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = place - place.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// The least-squares line through a window: slope for each second, and the
/// value at `origin_ms`. A constant is a line without slope, exactly.
pub(crate) fn line(points: &[Point], origin_ms: i64) -> (f64, f64) {
    let first = points[0].1;
    if points[1..].iter().all(|point| point.1 == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let count = points.len() as f64;
    let mut sums = [Sum::default(); 4];
    for &(time, y) in points {
        let x = (time - origin_ms) as f64 / 1000.0;
        for (sum, value) in sums.iter_mut().zip([x, y, x * y, x * x]) {
            sum.add(value);
        }
    }
    let [x, y, xy, xx] = sums.map(|sum| sum.sum + sum.compensation);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

/// Go's `math.Max`: a NaN stays one.
pub(crate) fn max(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        left.max(right)
    }
}

/// Go's `math.Min`: a NaN stays one.
pub(crate) fn min(left: f64, right: f64) -> f64 {
    -max(-left, -right)
}

pub(crate) fn sgn(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        value
    }
}

pub(crate) fn rad(degrees: f64) -> f64 {
    degrees * std::f64::consts::PI / 180.0
}

pub(crate) fn deg(radians: f64) -> f64 {
    radians * 180.0 / std::f64::consts::PI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_survive_large_ones() {
        let (mut sum, mut mean) = (Sum::default(), Mean::default());
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
            mean.add(value);
        }
        assert_eq!((sum.total(), mean.mean()), (2.0, 0.5));
    }

    #[test]
    fn a_mean_does_not_overflow() {
        let mut mean = Mean::default();
        (0..4).for_each(|_| mean.add(1e308));
        assert_eq!(mean.mean(), 1e308);
    }

    #[test]
    fn quantiles_lie_between_ranks_and_nan_is_lowest() {
        for (rank, values, answer) in [
            (0.5, &mut [3.0, 1.0, 2.0][..], 2.0),
            (0.8, &mut [0.0, 1.0, 4.0], 2.8),
            (0.8, &mut [0.0, f64::NAN, 1.0], 0.6),
            (-0.1, &mut [1.0], f64::NEG_INFINITY),
            (1.1, &mut [1.0], f64::INFINITY),
        ] {
            assert!(
                (quantile(rank, values) - answer).abs() < 1e-12 || quantile(rank, values) == answer
            );
        }
        assert!(quantile(0.2, &mut [0.0, -f64::NAN, 1.0]).is_nan());
        assert!(quantile(f64::NAN, &mut [0.0]).is_nan());
    }

    #[test]
    fn a_constant_has_no_slope_and_a_line_its_own() {
        let flat: Vec<_> = (0..7).map(|at| (at * 1000, 0.1)).collect();
        assert_eq!(line(&flat, 0), (0.0, 0.1));
        let steep: Vec<_> = (0..5).map(|at| (at * 2000, at as f64)).collect();
        let (slope, at_ten) = line(&steep, 10_000);
        assert!((slope - 0.5).abs() < 1e-12 && (at_ten - 5.0).abs() < 1e-12);
    }
}
