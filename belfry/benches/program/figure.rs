//! A figure, its budget, and what part of the budget it takes.

/// Prints the head of the table.
pub(crate) fn head() {
    println!(
        "{:<58} {:>10} {:<8} {:>8} {:>6}",
        "figure", "measured", "", "budget", "ratio"
    );
}

/// Prints a figure that has a budget.
pub(crate) fn budget(name: &str, value: f64, unit: &str, budget: f64) {
    let ratio = value / budget;
    println!("{name:<58} {value:>10.2} {unit:<8} {budget:>8} {ratio:>6.2}");
}

/// Prints a figure that has none.
pub(crate) fn plain(name: &str, value: f64, unit: &str) {
    println!("{name:<58} {value:>10.2} {unit}");
}

/// The value below which this part of sorted values lies.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// By how much the second of each pair grows per one of the first, by least squares.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|of| (of.0 - x) * (of.1 - y)).sum();
    both / points.iter().map(|of| (of.0 - x).powi(2)).sum::<f64>()
}

/// The middle and the largest of some values.
pub(crate) fn spread(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let largest = values.last().copied().unwrap_or(f64::NAN);
    let middle = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    (middle, largest)
}
