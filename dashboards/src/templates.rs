//! The templates, parsed once and kept.
//!
//! They are strict: a name that the view does not have is an error, also as the
//! condition of an `if`, where Handlebars itself would take it for false.

use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderErrorReason,
    Renderable as _, TemplateError,
};
use serde::Serialize;

use crate::Error;

macro_rules! table {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../templates/", $name, ".hbs")))),*]
    };
}

static TABLE: [(&str, &str); 17] = table![
    "ack",
    "card",
    "found",
    "host",
    "mail",
    "mail_alert",
    "mail_text",
    "moment",
    "notice",
    "notice_text",
    "page",
    "probes",
    "services",
    "spark",
    "targets",
    "watch",
    "watched",
];

static REGISTRY: LazyLock<Result<Handlebars<'static>, TemplateError>> =
    LazyLock::new(|| registry(&TABLE));

/// Fills the template `name` with `view`.
pub(crate) fn render(name: &str, view: &impl Serialize) -> Result<String, Error> {
    match &*REGISTRY {
        Ok(registry) => Ok(registry.render(name, view)?),
        Err(err) => Err(Error::Template(err.to_string())),
    }
}

fn registry(table: &[(&str, &str)]) -> Result<Handlebars<'static>, TemplateError> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    registry.register_helper("if", Box::new(StrictIf));
    for (name, text) in table {
        if name.ends_with("_text") {
            registry.register_template_string(name, text)?;
        } else {
            registry.register_template_string(name, dense(text))?;
        }
    }
    Ok(registry)
}

/// Without indentation: it would be sent with every page and kept in memory.
fn dense(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

struct StrictIf;

impl HelperDef for StrictIf {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let asked = helper
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if asked.is_value_missing() {
            let name = asked.relative_path().cloned();
            return Err(RenderErrorReason::MissingVariable(name).into());
        }
        let chosen = if truthy(asked.value()) {
            helper.template()
        } else {
            helper.inverse()
        };
        chosen.map_or(Ok(()), |part| part.render(registry, context, render, out))
    }
}

fn truthy(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_file_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        on_disk.sort();
        let in_table: Vec<String> = TABLE
            .iter()
            .map(|(name, _)| format!("{name}.hbs"))
            .collect();
        assert_eq!(on_disk, in_table);
    }

    #[test]
    fn every_template_parses() {
        assert!(REGISTRY.is_ok(), "{:?}", REGISTRY.as_ref().err());
    }

    #[test]
    fn a_missing_field_is_an_error_wherever_it_stands() {
        let view = serde_json::json!({"there": null, "list": [{"name": "a"}]});
        let render = |text| registry(&[("t", text)]).unwrap().render("t", &view);
        for text in [
            "{{gone}}",
            "{{{gone}}}",
            "{{#if gone}}x{{/if}}",
            "{{#each gone}}x{{/each}}",
            "{{#with gone}}x{{/with}}",
            "{{#each list}}{{gone}}{{/each}}",
        ] {
            assert!(render(text).is_err(), "{text}");
        }
        assert_eq!(
            render("{{there}}{{#if there}}x{{else}}y{{/if}}").unwrap(),
            "y"
        );
    }
}
