//! Templates and the sets of named ones that they call.

use std::sync::Arc;

use crate::{
    Env, Error, Functions, Value, html,
    run::{Output, Run},
    syntax::{self, Definitions, Node},
};

/// Named templates that many texts share.
#[derive(Debug, Clone)]
pub struct Set {
    functions: Functions,
    defined: Arc<Definitions>,
}

impl Set {
    /// A set without any template, whose texts may use the functions.
    #[must_use]
    pub fn new(functions: Functions) -> Self {
        Self {
            functions,
            defined: Arc::default(),
        }
    }

    /// Takes over what the text `define`s; a later definition replaces an
    /// earlier one of the same name.
    ///
    /// # Errors
    /// The text is no template; the set is then as before.
    pub fn add(&mut self, text: &str) -> Result<(), Error> {
        let parsed = syntax::parse(text, self.functions, &[])?;
        merge(Arc::make_mut(&mut self.defined), parsed.defined);
        Ok(())
    }

    /// The names it defines, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.defined.keys().map(|name| &**name)
    }

    /// Parses a text that may call the templates of the set. What the text
    /// itself defines stays its own.
    ///
    /// # Errors
    /// The text is no template.
    pub fn parse(&self, text: &str) -> Result<Template, Error> {
        self.parse_with(text, &[])
    }

    pub(crate) fn parse_with(&self, text: &str, variables: &[&str]) -> Result<Template, Error> {
        let parsed = syntax::parse(text, self.functions, variables)?;
        let mut defined = Arc::clone(&self.defined);
        if !parsed.defined.is_empty() {
            merge(Arc::make_mut(&mut defined), parsed.defined);
        }
        Ok(Template {
            body: parsed.body,
            defined,
        })
    }
}

fn merge(into: &mut Definitions, from: Definitions) {
    for (name, body) in from {
        if !syntax::is_empty(&body) || !into.contains_key(&name) {
            into.insert(name, body);
        }
    }
}

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Text, in which values stand as they are.
    Text,
    /// A page, in which each value is escaped by the place where it stands.
    Html,
}

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template {
    pub(crate) body: Arc<[Node]>,
    pub(crate) defined: Arc<Definitions>,
}

impl Template {
    /// Parses a text; unknown functions and variables are refused here.
    ///
    /// # Errors
    /// The text is no template.
    pub fn parse(text: &str, functions: Functions) -> Result<Self, Error> {
        Set::new(functions).parse(text)
    }

    /// Renders the template with `data` as its dot.
    ///
    /// # Errors
    /// What a template may do wrong at run time, the limits of `env` included.
    pub fn execute(&self, data: &Value, env: &Env<'_>, mode: Mode) -> Result<String, Error> {
        self.execute_with(data, env, mode, &[])
    }

    pub(crate) fn execute_with(
        &self,
        data: &Value,
        env: &Env<'_>,
        mode: Mode,
        variables: &[(&str, Value)],
    ) -> Result<String, Error> {
        let page = (mode == Mode::Html).then(html::Page::default);
        let mut run = Run::new(self, env, Output::new(env.limits.output, page));
        run.start(data, variables)?;
        Ok(run.into_output())
    }
}
