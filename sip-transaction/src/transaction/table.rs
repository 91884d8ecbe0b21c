//! Checks a transition against a table of its figure.

use std::fmt::Debug;

use super::{Action, Actions, ClientEvent, ServerEvent, Timer};

/// Every value of an enum of plain variants: a match over them does not compile when one is missing here.
macro_rules! every {
    ($type:ident: $($variant:ident),* $(,)?) => {{
        let all = [$($type::$variant),*];
        for value in all {
            match value {
                $($type::$variant => {})*
            }
        }
        all
    }};
}
pub(super) use every;

fn timers() -> [Timer; 13] {
    every!(Timer: A, B, D, E, F, G, H, I, J, K, L, M, Trying)
}

/// Every event of a client transaction, with every timer there is.
pub(super) fn client_events() -> Vec<ClientEvent> {
    use ClientEvent as Event;
    let plain = [Event::Start, Event::Provisional, Event::Success, Event::Rejection, Event::TransportError];
    let all: Vec<Event> = plain.into_iter().chain(timers().map(Event::Timer)).collect();
    for event in &all {
        match event {
            // A new one does not compile here, and belongs above.
            Event::Start | Event::Provisional | Event::Success | Event::Rejection => {}
            Event::Timer(_) | Event::TransportError => {}
        }
    }
    assert_eq!(all.len(), 5 + 13);
    all
}

/// Every event of a server transaction, with every timer there is.
pub(super) fn server_events() -> Vec<ServerEvent> {
    use ServerEvent as Event;
    let plain = [
        Event::Start,
        Event::Request,
        Event::Ack,
        Event::Provisional,
        Event::Success,
        Event::Rejection,
        Event::TransportError,
    ];
    let all: Vec<Event> = plain.into_iter().chain(timers().map(Event::Timer)).collect();
    for event in &all {
        match event {
            // A new one does not compile here, and belongs above.
            Event::Start | Event::Request | Event::Ack | Event::Provisional | Event::Success | Event::Rejection => {}
            Event::Timer(_) | Event::TransportError => {}
        }
    }
    assert_eq!(all.len(), 7 + 13);
    all
}

/// A state, an event, the next state and what is done.
pub(super) type Row<'a, S, E> = (S, E, S, &'a [Action]);

/// Visits every state with every event: pairs in `rows` must do what the row says, all others nothing at all. Says how
/// many pairs it visited.
pub(super) fn check<S, E>(
    states: &[S],
    events: &[E],
    rows: &[Row<'_, S, E>],
    mut step: impl FnMut(S, E, &mut Actions) -> S,
) -> usize
where
    S: Copy + PartialEq + Debug,
    E: Copy + PartialEq + Debug,
{
    let (mut visited, mut met) = (0, 0);
    for &state in states {
        for &event in events {
            visited += 1;
            let mut actions = Actions::new();
            let next = step(state, event, &mut actions);
            match rows.iter().find(|row| row.0 == state && row.1 == event) {
                Some(row) => {
                    met += 1;
                    assert_eq!(next, row.2, "state after {event:?} in {state:?}");
                    assert_eq!(actions.as_slice(), row.3, "actions on {event:?} in {state:?}");
                }
                None => {
                    assert_eq!(next, state, "{event:?} in {state:?} changed the state");
                    assert!(actions.is_empty(), "{event:?} in {state:?} did {actions:?}");
                }
            }
        }
    }
    assert_eq!(met, rows.len(), "a row of the table was never met, or is there twice");
    visited
}
