//! The page, its events and its buttons.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use pbx::http::{COMMON_SCRIPT, COMMON_STYLE, asset, guard};
use tokio::net::TcpListener;

use crate::control::{Control, Order};

const PAGE: &str = include_str!("../page/index.html");
const SCRIPT: &str = include_str!("../page/page.js");
const STYLE: &str = include_str!("../page/page.css");

/// Answers requests until the program ends.
///
/// # Errors
/// What the system says about the socket.
pub async fn serve(listener: TcpListener, control: Control) -> io::Result<()> {
    let local = listener.local_addr()?;
    axum::serve(listener, router(control, local)).await
}

/// All routes; `local` is the address listened on.
pub fn router(control: Control, local: SocketAddr) -> Router {
    Router::new()
        .route("/", get(|| asset("text/html; charset=utf-8", PAGE)))
        .route("/common.js", get(|| asset("text/javascript; charset=utf-8", COMMON_SCRIPT)))
        .route("/common.css", get(|| asset("text/css; charset=utf-8", COMMON_STYLE)))
        .route("/page.js", get(|| asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/page.css", get(|| asset("text/css; charset=utf-8", STYLE)))
        .route("/events", get(events))
        .route("/status", get(status))
        .route("/phones/{phone}/call/{number}", post(call))
        .route("/phones/{phone}/{order}", post(phone))
        .route("/nodes/{node}/{order}", post(node))
        .route("/calling/{order}", post(calling))
        .layer(axum::extract::DefaultBodyLimit::max(1024))
        .layer(middleware::from_fn_with_state(local, guard))
        .with_state(control)
}

async fn events(State(control): State<Control>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut picture = control.picture;
    picture.mark_changed();
    let events = stream::unfold(picture, |mut picture| async move {
        // The publisher is gone when the program ends, and so does the stream.
        picture.changed().await.ok()?;
        let event = Event::default().json_data(&**picture.borrow_and_update()).unwrap_or_default();
        Some((Ok(event), picture))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn status(State(control): State<Control>) -> Response {
    axum::Json(&*control.picture()).into_response()
}

async fn call(State(control): State<Control>, Path((phone, number)): Path<(String, String)>) -> Response {
    carry_out(&control, Order::Call { phone, number }).await
}

async fn phone(State(control): State<Control>, Path((phone, order)): Path<(String, String)>) -> Response {
    match order.as_str() {
        "hangup" => carry_out(&control, Order::HangUp { phone }).await,
        "reconnect" => carry_out(&control, Order::Reconnect { phone }).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn node(State(control): State<Control>, Path((node, order)): Path<(String, String)>) -> Response {
    match order.as_str() {
        "start" => carry_out(&control, Order::Start { node }).await,
        "stop" => carry_out(&control, Order::Stop { node }).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn calling(State(control): State<Control>, Path(order): Path<String>) -> Response {
    match order.as_str() {
        "on" => carry_out(&control, Order::Calling(true)).await,
        "off" => carry_out(&control, Order::Calling(false)).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn carry_out(control: &Control, order: Order) -> Response {
    match control.ask(order).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(text) => (StatusCode::CONFLICT, format!("{text}\n")).into_response(),
    }
}
