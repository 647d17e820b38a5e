//! From text to a checked expression tree and back to canonical text.

mod ast;
mod call;
mod check;
mod duration;
mod function;
mod lex;
mod matchers;
mod need;
mod parse;
mod postfix;
mod pretty;
mod print;
mod text;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use ast::{
    Aggregate, Aggregator, At, Binary, BinaryOp, Call, Grouping, Kind, Matching, Node, Range, Side,
    Subquery, When,
};
pub use ast::{Expr, Selector, Type};
pub use function::functions;
pub(crate) use function::{Function, Window};
pub(crate) use need::Moment;
pub use need::Reach;
pub use parse::parse;
pub(crate) use text::{Text, go_number, quote};
