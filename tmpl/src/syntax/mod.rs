//! From text to a tree: what Go's text/template/parse accepts.

mod action;
mod lex;
mod number;
mod parse;
mod tree;
mod unquote;

pub(crate) use parse::{Definitions, is_empty, parse};
pub(crate) use tree::{At, Branch, Command, Node, Operand, Pipe, Term};

/// How deep blocks and parentheses may nest.
const NESTING: u32 = 100;
