//! The expression tree. Every node knows where it stands and what type it has;
//! whatever can be prepared once (patterns, label lists) is prepared here.

use series::Matcher;

use super::{Function, Text};

/// The type of an expression's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// One number for each time.
    Scalar,
    /// One number for each series and time.
    Vector,
    /// Many samples for each series and time.
    Matrix,
    /// A text.
    String,
}

impl Type {
    /// Its name in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::String => "string",
        }
    }
}

/// A parsed and checked expression, to be evaluated any number of times.
#[derive(Debug)]
pub struct Expr {
    pub(crate) root: Node,
}

impl Expr {
    /// The type of its value.
    #[must_use]
    pub fn kind(&self) -> Type {
        self.root.ty()
    }
}

/// One node of the tree.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Line and column of its first byte, from 1, for warnings.
    pub(crate) place: (usize, usize),
    /// Its first byte.
    pub(super) start: usize,
    /// Behind its last byte.
    pub(super) end: usize,
    /// How deep the tree below it is; bounds every recursion over it.
    pub(super) depth: u16,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Number { value: f64, duration: bool },
    Text(Text),
    Paren(Box<Node>),
    Minus(Box<Node>),
    Plus(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Box<Call>),
    Selector(Box<Selector>),
    Range(Box<Range>),
    Subquery(Box<Subquery>),
}

/// A metric selector: which series an expression reads.
#[derive(Debug)]
pub struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    /// The patterns as they were written; [`Matcher`] holds them translated.
    pub(super) written: Vec<String>,
    /// Whether the name stood in front of the braces.
    pub(super) named: bool,
    pub(super) span: (usize, usize),
    pub(crate) when: When,
}

impl Selector {
    /// Where it stands in the text it was parsed from, in bytes, without
    /// range, `offset` and `@`.
    #[must_use]
    pub fn span(&self) -> std::ops::Range<usize> {
        self.span.0..self.span.1
    }

    /// The conditions, the metric name among them. Patterns are in the
    /// spelling of the `regex` crate.
    #[must_use]
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }
}

/// `offset` and `@`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct When {
    pub(crate) offset_ms: i64,
    pub(crate) at: Option<At>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum At {
    /// Milliseconds.
    Time(i64),
    Start,
    End,
}

/// `selector[5m]`.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) selector: Selector,
    pub(crate) range_ms: i64,
}

/// `expression[1h:5m]`.
#[derive(Debug)]
pub(crate) struct Subquery {
    pub(crate) inner: Node,
    pub(crate) range_ms: i64,
    pub(crate) step_ms: Option<i64>,
    pub(crate) when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// How tightly it binds.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => 5,
            Self::Pow => 6,
            _ => 3,
        }
    }

    pub(crate) fn compares(self) -> bool {
        self.precedence() == 3
    }

    pub(crate) fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    pub(crate) left: Node,
    pub(crate) right: Node,
    /// `bool`: answer 0 or 1 instead of filtering.
    pub(crate) answers: bool,
    pub(crate) matching: Matching,
}

/// `on`, `ignoring`, `group_left` and `group_right`.
#[derive(Debug, Default)]
pub(crate) struct Matching {
    /// Whether `labels` are those that count (`on`) or those that do not.
    pub(crate) on: bool,
    pub(crate) labels: Vec<String>,
    /// The side with many series for each match, if it may have them.
    pub(crate) many: Option<Side>,
    /// Labels to copy from the other side.
    pub(crate) include: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregator {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
}

#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) aggregator: Aggregator,
    pub(crate) param: Option<Node>,
    pub(crate) inner: Node,
    pub(crate) grouping: Grouping,
}

/// `by (..)` or `without (..)`.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    pub(crate) without: bool,
    pub(crate) labels: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) args: Vec<Node>,
    /// The pattern of a `label_replace`, compiled once; a bad one is an error
    /// of the evaluation, not of the text.
    pub(crate) pattern: Option<Result<regex::Regex, String>>,
}

/// The texts that `label_replace` needs, out of its arguments.
pub(crate) struct Replace<'a> {
    pub(crate) target: &'a Text,
    pub(crate) replacement: String,
    pub(crate) source: &'a Text,
}

impl Call {
    /// The arguments of a `label_replace` behind its vector.
    pub(crate) fn replace(&self) -> Option<Replace<'_>> {
        Some(Replace {
            target: self.args.get(1)?.text()?,
            replacement: self.args.get(2)?.text()?.lossy(),
            source: self.args.get(3)?.text()?,
        })
    }
}

impl Node {
    /// The type of its value.
    pub(crate) fn ty(&self) -> Type {
        match &self.kind {
            Kind::Number { .. } => Type::Scalar,
            Kind::Text(_) => Type::String,
            Kind::Paren(inner) | Kind::Minus(inner) | Kind::Plus(inner) => inner.ty(),
            Kind::Aggregate(_) | Kind::Selector(_) => Type::Vector,
            Kind::Range(_) | Kind::Subquery(_) => Type::Matrix,
            Kind::Call(call) => call.function.returns(),
            Kind::Binary(binary) => match (binary.left.ty(), binary.right.ty()) {
                (Type::Scalar, Type::Scalar) => Type::Scalar,
                _ => Type::Vector,
            },
        }
    }

    /// The node without parentheses around it.
    pub(crate) fn bare(&self) -> &Self {
        let mut node = self;
        while let Kind::Paren(inner) = &node.kind {
            node = inner;
        }
        node
    }

    /// Its text, if it is a string literal.
    pub(crate) fn text(&self) -> Option<&Text> {
        match &self.bare().kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }
}
