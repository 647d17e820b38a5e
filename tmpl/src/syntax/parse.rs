//! Text and blocks: if, with, range, define, block, template, break, continue.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    NESTING,
    lex::{Kind, Token, lex},
    tree::{At, Branch, Node, Pipe},
    unquote,
};
use crate::{Error, functions::Functions};

/// What one text holds: its own body and the templates it defines.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) body: Arc<[Node]>,
    pub(crate) defined: Definitions,
}

pub(crate) type Definitions = BTreeMap<Arc<str>, Arc<[Node]>>;

/// Parses a text in which the `variables` (with their dollar) exist from the start.
pub(crate) fn parse(text: &str, functions: Functions, variables: &[&str]) -> Result<Parsed, Error> {
    let variables = variables.iter().map(|name| Arc::from(*name));
    let mut parser = Parser {
        tokens: lex(text),
        next: 0,
        functions,
        variables: [Arc::from("$")].into_iter().chain(variables).collect(),
        loops: 0,
        nesting: 0,
        defined: Definitions::new(),
    };
    let (body, ending) = parser.items(true)?;
    match ending {
        Ending::Text => Ok(Parsed {
            body: body.into(),
            defined: parser.defined,
        }),
        Ending::End(at) => Err(Error::new(at, "unexpected {{end}}")),
        Ending::Else(at) => Err(Error::new(at, "unexpected {{else}}")),
    }
}

/// Whether a body has nothing but space; such a definition replaces no other.
pub(crate) fn is_empty(body: &[Node]) -> bool {
    body.iter()
        .all(|node| matches!(node, Node::Text(_, text) if text.trim().is_empty()))
}

pub(super) struct Parser<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) next: usize,
    pub(super) functions: Functions,
    pub(super) variables: Vec<Arc<str>>,
    pub(super) nesting: u32,
    loops: u32,
    defined: Definitions,
}

/// What a list of nodes ended with.
enum Ending {
    Text,
    End(At),
    Else(At),
}

type Parse<T> = Result<T, Error>;

impl<'a> Parser<'a> {
    /// Nodes up to `end`, `else` or the end of the text.
    fn items(&mut self, top: bool) -> Parse<(Vec<Node>, Ending)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.take();
            match token.kind {
                Kind::Text => nodes.push(Node::Text(token.at, token.text.into())),
                Kind::Left => {
                    let word = self.peek_past_space();
                    if word.kind != Kind::Word {
                        nodes.push(Node::Action(self.pipeline("command", Kind::Right)?));
                        continue;
                    }
                    match word.text {
                        "end" => {
                            self.skip_word();
                            self.expect_right("end")?;
                            return Ok((nodes, Ending::End(word.at)));
                        }
                        "else" => {
                            self.skip_word();
                            return Ok((nodes, Ending::Else(word.at)));
                        }
                        "define" if top => self.define()?,
                        _ => nodes.push(self.action(word)?),
                    }
                }
                Kind::End => return Ok((nodes, Ending::Text)),
                _ => return Err(self.unexpected(token, "input")),
            }
        }
    }

    fn action(&mut self, word: Token<'a>) -> Parse<Node> {
        match word.text {
            "if" => self.branch("if").map(Node::If),
            "with" => self.branch("with").map(Node::With),
            "range" => self.branch("range").map(Node::Range),
            "block" => self.block(),
            "template" => self.template(),
            "break" | "continue" => {
                self.skip_word();
                self.expect_right(word.text)?;
                if self.loops == 0 {
                    let message = format!("{{{{{}}}}} outside {{{{range}}}}", word.text);
                    return Err(Error::new(word.at, message));
                }
                Ok(if word.text == "break" {
                    Node::Break
                } else {
                    Node::Continue
                })
            }
            "define" => Err(Error::new(word.at, "unexpected {{define}}")),
            _ => Ok(Node::Action(self.pipeline("command", Kind::Right)?)),
        }
    }

    fn branch(&mut self, word: &'static str) -> Parse<Branch> {
        let at = self.skip_word().at;
        self.nest(at)?;
        let scope = self.variables.len();
        let pipe = self.pipeline(word, Kind::Right)?;
        let loops = u32::from(word == "range");
        self.loops += loops;
        let (then, ending) = self.items(false)?;
        self.loops -= loops;
        let otherwise = match ending {
            Ending::Text => return Err(self.unclosed(at, word)),
            Ending::End(_) => Vec::new(),
            Ending::Else(_) => self.otherwise(word, at)?,
        };
        self.variables.truncate(scope);
        self.nesting -= 1;
        Ok(Branch {
            pipe,
            then,
            otherwise,
        })
    }

    /// What follows `else`: its body, or the condition that it shares a tag with.
    fn otherwise(&mut self, word: &'static str, at: At) -> Parse<Vec<Node>> {
        let next = self.peek_past_space();
        if word != "range" && next.kind == Kind::Word && next.text == word {
            let branch = self.branch(word)?;
            return Ok(vec![if word == "if" {
                Node::If(branch)
            } else {
                Node::With(branch)
            }]);
        }
        self.expect_right("else")?;
        let (nodes, ending) = self.items(false)?;
        match ending {
            Ending::End(_) => Ok(nodes),
            Ending::Else(at) => Err(Error::new(at, "expected end; found {{else}}")),
            Ending::Text => Err(self.unclosed(at, word)),
        }
    }

    fn define(&mut self) -> Parse<()> {
        let at = self.skip_word().at;
        let name = self.name("define clause")?;
        self.expect_right("define clause")?;
        self.body(at, name, "define")
    }

    fn block(&mut self) -> Parse<Node> {
        let at = self.skip_word().at;
        let name = self.name("block clause")?;
        let argument = self.pipeline("block clause", Kind::Right)?;
        self.body(at, Arc::clone(&name), "block")?;
        Ok(Node::Template {
            at,
            name,
            argument: Some(argument),
        })
    }

    /// The body of a definition, which sees no variable but `$`.
    fn body(&mut self, at: At, name: Arc<str>, word: &str) -> Parse<()> {
        self.nest(at)?;
        let outer = std::mem::replace(&mut self.variables, vec![Arc::from("$")]);
        let loops = std::mem::take(&mut self.loops);
        let (body, ending) = self.items(false)?;
        match ending {
            Ending::End(_) => {}
            Ending::Else(at) => return Err(Error::new(at, "unexpected {{else}}")),
            Ending::Text => return Err(self.unclosed(at, word)),
        }
        self.variables = outer;
        self.loops = loops;
        self.nesting -= 1;
        let known = self
            .defined
            .get(&name)
            .is_some_and(|known| !is_empty(known));
        if !known {
            self.defined.insert(name, body.into());
        } else if !is_empty(&body) {
            return Err(Error::new(
                at,
                format!("multiple definition of template {name:?}"),
            ));
        }
        Ok(())
    }

    fn template(&mut self) -> Parse<Node> {
        let at = self.skip_word().at;
        let name = self.name("template clause")?;
        let argument: Option<Pipe> = match self.peek_past_space().kind {
            Kind::Right => {
                self.take_past_space();
                None
            }
            _ => Some(self.pipeline("template clause", Kind::Right)?),
        };
        Ok(Node::Template { at, name, argument })
    }

    fn name(&mut self, context: &str) -> Parse<Arc<str>> {
        let token = self.take_past_space();
        match token.kind {
            Kind::Quoted => unquote::string(token.text)
                .map(Arc::from)
                .ok_or_else(|| Error::new(token.at, "invalid syntax")),
            Kind::Raw => Ok(token.text.trim_matches('`').into()),
            _ => Err(self.unexpected(token, context)),
        }
    }

    pub(super) fn nest(&mut self, at: At) -> Parse<()> {
        self.nesting += 1;
        match self.nesting > NESTING {
            true => Err(Error::new(at, format!("nested more than {NESTING} deep"))),
            false => Ok(()),
        }
    }

    fn unclosed(&self, at: At, word: &str) -> Error {
        Error::new(
            at,
            format!("unexpected EOF: {{{{{word}}}}} has no {{{{end}}}}"),
        )
    }
}
