//! Which silence held an alert back: by the steps that its history has.
//!
//! Pure. Of several silences that mute an alert those are named that end last, so that the
//! last of them to end is the one that lets it be told.

use crate::episode::{DETAIL, Step, StepKind};

/// Silences that have room in a step.
pub(crate) const NAMED: usize = 6;

/// How a silence is named in the step of what it mutes.
pub(crate) fn name(id: &str) -> String {
    format!("silence {id}")
}

/// Characters for what is said of each of so many silences, so that all of them that are
/// named have room in one step.
pub(crate) fn room(silences: usize) -> usize {
    match silences {
        0 | 1 => DETAIL,
        // A name is 44 long, and two part it from the next.
        many => (DETAIL / many).saturating_sub(46),
    }
}

/// Whether a silence that ended at `ended_ms`, in milliseconds since 1970, was what kept an
/// alert with these steps from being told until then.
pub(crate) fn by_silence(steps: &[Step], id: &str, ended_ms: i64) -> bool {
    let name = name(id);
    let told = |step: &Step| step.kind == StepKind::Summary && step.at_ms >= ended_ms;
    if steps.iter().any(told) {
        // By the summary of another one that ended as it did.
        return false;
    }
    // At its last moment it may still mute, and somebody be told once it is ended.
    let mutes = |step: &Step| step.kind == StepKind::Muted && step.at_ms == ended_ms;
    let before = steps
        .iter()
        .filter(|step| step.at_ms < ended_ms || mutes(step));
    before.fold(false, |held, step| match step.kind {
        StepKind::Muted => step.detail.contains(&name),
        StepKind::Unmuted | StepKind::Told | StepKind::Summary => false,
        _ => held,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_since_or_is_muted_by_another_by_then_was_not_held_back_by_it() {
        let step = |at_ms, kind, detail: &str| Step {
            at_ms,
            kind,
            detail: detail.into(),
        };
        let muted = |at_ms, detail: &str| step(at_ms, StepKind::Muted, detail);
        let told = |at_ms| step(at_ms, StepKind::Told, "to ops");
        for (steps, held) in [
            (vec![muted(10, "silence a by kim: works")], true),
            (vec![muted(10, "silence b: x; silence a: y")], true),
            (vec![muted(10, "silence b: x")], false),
            (vec![muted(10, "silence a"), muted(20, "silence b")], false),
            // That came only after its end.
            (vec![muted(10, "silence a"), muted(101, "silence b")], true),
            (vec![muted(10, "silence a"), told(100)], true),
            (vec![muted(100, "silence a")], true),
            (vec![told(5), muted(10, "silence a")], true),
            (vec![muted(10, "silence a"), told(20)], false),
            (
                vec![muted(10, "silence a"), step(20, StepKind::Unmuted, "")],
                false,
            ),
            (
                vec![muted(10, "silence a"), step(20, StepKind::Raised, "")],
                true,
            ),
            (
                vec![
                    muted(10, "silence a; silence b"),
                    step(20, StepKind::Summary, "HELD BACK"),
                ],
                false,
            ),
            (
                vec![
                    muted(10, "silence a; silence b"),
                    step(105, StepKind::Summary, "HELD BACK"),
                ],
                false,
            ),
            (vec![muted(101, "silence a")], false),
            (vec![], false),
        ] {
            assert_eq!(by_silence(&steps, "a", 100), held, "{steps:?}");
        }
    }

    #[test]
    fn all_names_have_room_in_a_step() {
        let id = "00000000-0000-4000-8000-000000000000";
        for count in 2..=NAMED {
            let one = format!("{}{}; ", name(id), "x".repeat(room(count)));
            assert!(one.len() * count <= DETAIL, "{count}");
        }
        let all = format!("{}; ", name(id)).repeat(NAMED);
        assert_eq!(room(NAMED + 1), 0);
        assert!(all.len() + "and 1000000 more".len() <= DETAIL);
    }
}
