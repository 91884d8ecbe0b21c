//! HTTP: the page, control, `/health`, `/ready`, `/metrics`.
//!
//! With a token, everything but the page's own files, `/health`, `/ready` and `/metrics` wants it. Without one only loopback is
//! listened on, what changes something needs a header that only scripts of this origin may send, and `Host` must be an address,
//! which a name that was pointed here is not.

mod metrics;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Json, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use crate::config::DestinationConfig;
use crate::control::{CommandError, Control};

const PAGE: &str = include_str!("../../page/index.html");
const SCRIPT: &str = include_str!("../../page/page.js");
const STYLE: &str = include_str!("../../page/page.css");
const COMMON_SCRIPT: &str = include_str!("../../../page/common.js");
const COMMON_STYLE: &str = include_str!("../../../page/common.css");

/// The header that every request that changes something must carry when there is no token.
pub const REQUESTED_BY: HeaderName = HeaderName::from_static("x-requested-by");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers requests until the program ends.
///
/// # Errors
/// What the system says about the socket.
pub async fn serve(listener: TcpListener, control: Control, token: Option<String>) -> io::Result<()> {
    axum::serve(listener, router(control, token)).await
}

/// All routes.
pub fn router(control: Control, token: Option<String>) -> Router {
    let guarded = Router::new()
        .route("/status", get(status))
        .route("/sets", get(sets))
        .route("/destinations", get(status).post(add))
        .route("/destinations/{name}", delete(remove))
        .route("/destinations/{name}/drain", post(drain))
        .route("/destinations/{name}/enable", post(enable))
        .route("/destinations/{name}/disable", post(disable))
        .route("/proxy/enable/{host}", any(enable))
        .route("/proxy/disable/{host}", any(disable))
        .route("/reload", post(reload))
        .route("/explain", get(explain))
        .layer(DefaultBodyLimit::max(65_536))
        .layer(middleware::from_fn_with_state(Arc::new(token), guard));
    Router::new()
        .route("/", get(|| asset("text/html; charset=utf-8", PAGE)))
        .route("/common.js", get(|| asset("text/javascript; charset=utf-8", COMMON_SCRIPT)))
        .route("/common.css", get(|| asset("text/css; charset=utf-8", COMMON_STYLE)))
        .route("/page.js", get(|| asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/page.css", get(|| asset("text/css; charset=utf-8", STYLE)))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics::metrics))
        .merge(guarded)
        .layer(middleware::from_fn(harden))
        .with_state(control)
}

async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text)
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn guard(State(token): State<Arc<Option<String>>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    match token.as_deref() {
        Some(token) => {
            let given = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
            if !given.is_some_and(|given| bool::from(given.ct_eq(token.as_bytes()))) {
                let wanted = [(header::WWW_AUTHENTICATE, "Bearer")];
                return (StatusCode::UNAUTHORIZED, wanted, "the bearer token is missing or wrong\n").into_response();
            }
        }
        None => {
            let changes = !request.method().is_safe() || request.uri().path().starts_with("/proxy/");
            if !host_is_an_address(headers) {
                let why = "use the address of this page, such as http://127.0.0.1:8080/, not another name for it\n";
                return (StatusCode::FORBIDDEN, why).into_response();
            }
            if changes && !headers.contains_key(REQUESTED_BY) {
                return (StatusCode::FORBIDDEN, "the header X-Requested-By is missing\n").into_response();
            }
        }
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    if !method.is_safe() || path.starts_with("/proxy/") {
        tracing::info!(%method, path, status = response.status().as_u16(), "control");
    }
    response
}

/// Whether `Host` is an IP address or `localhost`, which nobody can point here from elsewhere.
fn host_is_an_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

impl IntoResponse for CommandError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoDestination(_) | Self::NoSet(_) => StatusCode::NOT_FOUND,
            Self::FromDns(_) => StatusCode::CONFLICT,
            Self::Config(_) | Self::NoFile => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Persist(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Ending => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(serde_json::json!({ "error": self.to_string() }))).into_response()
    }
}

async fn health() -> &'static str {
    "well\n"
}

/// Whether some destination takes calls, and some server of each balancer connections: whoever stands in front sends none otherwise.
async fn ready(State(control): State<Control>) -> Response {
    if control.is_ready().await {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no destination takes calls or connections\n").into_response()
    }
}

async fn status(State(control): State<Control>) -> Response {
    Json(control.status().await).into_response()
}

async fn sets(State(control): State<Control>) -> Response {
    Json(control.sets().await).into_response()
}

/// The body of `POST /destinations`.
#[derive(Debug, Deserialize)]
pub struct Addition {
    /// The set, or the balancer of TCP; the first set when it is not named.
    pub set: Option<String>,
    /// The destination.
    #[serde(flatten)]
    pub destination: DestinationConfig,
}

async fn add(
    State(control): State<Control>,
    body: Result<Json<Addition>, JsonRejection>,
) -> Result<Response, CommandError> {
    let addition = match body {
        Ok(Json(addition)) => addition,
        Err(error) => {
            return Ok((error.status(), Json(serde_json::json!({ "error": error.body_text() }))).into_response());
        }
    };
    let set = match addition.set {
        Some(set) => set,
        None => control.sets().await.first().map(|set| set.name.clone()).unwrap_or_default(),
    };
    let name = addition.destination.name();
    control.add(&set, addition.destination).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "destination": name }))).into_response())
}

async fn remove(State(control): State<Control>, Path(name): Path<String>) -> Result<Response, CommandError> {
    control.remove(&name).await?;
    Ok(changed(&[name]))
}

async fn enable(State(control): State<Control>, Path(name): Path<String>) -> Result<Response, CommandError> {
    Ok(changed(&control.enable(&name).await?))
}

async fn disable(State(control): State<Control>, Path(name): Path<String>) -> Result<Response, CommandError> {
    Ok(changed(&control.disable(&name).await?))
}

#[derive(Debug, Deserialize)]
struct Within {
    within: Option<f64>,
}

async fn drain(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(Within { within }): Query<Within>,
) -> Result<Response, CommandError> {
    let within = within.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(changed(&control.drain(&name, within.filter(|within| within.as_secs() < 31_536_000)).await?))
}

async fn reload(State(control): State<Control>) -> Result<Response, CommandError> {
    control.reload().await?;
    Ok(changed(&[]))
}

#[derive(Debug, Deserialize)]
struct Asked {
    set: Option<String>,
    call_id: String,
}

async fn explain(State(control): State<Control>, Query(asked): Query<Asked>) -> Result<Response, CommandError> {
    Ok(Json(control.explain(asked.set.as_deref(), &asked.call_id).await?).into_response())
}

fn changed(names: &[String]) -> Response {
    Json(serde_json::json!({ "changed": names })).into_response()
}
