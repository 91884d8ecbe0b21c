//! Checks a transition against a table of its figure.

use std::fmt::Debug;

use super::{Action, Actions};

/// A state, an event, the next state and what is done.
pub(super) type Row<'a, S, E> = (S, E, S, &'a [Action]);

/// Visits every state with every event: pairs in `rows` must do what the row says, all others nothing at all.
pub(super) fn check<S, E>(
    states: &[S],
    events: &[E],
    rows: &[Row<'_, S, E>],
    mut step: impl FnMut(S, E, &mut Actions) -> S,
) where
    S: Copy + PartialEq + Debug,
    E: Copy + PartialEq + Debug,
{
    let mut met = 0;
    for &state in states {
        for &event in events {
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
}
