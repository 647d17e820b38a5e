//! The tree that parsing makes and executing walks.

use std::sync::Arc;

use crate::{functions::Function, value::Value};

/// A place in the text, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

#[derive(Debug)]
pub(crate) enum Node {
    Text(At, Arc<str>),
    /// Prints its value unless it declares a variable.
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template {
        at: At,
        name: Arc<str>,
        argument: Option<Pipe>,
    },
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) then: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) at: At,
    /// The variables it sets.
    pub(crate) variables: Vec<Arc<str>>,
    /// Whether they exist already (`=`, not `:=`).
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) first: Operand,
    pub(crate) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) at: At,
    pub(crate) term: Term,
    /// The names after it, each with its dot removed.
    pub(crate) fields: Vec<Arc<str>>,
}

#[derive(Debug)]
pub(crate) enum Term {
    Dot,
    Nil,
    Constant(Value),
    Variable(Arc<str>),
    Function(&'static Function),
    Pipe(Box<Pipe>),
}

impl Term {
    /// Whether it can stand in a later stage of a pipeline.
    pub(crate) fn takes_input(&self, has_fields: bool) -> bool {
        match self {
            Self::Dot => has_fields,
            Self::Nil | Self::Constant(_) => false,
            Self::Variable(_) | Self::Function(_) | Self::Pipe(_) => true,
        }
    }
}
