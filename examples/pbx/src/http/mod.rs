//! HTTP: the page, `/health`, `/metrics`, and the console that `pbx -x` talks to.
//!
//! It has no password, so it listens on loopback unless the configuration says otherwise. A page of another origin
//! cannot use it either: what changes something needs a header that only scripts of this origin may send, and on
//! loopback the `Host` must be an address, which a name that was pointed here is not.

mod events;
mod metrics;

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::net::TcpListener;

use crate::{console, control::Control};

const PAGE: &str = include_str!("../../page/index.html");
const SCRIPT: &str = include_str!("../../page/page.js");
const STYLE: &str = include_str!("../../page/page.css");

/// The script that the pages of all programs share: `/common.js`.
pub const COMMON_SCRIPT: &str = include_str!("../../../page/common.js");

/// The stylesheet that the pages of all programs share: `/common.css`.
pub const COMMON_STYLE: &str = include_str!("../../../page/common.css");

/// The header that every request that changes something must carry.
pub const REQUESTED_BY: HeaderName = HeaderName::from_static("x-requested-by");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
        .route("/health", get(health))
        .route("/metrics", get(metrics::metrics))
        .route("/status", get(status))
        .route("/events", get(events::events))
        .route("/calls/{id}/hangup", post(hangup))
        .route("/console", post(command))
        .layer(axum::extract::DefaultBodyLimit::max(4096))
        .layer(middleware::from_fn_with_state(local, guard))
        .with_state(control)
}

/// A file that is part of the program.
pub async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text)
}

/// Lets through what only this page and programs of this machine can ask; `local` is the address listened on.
pub async fn guard(State(local): State<SocketAddr>, request: Request, next: Next) -> Response {
    let refused = |why: &'static str| (StatusCode::FORBIDDEN, why).into_response();
    if local.ip().is_loopback() && !host_is_an_address(request.headers()) {
        return refused("use the address of this page, such as http://127.0.0.1:8080/, not another name for it\n");
    }
    if !request.method().is_safe() {
        if !request.headers().contains_key(REQUESTED_BY) {
            return refused("the header X-Requested-By is missing\n");
        }
        if !same_origin(request.headers()) {
            return refused("another page asked for this\n");
        }
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether `Host` is an IP address or `localhost`, which nobody can point here from elsewhere.
fn host_is_an_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

/// Whether the request came from a page of ours, or from no page at all.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => !headers.contains_key(header::ORIGIN),
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, origin)| origin == host),
        (Some(_), None) => false,
    }
}

async fn health(State(control): State<Control>) -> Response {
    let status = control.status();
    let (code, word) = match (control.commands.is_closed(), status.draining) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (_, true) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        _ => (StatusCode::OK, "ok"),
    };
    let calls = status.calls.len();
    let body = serde_json::json!({ "status": word, "calls": calls, "registrations": status.registrations() });
    (code, axum::Json(body)).into_response()
}

async fn status(State(control): State<Control>) -> Response {
    axum::Json(&*control.status()).into_response()
}

async fn hangup(State(control): State<Control>, Path(id): Path<u64>) -> Response {
    if control.hangup(id).await {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::NOT_FOUND, "no such call\n").into_response()
    }
}

async fn command(State(control): State<Control>, line: String) -> Response {
    match console::run(&control, &line).await {
        Ok(text) => text.into_response(),
        Err(text) => (StatusCode::BAD_REQUEST, text).into_response(),
    }
}
