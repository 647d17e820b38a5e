//! Executes a template: walks its nodes and writes.

mod eval;
mod member;
mod output;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use output::Output;

use crate::{
    Error, Template, Value,
    syntax::{At, Branch, Node, Pipe},
};

/// What a template may ask of the world around it.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
    /// Where the program is reached from outside.
    pub external_url: &'a str,
    /// Answers `query`; without it the function is an error.
    pub query: Option<&'a Query<'a>>,
    /// Answers `routeLabels`; without it the function is an error.
    pub route_label: Option<&'a RouteLabel<'a>>,
    /// Where what a message tells of can be taken on; empty if it cannot.
    pub ack_url: &'a str,
    /// When to stop a template that does not come to an end.
    pub limits: Limits,
}

/// Evaluates a PromQL expression at the time of the rule.
pub type Query<'a> = dyn Fn(&str) -> Result<Vec<Sample>, String> + 'a;

/// Gives the rendered label of the route by its name.
pub type RouteLabel<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// One element of what `query` finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels, with `__name__` if the result has one.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// How far a template may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps of work: nodes, calls, and the bytes they handle by the hundred.
    pub steps: u64,
    /// Bytes of the result, and of each text made on the way.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 5_000_000,
            output: 4 << 20,
        }
    }
}

impl<'a> Env<'a> {
    /// An environment without queries, with the limits for notifications.
    #[must_use]
    pub fn at(now_ms: i64, external_url: &'a str) -> Self {
        Self {
            now_ms,
            external_url,
            query: None,
            route_label: None,
            ack_url: "",
            limits: Limits::default(),
        }
    }
}

/// How deep blocks, parentheses and templates may be inside each other when
/// they run; chosen so that a thread with 1 MiB of stack suffices.
const DEPTH: u32 = 200;

pub(crate) struct Run<'a> {
    template: &'a Template,
    env: &'a Env<'a>,
    /// The variables in scope, innermost last; the first is `$`.
    variables: Vec<(Arc<str>, Value)>,
    output: Output,
    steps: u64,
    depth: u32,
}

/// Whether to go on with the next node or leave the loop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Ran<T> = Result<T, Error>;

impl<'a> Run<'a> {
    pub(crate) fn new(template: &'a Template, env: &'a Env<'a>, output: Output) -> Self {
        Self {
            template,
            env,
            variables: Vec::new(),
            output,
            steps: env.limits.steps,
            depth: 0,
        }
    }

    pub(crate) fn start(&mut self, data: &Value, variables: &[(&str, Value)]) -> Ran<()> {
        self.variables.push((Arc::from("$"), data.clone()));
        for (name, value) in variables {
            self.variables.push((Arc::from(*name), value.clone()));
        }
        let body = &self.template.body;
        self.nodes(data, body).map(|_| ())
    }

    pub(crate) fn into_output(self) -> String {
        self.output.into_text()
    }

    fn nodes(&mut self, dot: &Value, nodes: &'a [Node]) -> Ran<Flow> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value, node: &'a Node) -> Ran<Flow> {
        match node {
            Node::Text(at, text) => self
                .output
                .literal(text)
                .map_err(|err| Error::new(*at, err))?,
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    let before = self.output.len();
                    self.output
                        .value(&value)
                        .map_err(|err| Error::new(pipe.at, err))?;
                    self.spend(pipe.at, self.output.len() - before)?;
                }
            }
            Node::If(branch) => return self.choice(dot, branch, false),
            Node::With(branch) => return self.choice(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template { at, name, argument } => {
                self.template(dot, *at, name, argument.as_ref())?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn choice(&mut self, dot: &Value, branch: &'a Branch, with: bool) -> Ran<Flow> {
        self.deeper(branch.pipe.at)?;
        let scope = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = match value.truth() {
            true if with => self.nodes(&value, &branch.then)?,
            true => self.nodes(dot, &branch.then)?,
            false => self.nodes(dot, &branch.otherwise)?,
        };
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(flow)
    }

    fn range(&mut self, dot: &Value, branch: &'a Branch) -> Ran<Flow> {
        self.deeper(branch.pipe.at)?;
        let scope = self.variables.len();
        let over = self.pipe(dot, &branch.pipe)?;
        let mut ran = false;
        let mut each = |run: &mut Self, key: Value, item: Value| {
            ran = true;
            run.iteration(branch, &key, &item)
        };
        match &over {
            Value::Nil => {}
            Value::List(list) => {
                for (at, item) in (0..).zip(&list.items) {
                    if each(self, Value::Int(at), item.clone())? == Flow::Break {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, item) in &map.entries {
                    if each(self, Value::String(Arc::clone(key)), item.clone())? == Flow::Break {
                        break;
                    }
                }
            }
            Value::Int(count) => {
                for at in 0..*count {
                    if each(self, Value::Int(at), Value::Int(at))? == Flow::Break {
                        break;
                    }
                }
            }
            other => {
                let message = format!("range can't iterate over {}", other.type_name());
                return Err(Error::new(branch.pipe.at, message));
            }
        }
        let after = match ran {
            true => Flow::Next,
            false => self.nodes(dot, &branch.otherwise)?,
        };
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(after)
    }

    fn iteration(&mut self, branch: &'a Branch, key: &Value, item: &Value) -> Ran<Flow> {
        let pipe = &branch.pipe;
        self.spend(pipe.at, 0)?;
        let values: &[&Value] = match pipe.variables.len() {
            2 => &[key, item],
            _ => &[item],
        };
        let scope = self.variables.len();
        for (name, value) in pipe.variables.iter().zip(values) {
            match pipe.assigns {
                true => self.assign(pipe.at, name, (*value).clone())?,
                false => self.variables.push((Arc::clone(name), (*value).clone())),
            }
        }
        let flow = self.nodes(item, &branch.then)?;
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn template(
        &mut self,
        dot: &Value,
        at: At,
        name: &Arc<str>,
        argument: Option<&'a Pipe>,
    ) -> Ran<()> {
        self.spend(at, 0)?;
        let Some(body) = self.template.defined.get(name) else {
            return Err(Error::new(at, format!("template {name:?} not defined")));
        };
        self.deeper(at)?;
        let data = match argument {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Nil,
        };
        // The called one sees its `$` and no variable of the caller.
        let outer = std::mem::replace(&mut self.variables, vec![(Arc::from("$"), data.clone())]);
        self.nodes(&data, body)?;
        self.variables = outer;
        self.depth -= 1;
        Ok(())
    }

    fn assign(&mut self, at: At, name: &Arc<str>, value: Value) -> Ran<()> {
        let found = self
            .variables
            .iter_mut()
            .rev()
            .find(|known| known.0 == *name);
        match found {
            Some(variable) => variable.1 = value,
            None => return Err(Error::new(at, format!("undefined variable: {name}"))),
        }
        Ok(())
    }

    /// Takes a step for something that handles so many bytes.
    fn spend(&mut self, at: At, bytes: usize) -> Ran<()> {
        let cost = 1 + u64::try_from(bytes / 100).unwrap_or(u64::MAX);
        match self.steps.checked_sub(cost) {
            Some(left) => self.steps = left,
            None => {
                let message = format!("stopped after {} steps", self.env.limits.steps);
                return Err(Error::new(at, message));
            }
        }
        Ok(())
    }

    fn deeper(&mut self, at: At) -> Ran<()> {
        self.depth += 1;
        match self.depth > DEPTH {
            true => Err(Error::new(at, format!("exceeded the depth of {DEPTH}"))),
            false => Ok(()),
        }
    }
}
