//! One evaluation of a group, rule by rule. Between the rules, and while one is
//! asked, others may read the set, evaluate another group, or replace all.

use std::ops::DerefMut;
use std::time::Instant;

use promql::Engine;
use series::Store;

use crate::question::{Answer, Question, When};
use crate::set::Stepped;
use crate::{Due, RuleSet};

/// A group's evaluation under way.
#[derive(Debug)]
#[must_use = "its group is not due again before it was run"]
pub struct Evaluation {
    group: usize,
    /// The set it belongs to: in another one its group is another.
    edition: u64,
    at_ms: i64,
    stepped: Stepped,
    /// The rule that is asked, or will be.
    rule: usize,
    began: Instant,
}

impl Evaluation {
    /// Evaluates. `rules` gives the set, which is kept only between the questions;
    /// `tell` takes alerts to hand to the alerter, as each rule has them. When
    /// the set is replaced meanwhile, what is left is not done.
    pub fn run<G: DerefMut<Target = RuleSet>>(
        mut self,
        rules: impl Fn() -> G,
        store: &Store,
        engine: &Engine,
        mut tell: impl FnMut(Vec<alert::Alert>),
    ) {
        self.began = Instant::now();
        let mut answer = None;
        loop {
            let (told, question) = rules().step(&mut self, answer.take(), store);
            if !told.is_empty() {
                tell(told);
            }
            let Some(question) = question else {
                return;
            };
            answer = Some(question.ask(store, engine));
        }
    }
}

impl RuleSet {
    /// Takes up what is due. Until it has been run the group is not due again;
    /// nothing while it is being evaluated already.
    pub fn begin(&mut self, due: Due) -> Option<Evaluation> {
        let group = self.groups.get_mut(due.group)?;
        if !group.begin(due.at_ms) {
            return None;
        }
        Some(Evaluation {
            group: due.group,
            edition: self.edition,
            at_ms: due.at_ms,
            stepped: self.stepped,
            rule: 0,
            began: Instant::now(),
        })
    }

    /// Evaluates one group with the time `at_ms`, in one go, and returns the alerts
    /// to hand to the alerter. An index that does not exist evaluates nothing.
    pub fn evaluate(
        &mut self,
        group: usize,
        at_ms: i64,
        store: &Store,
        engine: &Engine,
    ) -> Vec<alert::Alert> {
        let mut told = Vec::new();
        if let Some(evaluation) = self.begin(Due { group, at_ms }) {
            let rules = std::cell::RefCell::new(self);
            let rules = || std::cell::RefMut::map(rules.borrow_mut(), |rules| &mut **rules);
            evaluation.run(rules, store, engine, |alerts| told.extend(alerts));
        }
        told
    }

    /// Takes the answer for one rule in; returns what is to be told, and the next
    /// rule's question while there is one.
    fn step(
        &mut self,
        evaluation: &mut Evaluation,
        answer: Option<Answer>,
        store: &Store,
    ) -> (Vec<alert::Alert>, Option<Question>) {
        let mut told = Vec::new();
        if evaluation.edition != self.edition {
            return (told, None);
        }
        // All kept times have moved with the clock, and so has this one.
        let now_ms = evaluation.at_ms + self.stepped.by_ms - evaluation.stepped.by_ms;
        self.end_leftovers(now_ms, store);
        if evaluation.rule == 0 {
            told.extend(self.absent_due(now_ms));
        }
        let Some(group) = self.groups.get_mut(evaluation.group) else {
            return (told, None);
        };
        // Of samples that were moved in the middle of it an answer says nothing: the
        // question is asked once more.
        if let Some(answer) = answer
            && answer.when.steps == self.stepped.times
        {
            let (due, changed) = group.take(evaluation.rule, answer, &self.site, store);
            told.extend(due);
            self.changed |= changed;
            evaluation.rule += 1;
        }
        let when = When {
            now_ms,
            query_ms: now_ms - group.query_offset_ms,
            limit: group.limit,
            steps: self.stepped.times,
        };
        let question = group
            .rules
            .get(evaluation.rule)
            .map(|rule| rule.question(when, &self.site, &self.awaited));
        if question.is_none() {
            group.end(now_ms, evaluation.began.elapsed(), store);
        }
        (told, question)
    }
}

#[cfg(test)]
mod tests;
