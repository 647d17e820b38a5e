//! What is believed, in which order things may come.

use std::collections::HashMap;

use bollard::models::{
    ContainerState, ContainerStateStatusEnum, ContainerSummaryNetworkSettings,
    ContainerSummaryStateEnum, EndpointSettings, EventActor,
};

use super::*;

fn row(id: &str, state: ContainerSummaryStateEnum) -> ContainerSummary {
    ContainerSummary {
        id: Some(id.into()),
        names: Some(vec![format!("/name-{id}")]),
        state: Some(state),
        status: Some(String::new()),
        ..ContainerSummary::default()
    }
}

fn event(id: &str, action: &str, attributes: &[(&str, &str)]) -> EventMessage {
    let pairs = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    EventMessage {
        action: Some(action.into()),
        actor: Some(EventActor {
            id: Some(id.into()),
            attributes: Some(pairs.collect::<HashMap<_, _>>()),
        }),
        time_nano: Some(5_000_000_000),
        ..EventMessage::default()
    }
}

fn answer(state: ContainerStateStatusEnum, exit_code: i64) -> ContainerInspectResponse {
    ContainerInspectResponse {
        state: Some(ContainerState {
            status: Some(state),
            exit_code: Some(exit_code),
            finished_at: Some("2026-01-01T00:00:00Z".into()),
            ..ContainerState::default()
        }),
        ..ContainerInspectResponse::default()
    }
}

fn states(inventory: &Inventory) -> Vec<(String, State)> {
    let all = inventory.containers();
    all.iter()
        .map(|container| (container.id.clone(), container.state))
        .collect()
}

/// An inventory of one running container whose first inspection is done.
fn running() -> Inventory {
    let mut inventory = Inventory::new(Vec::new());
    let asked = inventory.listing();
    assert!(inventory.listed(vec![row("a", ContainerSummaryStateEnum::RUNNING)], asked));
    assert_eq!(inventory.next_question().unwrap().id, "a");
    assert_eq!(inventory.next_question(), None);
    inventory
}

#[test]
fn a_death_shows_at_once_and_is_asked_after() {
    let mut inventory = running();
    assert!(inventory.heard(event("a", "die", &[("exitCode", "137")])));
    let container = &inventory.containers()[0];
    assert_eq!(
        (container.state, container.exit_code),
        (State::Exited, Some(137))
    );
    assert_eq!(container.finished_ms, Some(5000));
    assert_eq!(inventory.next_question().unwrap().id, "a");
}

#[test]
fn a_container_that_joins_or_leaves_a_network_is_asked_after() {
    let mut inventory = running();
    let of_network = |action: &str, container: &str| EventMessage {
        typ: Some(EventMessageTypeEnum::NETWORK),
        ..event("n", action, &[("container", container), ("name", "side")])
    };
    let events = inventory.events();
    for (action, container) in [("create", ""), ("destroy", ""), ("connect", "b")] {
        assert!(!inventory.heard(of_network(action, container)));
    }
    assert_eq!(
        (inventory.next_question(), inventory.events()),
        (None, events)
    );
    for action in ["connect", "disconnect"] {
        assert!(!inventory.heard(of_network(action, "a")));
        let question = inventory.next_question().unwrap();
        assert_eq!(question.id, "a");
        // What was asked before knows the network less than this.
        assert!(inventory.heard(event("a", "pause", &[])));
        assert!(!inventory.inspected(&question, answer(ContainerStateStatusEnum::RUNNING, 0)));
        assert!(inventory.heard(event("a", "unpause", &[])));
        inventory.next_question();
    }
    assert_eq!(inventory.containers().len(), 1, "a network is none");
    assert!(!inventory.heard(EventMessage {
        typ: Some(EventMessageTypeEnum::NETWORK),
        ..event("a", "connect", &[("name", "one")])
    }));
    assert_eq!(inventory.next_question().unwrap().id, "a");
}

#[test]
fn an_answer_older_than_the_last_event_is_not_believed() {
    let mut inventory = running();
    inventory.heard(event("a", "start", &[]));
    let question = inventory.next_question().unwrap();
    inventory.heard(event("a", "die", &[("exitCode", "1")]));
    assert!(!inventory.inspected(&question, answer(ContainerStateStatusEnum::RUNNING, 0)));
    assert_eq!(states(&inventory), [("a".into(), State::Exited)]);
    let question = inventory.next_question().unwrap();
    inventory.inspected(&question, answer(ContainerStateStatusEnum::RESTARTING, 1));
    assert_eq!(states(&inventory), [("a".into(), State::Restarting)]);
}

#[test]
fn a_listing_asked_before_an_event_does_not_undo_it() {
    let mut inventory = running();
    let asked = inventory.listing();
    inventory.heard(event("a", "die", &[]));
    inventory.heard(event("new", "start", &[("name", "made-meanwhile")]));
    inventory.listed(vec![row("a", ContainerSummaryStateEnum::RUNNING)], asked);
    let want = [("new".into(), State::Running), ("a".into(), State::Exited)];
    assert_eq!(states(&inventory), want);
}

#[test]
fn a_container_destroyed_during_a_listing_does_not_come_back() {
    let mut inventory = running();
    let asked = inventory.listing();
    assert!(inventory.heard(event("a", "destroy", &[])));
    inventory.listed(vec![row("a", ContainerSummaryStateEnum::EXITED)], asked);
    assert_eq!(states(&inventory), []);
}

#[test]
fn a_listing_removes_what_is_gone_and_asks_after_what_contradicts() {
    let mut inventory = running();
    let asked = inventory.listing();
    assert!(!inventory.listed(vec![row("a", ContainerSummaryStateEnum::RUNNING)], asked));
    assert_eq!(inventory.next_question(), None);
    let asked = inventory.listing();
    assert!(inventory.listed(vec![row("a", ContainerSummaryStateEnum::EXITED)], asked));
    assert_eq!(inventory.next_question().unwrap().id, "a");
    let asked = inventory.listing();
    assert!(inventory.listed(Vec::new(), asked));
    assert_eq!(states(&inventory), []);
}

#[test]
fn a_network_that_was_joined_meanwhile_is_told_once_it_is_listed() {
    let mut inventory = running();
    let mut listed = |network: &str| {
        let endpoint = EndpointSettings {
            network_id: Some(network.to_owned()),
            ..EndpointSettings::default()
        };
        let mut row = row("a", ContainerSummaryStateEnum::RUNNING);
        row.network_settings = Some(ContainerSummaryNetworkSettings {
            networks: Some([("n".to_owned(), endpoint)].into()),
        });
        let asked = inventory.listing();
        inventory.listed(vec![row], asked)
    };
    assert!(listed("1"));
    assert!(!listed("1"));
    assert!(listed("2"));
}

#[test]
fn health_and_memory_events_are_taken_from_the_stream() {
    let mut inventory = running();
    assert!(inventory.heard(event("a", "health_status: unhealthy", &[])));
    assert_eq!(inventory.containers()[0].health, Health::Unhealthy);
    let oom = event("a", "oom", &[]);
    let later = EventMessage {
        time_nano: Some(6_000_000_000),
        ..oom.clone()
    };
    // The second is the first again, told by a new stream.
    for event in [oom.clone(), oom, later] {
        inventory.heard(event);
    }
    assert_eq!(inventory.containers()[0].oom_events, 2);
    assert!(!inventory.heard(event("a", "rename", &[])));
    assert_eq!(inventory.next_question().unwrap().id, "a");
}

#[test]
fn an_event_without_a_container_is_passed_over() {
    let mut inventory = running();
    assert!(!inventory.heard(EventMessage::default()));
    assert_eq!(states(&inventory).len(), 1);
}

#[test]
fn after_a_gap_everything_is_asked_again() {
    let mut inventory = running();
    inventory.doubt();
    assert_eq!(inventory.next_question().unwrap().id, "a");
}

#[test]
fn the_digest_of_an_image_that_is_told_late_is_a_change() {
    let mut inventory = running();
    let mut row = row("a", ContainerSummaryStateEnum::RUNNING);
    row.image_id = Some("i".to_owned());
    let asked = inventory.listing();
    inventory.listed(vec![row], asked);
    let digests = [("i".to_owned(), "sha256:1".to_owned())].into();
    assert!(inventory.digests(&digests));
    assert!(!inventory.digests(&digests));
    assert_eq!(inventory.containers()[0].image_digest, "sha256:1");
}
