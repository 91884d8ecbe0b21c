//! `/events`: the picture as server-sent events, whenever it changes.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};

use crate::{control::Control, status::Status};

/// The most calls that one event lists; the page says when there are more.
const ROWS: usize = 200;

pub(super) async fn events(State(control): State<Control>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut status = control.status;
    status.mark_changed();
    let events = stream::unfold(status, |mut status| async move {
        // The publisher is gone when the program ends, and so does the stream.
        status.changed().await.ok()?;
        let event = event(&status.borrow_and_update());
        Some((Ok(event), status))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

#[derive(serde::Serialize)]
struct Picture<'a> {
    calls_total: usize,
    #[serde(flatten)]
    status: &'a Status,
}

fn event(status: &Status) -> Event {
    let calls_total = status.calls.len();
    let cut;
    let status = if calls_total > ROWS {
        let mut copy = status.clone();
        copy.calls.truncate(ROWS);
        cut = copy;
        &cut
    } else {
        status
    };
    Event::default().json_data(Picture { calls_total, status }).unwrap_or_default()
}
