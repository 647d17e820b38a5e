//! Warnings and infos of an evaluation, each once.

/// The most of each kind that an answer lists, as Prometheus' API does.
const SHOWN: usize = 10;

/// Collected while evaluating.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: Vec<String>,
    infos: Vec<String>,
    more_warnings: usize,
    more_infos: usize,
    /// Roll-ups were among what was read.
    pub(crate) rolled_up: bool,
}

impl Notes {
    pub(crate) fn warn(&mut self, what: &str, place: (usize, usize)) {
        let note = note("warning", what, place);
        add(&mut self.warnings, &mut self.more_warnings, note);
    }

    pub(crate) fn info(&mut self, what: &str, place: (usize, usize)) {
        let note = note("info", what, place);
        add(&mut self.infos, &mut self.more_infos, note);
    }

    /// Warnings and infos, cut to what an answer lists.
    pub(crate) fn finish(mut self) -> (Vec<String>, Vec<String>) {
        cut(&mut self.warnings, self.more_warnings, "warning");
        cut(&mut self.infos, self.more_infos, "info");
        (self.warnings, self.infos)
    }
}

fn note(kind: &str, what: &str, (line, column): (usize, usize)) -> String {
    format!("PromQL {kind}: {what} ({line}:{column})")
}

fn add(notes: &mut Vec<String>, more: &mut usize, note: String) {
    // Beyond what is shown only their number matters, not whether they repeat.
    if notes.len() >= SHOWN {
        *more += usize::from(!notes.contains(&note));
    } else if !notes.contains(&note) {
        notes.push(note);
    }
}

fn cut(notes: &mut Vec<String>, more: usize, kind: &str) {
    if more > 0 {
        notes.push(format!("{more} more {kind} annotations omitted"));
    }
}
