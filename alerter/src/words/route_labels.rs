//! Labels of routes: texts for templates, which may be templates themselves and
//! ask for each other.
//!
//! One that fails is left out and logged; it never keeps a message from going out.

use std::cell::RefCell;
use std::sync::Arc;

use alert::Set;
use tmpl::{Env, Mode, Value};
use tracing::warn;

use crate::config::Text;
use crate::notification::Notification;

/// Labels of a route by name.
pub(crate) type RouteLabels = Arc<[(Arc<str>, Text)]>;

/// What the labels say for a message.
pub(crate) fn route_labels(labels: &RouteLabels, message: &Notification) -> Set {
    let filling = Filling {
        labels,
        message,
        data: super::notice(message).value(),
        open: RefCell::default(),
        done: RefCell::default(),
    };
    for (name, _) in labels.iter() {
        if let Err(err) = filling.one(name) {
            warn!(label = &**name, "a label of a route is left out: {err}");
        }
    }
    filling.done.into_inner()
}

struct Filling<'a> {
    labels: &'a RouteLabels,
    message: &'a Notification,
    data: Value,
    /// Those that are being filled in, one for the sake of the one before.
    open: RefCell<Vec<String>>,
    done: RefCell<Set>,
}

impl Filling<'_> {
    fn one(&self, name: &str) -> Result<String, String> {
        if let Some(done) = self.done.borrow().get(name) {
            return Ok(done.clone());
        }
        if self.open.borrow().iter().any(|it| it == name) {
            return Err(format!("route label {name:?} asks for itself"));
        }
        let found = self.labels.iter().find(|(known, _)| **known == *name);
        let text = match found {
            Some((_, Text::Plain(text))) => text.to_string(),
            Some((_, Text::Template(template))) => {
                self.open.borrow_mut().push(name.to_owned());
                let ask = |other: &str| self.one(other);
                let env = Env {
                    route_label: Some(&ask),
                    ..Env::at(self.message.now_ms, &self.message.external_url)
                };
                let filled = template.execute(&self.data, &env, Mode::Text);
                self.open.borrow_mut().pop();
                filled.map_err(|err| err.to_string())?
            }
            None => return Err(format!("there is no route label {name:?}")),
        };
        self.done.borrow_mut().insert(name.to_owned(), text.clone());
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::tests::notification;

    #[test]
    fn labels_are_filled_in_and_may_ask_for_each_other_but_not_for_themselves() {
        let set = tmpl::Set::new(tmpl::Functions::alertmanager());
        let text = |text: &str| Text::Template(set.parse(text).unwrap());
        let labels: RouteLabels = [
            ("team", Text::Plain("bells".into())),
            ("channel", text("#{{ routeLabels \"team\" }}-{{ .Status }}")),
            ("round", text("{{ routeLabels \"about\" }}")),
            ("about", text("{{ routeLabels \"round\" }}")),
            ("wrong", text("{{ routeLabels \"none\" }}")),
        ]
        .map(|(name, text)| (name.into(), text))
        .into();
        let found = route_labels(&labels, &notification(true));
        let wanted = [("team", "bells"), ("channel", "#bells-firing")];
        assert_eq!(
            found,
            wanted
                .map(|(name, value)| (name.into(), value.into()))
                .into()
        );
    }
}
