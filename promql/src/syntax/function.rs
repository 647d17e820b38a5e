//! The functions: names, argument types, and what each one is for the evaluator.

use super::Type;
use crate::eval::{calendar, numbers};

/// What a function does; the evaluator matches on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Function {
    /// Each value by itself.
    Each(fn(f64) -> f64),
    /// Each value as a time in whole seconds, the current time by default.
    Date(fn(i64) -> f64),
    /// Each series' samples in a time window.
    Window(Window),
    Absent,
    AbsentOverTime,
    Clamp,
    ClampMax,
    ClampMin,
    HistogramFraction,
    HistogramQuantile,
    LabelJoin,
    LabelReplace,
    /// For native histograms only: floats give nothing.
    NativeOnly,
    Pi,
    Round,
    Scalar,
    Sort {
        down: bool,
    },
    Time,
    Timestamp,
    Vector,
}

impl Function {
    pub(super) fn returns(self) -> Type {
        match self {
            Self::Pi | Self::Scalar | Self::Time => Type::Scalar,
            _ => Type::Vector,
        }
    }
}

/// A function over the samples in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    Avg,
    Changes,
    Count,
    Delta,
    Deriv,
    First,
    Idelta,
    Increase,
    Irate,
    Last,
    Max,
    Min,
    PredictLinear,
    Present,
    Quantile,
    Rate,
    Resets,
    Stddev,
    Stdvar,
    Sum,
}

/// How a function is called.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) args: &'static [Type],
    /// How many arguments may be left out at the end.
    pub(super) optional: usize,
    /// Whether the last argument may be repeated, or left out.
    pub(super) repeats: bool,
}

const S: Type = Type::Scalar;
const V: Type = Type::Vector;
const M: Type = Type::Matrix;
const T: Type = Type::String;

/// The function of that name. Names are case-sensitive.
pub(super) fn find(name: &str) -> Option<&'static Signature> {
    TABLE.iter().find(|signature| signature.name == name)
}

/// The names of all functions.
pub fn functions() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|signature| signature.name)
}

/// Whether the name belongs to a function that Prometheus calls experimental.
pub(super) fn is_experimental(name: &str) -> bool {
    matches!(
        name,
        "double_exponential_smoothing"
            | "end"
            | "histogram_quantiles"
            | "holt_winters"
            | "info"
            | "mad_over_time"
            | "max_of"
            | "min_of"
            | "range"
            | "sort_by_label"
            | "sort_by_label_desc"
            | "start"
            | "step"
            | "ts_of_first_over_time"
            | "ts_of_last_over_time"
            | "ts_of_max_over_time"
            | "ts_of_min_over_time"
    )
}

const fn plain(name: &'static str, function: Function, args: &'static [Type]) -> Signature {
    Signature {
        name,
        function,
        args,
        optional: 0,
        repeats: false,
    }
}

const fn optional(name: &'static str, function: Function, args: &'static [Type]) -> Signature {
    Signature {
        optional: 1,
        ..plain(name, function, args)
    }
}

const fn each(name: &'static str, function: fn(f64) -> f64) -> Signature {
    plain(name, Function::Each(function), &[V])
}

const fn date(name: &'static str, function: fn(i64) -> f64) -> Signature {
    optional(name, Function::Date(function), &[V])
}

const fn window(name: &'static str, window: Window) -> Signature {
    plain(name, Function::Window(window), &[M])
}

static TABLE: &[Signature] = &[
    each("abs", f64::abs),
    plain("absent", Function::Absent, &[V]),
    plain("absent_over_time", Function::AbsentOverTime, &[M]),
    each("acos", f64::acos),
    each("acosh", f64::acosh),
    each("asin", f64::asin),
    each("asinh", f64::asinh),
    each("atan", f64::atan),
    each("atanh", f64::atanh),
    window("avg_over_time", Window::Avg),
    each("ceil", f64::ceil),
    window("changes", Window::Changes),
    plain("clamp", Function::Clamp, &[V, S, S]),
    plain("clamp_max", Function::ClampMax, &[V, S]),
    plain("clamp_min", Function::ClampMin, &[V, S]),
    each("cos", f64::cos),
    each("cosh", f64::cosh),
    window("count_over_time", Window::Count),
    date("day_of_month", calendar::day_of_month),
    date("day_of_week", calendar::day_of_week),
    date("day_of_year", calendar::day_of_year),
    date("days_in_month", calendar::days_in_month),
    each("deg", numbers::deg),
    window("delta", Window::Delta),
    window("deriv", Window::Deriv),
    each("exp", f64::exp),
    window("first_over_time", Window::First),
    each("floor", f64::floor),
    plain("histogram_avg", Function::NativeOnly, &[V]),
    plain("histogram_count", Function::NativeOnly, &[V]),
    plain(
        "histogram_fraction",
        Function::HistogramFraction,
        &[S, S, V],
    ),
    plain("histogram_quantile", Function::HistogramQuantile, &[S, V]),
    plain("histogram_stddev", Function::NativeOnly, &[V]),
    plain("histogram_stdvar", Function::NativeOnly, &[V]),
    plain("histogram_sum", Function::NativeOnly, &[V]),
    date("hour", calendar::hour),
    window("idelta", Window::Idelta),
    window("increase", Window::Increase),
    window("irate", Window::Irate),
    Signature {
        repeats: true,
        ..plain("label_join", Function::LabelJoin, &[V, T, T, T])
    },
    plain("label_replace", Function::LabelReplace, &[V, T, T, T, T]),
    window("last_over_time", Window::Last),
    each("ln", f64::ln),
    each("log10", f64::log10),
    each("log2", f64::log2),
    window("max_over_time", Window::Max),
    window("min_over_time", Window::Min),
    date("minute", calendar::minute),
    date("month", calendar::month),
    plain("pi", Function::Pi, &[]),
    plain(
        "predict_linear",
        Function::Window(Window::PredictLinear),
        &[M, S],
    ),
    window("present_over_time", Window::Present),
    plain(
        "quantile_over_time",
        Function::Window(Window::Quantile),
        &[S, M],
    ),
    each("rad", numbers::rad),
    window("rate", Window::Rate),
    window("resets", Window::Resets),
    optional("round", Function::Round, &[V, S]),
    plain("scalar", Function::Scalar, &[V]),
    each("sgn", numbers::sgn),
    each("sin", f64::sin),
    each("sinh", f64::sinh),
    plain("sort", Function::Sort { down: false }, &[V]),
    plain("sort_desc", Function::Sort { down: true }, &[V]),
    each("sqrt", f64::sqrt),
    window("stddev_over_time", Window::Stddev),
    window("stdvar_over_time", Window::Stdvar),
    window("sum_over_time", Window::Sum),
    each("tan", f64::tan),
    each("tanh", f64::tanh),
    plain("time", Function::Time, &[]),
    plain("timestamp", Function::Timestamp, &[V]),
    plain("vector", Function::Vector, &[S]),
    date("year", calendar::year),
];
