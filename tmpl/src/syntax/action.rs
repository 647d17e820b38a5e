//! What stands inside an action: pipelines, commands, operands.

use std::sync::Arc;

use super::{
    lex::{Kind, Token},
    number::number,
    parse::Parser,
    tree::{Command, Operand, Pipe, Term},
    unquote,
};
use crate::{Error, value::Value};

type Parse<T> = Result<T, Error>;

impl<'a> Parser<'a> {
    /// A pipeline and the token that ends it.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parse<Pipe> {
        let at = self.peek_past_space().at;
        let (variables, assigns) = self.declarations(context)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let token = self.peek_past_space();
            if token.kind == end {
                self.take_past_space();
                break;
            }
            if !starts_operand(token) {
                return Err(self.unexpected(token, context));
            }
            let command = self.command()?;
            let takes = command
                .first
                .term
                .takes_input(!command.first.fields.is_empty());
            if !commands.is_empty() && !takes {
                let stage = commands.len() + 1;
                let message = format!("non executable command in pipeline stage {stage}");
                return Err(Error::new(command.first.at, message));
            }
            commands.push(command);
        }
        if commands.is_empty() {
            return Err(Error::new(at, format!("missing value for {context}")));
        }
        if !assigns {
            // Only now: the value may not refer to the variable it makes.
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipe {
            at,
            variables,
            assigns,
            commands,
        })
    }

    /// The variables before `:=` or `=`, if the pipeline begins with some.
    fn declarations(&mut self, context: &str) -> Parse<(Vec<Arc<str>>, bool)> {
        let start = self.next;
        let mut names = Vec::new();
        loop {
            let variable = self.take_past_space();
            if variable.kind != Kind::Variable {
                break;
            }
            names.push(variable);
            let next = self.take_past_space();
            match next.kind {
                Kind::Declare => {
                    return Ok((names.iter().map(|name| name.text.into()).collect(), false));
                }
                Kind::Assign => {
                    for name in &names {
                        self.defined_variable(*name)?;
                    }
                    return Ok((names.iter().map(|name| name.text.into()).collect(), true));
                }
                Kind::Comma if context == "range" && names.len() == 1 => {}
                Kind::Comma => {
                    return Err(Error::new(
                        next.at,
                        format!("too many declarations in {context}"),
                    ));
                }
                _ => break,
            }
        }
        if names.len() > 1 {
            let message = "range can only initialize variables";
            return Err(Error::new(self.tokens[start].at, message));
        }
        self.next = start;
        Ok((Vec::new(), false))
    }

    fn command(&mut self) -> Parse<Command> {
        let first = self.operand()?;
        let mut arguments = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                Kind::Space => {
                    let next = self.peek_past_space();
                    if starts_operand(next) {
                        arguments.push(self.operand()?);
                    } else {
                        self.skip_space();
                    }
                }
                // A pipe may come last: Go lets that pass.
                Kind::Pipe => {
                    self.take();
                    break;
                }
                Kind::Right | Kind::Close => break,
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        Ok(Command { first, arguments })
    }

    /// A term and the fields chained to it.
    fn operand(&mut self) -> Parse<Operand> {
        let token = self.take_past_space();
        let mut fields = Vec::new();
        let term = match token.kind {
            Kind::Dot => Term::Dot,
            Kind::Field => {
                fields.push(token.text[1..].into());
                Term::Dot
            }
            Kind::Variable => Term::Variable(self.defined_variable(token)?),
            Kind::Number => {
                Term::Constant(number(token.text).map_err(|err| Error::new(token.at, err))?)
            }
            Kind::Char => {
                let c = unquote::char(token.text);
                let c = c.ok_or_else(|| Error::new(token.at, "malformed character constant"))?;
                Term::Constant(Value::Int(u32::from(c).into()))
            }
            Kind::Quoted => {
                let text = unquote::string(token.text);
                let text = text.ok_or_else(|| Error::new(token.at, "invalid syntax"))?;
                Term::Constant(text.into())
            }
            Kind::Raw => Term::Constant(token.text[1..token.text.len() - 1].into()),
            Kind::Open => {
                self.nest(token.at)?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::Close)?;
                self.nesting -= 1;
                Term::Pipe(Box::new(pipe))
            }
            Kind::Word => self.word(token)?,
            _ => return Err(self.unexpected(token, "command")),
        };
        let literal = matches!(term, Term::Constant(_) | Term::Nil)
            || (matches!(term, Term::Dot) && fields.is_empty());
        while self.peek().kind == Kind::Field {
            let field = self.take();
            if literal {
                let message = format!("unexpected . after term {:?}", token.text);
                return Err(Error::new(field.at, message));
            }
            fields.push(field.text[1..].into());
        }
        Ok(Operand {
            at: token.at,
            term,
            fields,
        })
    }

    fn word(&self, token: Token<'a>) -> Parse<Term> {
        match token.text {
            "true" => Ok(Term::Constant(true.into())),
            "false" => Ok(Term::Constant(false.into())),
            "nil" => Ok(Term::Nil),
            "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "range"
            | "template" | "with" => Err(self.unexpected(token, "command")),
            name => match self.functions.find(name) {
                Some(function) => Ok(Term::Function(function)),
                None => Err(Error::new(
                    token.at,
                    format!("function {name:?} not defined"),
                )),
            },
        }
    }

    fn defined_variable(&self, token: Token<'a>) -> Parse<Arc<str>> {
        let known = self.variables.iter().find(|name| ***name == *token.text);
        known
            .cloned()
            .ok_or_else(|| Error::new(token.at, format!("undefined variable {:?}", token.text)))
    }

    pub(super) fn unexpected(&self, token: Token<'a>, context: &str) -> Error {
        let what = match token.kind {
            Kind::Error => return Error::new(token.at, token.text),
            Kind::End => "EOF".into(),
            Kind::Right => "\"}}\"".into(),
            Kind::Word => format!("<{}>", token.text),
            _ => format!("{:?}", token.text),
        };
        Error::new(token.at, format!("unexpected {what} in {context}"))
    }

    pub(super) fn peek(&self) -> Token<'a> {
        // The last token is End or Error, and nothing goes past it.
        self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    pub(super) fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    pub(super) fn peek_past_space(&mut self) -> Token<'a> {
        self.skip_space();
        self.peek()
    }

    pub(super) fn take_past_space(&mut self) -> Token<'a> {
        self.skip_space();
        self.take()
    }

    /// Takes the keyword that was just looked at.
    pub(super) fn skip_word(&mut self) -> Token<'a> {
        self.take_past_space()
    }

    pub(super) fn expect_right(&mut self, context: &str) -> Parse<()> {
        let token = self.take_past_space();
        match token.kind {
            Kind::Right => Ok(()),
            _ => Err(self.unexpected(token, context)),
        }
    }
}

fn starts_operand(token: Token<'_>) -> bool {
    matches!(
        token.kind,
        Kind::Word
            | Kind::Field
            | Kind::Variable
            | Kind::Dot
            | Kind::Number
            | Kind::Char
            | Kind::Quoted
            | Kind::Raw
            | Kind::Open
    )
}
