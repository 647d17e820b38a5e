//! PromQL, evaluated over the series store, with the semantics of Prometheus 3.
//!
//! [`parse`] turns text into an [`Expr`], once; [`Engine`] evaluates it at one
//! time or over a range, as often as wanted and from any thread. Nothing here
//! reads the clock for its results (times are parameters) or does I/O; only the
//! time-out looks at a clock.
//!
//! Native histograms and experimental functions and syntax are refused by the
//! parser with an error that says "not supported", never answered wrongly.

mod engine;
mod error;
mod eval;
mod syntax;

pub use engine::{Answer, Engine, Limits, Samples, Value};
pub use error::{Error, ParseError};
pub use syntax::{Expr, Reach, Selector, Type, functions, parse};
