//! Answers to selectors, kept as long as no series comes or goes: rules ask for the same
//! series every few seconds.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::Arc;

use super::Found;
use crate::{Matcher, Op};

/// So many series may be in all answers together: eight bytes each.
const MOST: usize = 24 << 10;

/// An answer counts as so many more, for what it is kept with, and each matcher as so many
/// bytes more.
const OWN: usize = 64;

/// What is longer, in bytes, no rule asks for: it is not kept with an answer.
const LONGEST: usize = 1024;

/// The answers, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Asked {
    answers: Vec<Answer>,
    secret: RandomState,
}

#[derive(Debug)]
struct Answer {
    hash: u64,
    matchers: Box<[(String, Op, String)]>,
    found: Found,
}

impl Asked {
    /// The answer, if it is known.
    pub(super) fn get(&mut self, matchers: &[Matcher]) -> Option<Found> {
        if self.answers.is_empty() {
            return None;
        }
        let at = self.place(self.hash(matchers), matchers)?;
        self.answers[at..].rotate_left(1);
        self.answers.last().map(|answer| Arc::clone(&answer.found))
    }

    /// Keeps an answer, and gives up what was not asked for the longest.
    pub(super) fn keep(&mut self, matchers: &[Matcher], found: &Found) {
        let hash = self.hash(matchers);
        let asked = |matcher: &Matcher| matcher.name.len() + matcher.value.len() + OWN;
        if matchers.iter().map(asked).sum::<usize>() > LONGEST {
            return;
        }
        // Another thread may have been here meanwhile.
        if found.len() + OWN > MOST || self.place(hash, matchers).is_some() {
            return;
        }
        let parts = matchers
            .iter()
            .map(|matcher| (matcher.name.clone(), matcher.op, matcher.value.clone()));
        self.answers.push(Answer {
            hash,
            matchers: parts.collect(),
            found: Arc::clone(found),
        });
        let mut kept = 0;
        let newest = self.answers.iter().rev();
        let fit = newest.take_while(|answer| {
            kept += answer.found.len() + OWN;
            kept <= MOST
        });
        let over = self.answers.len() - fit.count();
        self.answers.drain(..over);
    }

    /// Gives up all.
    pub(super) fn forget(&mut self) {
        self.answers.clear();
    }

    fn place(&self, hash: u64, matchers: &[Matcher]) -> Option<usize> {
        let mut answers = self.answers.iter();
        answers.position(|answer| answer.hash == hash && answer.is_for(matchers))
    }

    fn hash(&self, matchers: &[Matcher]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        for matcher in matchers {
            matcher.name.hash(&mut hasher);
            matcher.value.hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Answer {
    fn is_for(&self, matchers: &[Matcher]) -> bool {
        let same = |((name, op, value), asked): (&(String, Op, String), &Matcher)| {
            *name == asked.name && *op == asked.op && *value == asked.value
        };
        self.matchers.len() == matchers.len() && self.matchers.iter().zip(matchers).all(same)
    }
}

#[cfg(test)]
mod tests {
    use exposition::{Labels, NAME};

    use super::*;
    use crate::index::Index;

    fn series(name: &str, id: usize) -> Labels {
        Labels::from_pairs([(NAME, name), ("id", &id.to_string())])
    }

    fn all_of(name: &str) -> [Matcher; 1] {
        [Matcher::new(NAME, Op::Equal, name).unwrap()]
    }

    #[test]
    fn a_series_that_comes_or_goes_is_in_the_next_answer_or_is_not() {
        let mut index = Index::default();
        let (m, any) = (all_of("m"), [Matcher::new("id", Op::Regex, ".+").unwrap()]);
        let mut here: Vec<Labels> = Vec::new();
        for at in 0..100 {
            if at % 3 == 2 {
                let gone = here.remove(at % here.len());
                let gone = index.get(&gone).unwrap().clone();
                index.remove(&[gone]);
            } else {
                // Into the slots of those that left, too.
                let name = if at % 2 == 0 { "m" } else { "n" };
                here.push(series(name, at));
                index.insert(&series(name, at));
            }
            here.sort_unstable();
            for _ in 0..2 {
                let found = |matchers| {
                    let found = index.find(matchers);
                    found
                        .iter()
                        .map(|one| one.labels.clone())
                        .collect::<Vec<_>>()
                };
                assert_eq!(found(&any), here, "{at}");
                let of_m = here.iter().filter(|labels| labels.name() == "m");
                assert_eq!(found(&m), of_m.cloned().collect::<Vec<_>>(), "{at}");
            }
        }
    }

    #[test]
    fn selectors_that_look_alike_have_answers_of_their_own() {
        let mut index = Index::default();
        for id in 0..3 {
            index.insert(&series("m", id));
        }
        let count = |op, value| index.find(&[Matcher::new("id", op, value).unwrap()]).len();
        for _ in 0..2 {
            assert_eq!(count(Op::Equal, "1"), 1);
            assert_eq!(count(Op::NotEqual, "1"), 2);
            assert_eq!(count(Op::Regex, "1|2"), 2);
            assert_eq!(count(Op::Equal, "1|2"), 0);
            assert_eq!(count(Op::NotRegex, "1|2"), 1);
        }
    }

    #[test]
    fn answers_are_kept_while_they_fit_those_asked_for_last_before_others() {
        let mut index = Index::default();
        for id in 0..9000 {
            for name in ["a", "b", "c"] {
                index.insert(&series(name, id));
            }
        }
        let ask = |name: &str| index.find(&all_of(name));
        let (a, b) = (ask("a"), ask("b"));
        assert!(Arc::ptr_eq(&a, &ask("a")));
        // It takes the room of the one that was not asked for since.
        ask("c");
        assert!(Arc::ptr_eq(&a, &ask("a")));
        assert!(!Arc::ptr_eq(&b, &ask("b")));
        // All at once are too many, and take no room from others.
        ask("a");
        assert_eq!(index.find(&[]).len(), 27_000);
        assert!(Arc::ptr_eq(&a, &ask("a")));
        for id in 0..9000 {
            index.find(&[Matcher::new("id", Op::Equal, id.to_string()).unwrap()]);
        }
        let kept = index.asked().answers.len();
        assert!(kept > 100 && kept <= MOST / OWN, "{kept}");
        // Nor does what was asked for take much.
        index.find(&[Matcher::new("id", Op::Equal, "1".repeat(LONGEST)).unwrap()]);
        index.find(&vec![
            Matcher::new("id", Op::Regex, ".*").unwrap();
            1 + LONGEST / OWN
        ]);
        assert_eq!(index.asked().answers.len(), kept);
        // What has left is held by nobody.
        let one = Arc::downgrade(&index.find(&all_of("a"))[0]);
        let gone: Vec<_> = one.upgrade().into_iter().collect();
        index.remove(&gone);
        drop((a, b, gone));
        assert_eq!(one.strong_count(), 0);
    }
}
