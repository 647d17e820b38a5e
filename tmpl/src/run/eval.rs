//! Evaluates pipelines, commands and operands.

use std::{borrow::Cow, sync::Arc};

use super::{Ran, Run, member};
use crate::{
    Error, Value,
    functions::{Body, Call, Function},
    syntax::{At, Command, Operand, Pipe, Term},
};

impl<'a> Run<'a> {
    pub(super) fn pipe(&mut self, dot: &Value, pipe: &'a Pipe) -> Ran<Value> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            match pipe.assigns {
                true => self.assign(pipe.at, name, value.clone())?,
                false => self.variables.push((Arc::clone(name), value.clone())),
            }
        }
        Ok(value)
    }

    /// A command; `last` is the result of the one before it, its last argument.
    fn command(&mut self, dot: &Value, command: &'a Command, last: Option<Value>) -> Ran<Value> {
        let first = &command.first;
        self.spend(first.at, 0)?;
        let arguments = &command.arguments;
        if let Term::Function(function) = &first.term
            && first.fields.is_empty()
        {
            return self.call(dot, first.at, function, arguments, last);
        }
        let mut base = self.base(dot, first)?;
        let Some((name, path)) = first.fields.split_last() else {
            if !arguments.is_empty() || last.is_some() {
                return Err(Error::new(first.at, "can't give argument to non-function"));
            }
            if matches!(first.term, Term::Nil) {
                return Err(Error::new(first.at, "nil is not a command"));
            }
            return Ok(base.into_owned());
        };
        for (at, name) in path.iter().enumerate() {
            base = Cow::Owned(self.field(first.at, &base, name, at == 0)?);
        }
        let base = base.into_owned();
        let given = self.arguments(dot, arguments, last)?;
        if given.is_empty() {
            return self.field(first.at, &base, name, path.is_empty());
        }
        self.member(first.at, &base, name, &given)
    }

    /// An operand that stands as an argument.
    fn argument(&mut self, dot: &Value, operand: &'a Operand) -> Ran<Value> {
        let mut base = self.base(dot, operand)?.into_owned();
        for (at, name) in operand.fields.iter().enumerate() {
            base = self.field(operand.at, &base, name, at == 0)?;
        }
        Ok(base)
    }

    /// The term of an operand, without its fields.
    fn base<'d>(&mut self, dot: &'d Value, operand: &'a Operand) -> Ran<Cow<'d, Value>> {
        Ok(match &operand.term {
            Term::Dot => Cow::Borrowed(dot),
            Term::Nil => Cow::Owned(Value::Nil),
            Term::Constant(value) => Cow::Owned(value.clone()),
            Term::Variable(name) => Cow::Owned(self.variable(operand.at, name)?),
            Term::Function(function) => {
                Cow::Owned(self.call(dot, operand.at, function, &[], None)?)
            }
            Term::Pipe(pipe) => {
                self.deeper(operand.at)?;
                let value = self.pipe(dot, pipe)?;
                self.depth -= 1;
                Cow::Owned(value)
            }
        })
    }

    fn variable(&self, at: At, name: &Arc<str>) -> Ran<Value> {
        let found = self.variables.iter().rev().find(|known| known.0 == *name);
        match found {
            Some((_, value)) => Ok(value.clone()),
            None => Err(Error::new(at, format!("undefined variable: {name}"))),
        }
    }

    fn arguments(
        &mut self,
        dot: &Value,
        operands: &'a [Operand],
        last: Option<Value>,
    ) -> Ran<Vec<Value>> {
        let mut values = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            values.push(self.argument(dot, operand)?);
        }
        values.extend(last);
        Ok(values)
    }

    /// A field, or a method without arguments. Nothing has no fields, but asking
    /// nothing itself for one (and not what came of it) gives nothing.
    fn field(&mut self, at: At, base: &Value, name: &str, first: bool) -> Ran<Value> {
        match base {
            Value::Nil if first => Ok(Value::Nil),
            _ => self.member(at, base, name, &[]),
        }
    }

    fn member(&mut self, at: At, base: &Value, name: &str, given: &[Value]) -> Ran<Value> {
        self.spend(at, 0)?;
        member::get(base, name, given).map_err(|err| Error::new(at, err))
    }

    fn call(
        &mut self,
        dot: &Value,
        at: At,
        function: &'static Function,
        operands: &'a [Operand],
        last: Option<Value>,
    ) -> Ran<Value> {
        self.spend(at, 0)?;
        let given = operands.len() + usize::from(last.is_some());
        function.takes(given).map_err(|err| Error::new(at, err))?;
        let run = match function.body {
            Body::Plain(run) => run,
            Body::Until(truth) => {
                // `and` and `or` leave the rest alone once they know.
                let mut value = Value::Nil;
                for operand in operands {
                    value = self.argument(dot, operand)?;
                    if value.truth() == truth {
                        return Ok(value);
                    }
                }
                return Ok(last.unwrap_or(value));
            }
        };
        let values = self.arguments(dot, operands, last)?;
        let call = Call {
            arguments: &values,
            env: self.env,
        };
        let handled = values.iter().map(size).sum();
        self.spend(at, handled)?;
        let value = run(&call)
            .map_err(|err| Error::new(at, format!("error calling {}: {err}", function.name)))?;
        self.spend(at, size(&value))?;
        Ok(value)
    }
}

/// What handling a value costs, in bytes or so.
fn size(value: &Value) -> usize {
    match value {
        Value::List(list) => list.items.len() * 16,
        Value::Map(map) => map.entries.len() * 16,
        other => other.as_text().map_or(0, str::len),
    }
}
