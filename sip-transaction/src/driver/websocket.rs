//! SIP over WebSocket (RFC 7118): the opening handshake with its subprotocol, and one message of SIP in each message.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, Uri, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig as Limits;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::connection::Opening;
use super::queue;
use crate::endpoint::{CloseReason, Input};
use crate::transport::{ConnectionId, Transport};

/// The subprotocol (RFC 7118 §4).
const SIP: &str = "sip";

pub(super) type Socket<S> = WebSocketStream<S>;

/// What a client asks for in its opening handshake.
#[derive(Debug, Clone, Copy)]
pub struct Upgrade<'a> {
    /// The page that opened it, when a browser says so (RFC 6455 §10.2).
    pub origin: Option<&'a str>,
    /// The Host that it was sent to.
    pub host: Option<&'a str>,
    /// The path that it asks for, with its query.
    pub path: &'a str,
    /// Its cookies, as they came (RFC 7118 §7).
    pub cookie: Option<&'a str>,
}

/// Says whether a client may open a WebSocket; see [`WebSocketConfig::check`].
pub type Check = Arc<dyn Fn(&Upgrade<'_>) -> bool + Send + Sync>;

/// How WebSockets are opened and how large their messages may be.
#[derive(Clone)]
pub struct WebSocketConfig {
    /// Whom to let in; everybody when `None`. A browser runs what any page says, and tells which page it was: let in
    /// only the pages that are yours when cookies or addresses count for anything. Refused with 403.
    pub check: Option<Check>,
    /// The path that is asked for on WebSockets that we open.
    pub path: Arc<str>,
    /// The largest message that is read, whole and in one frame. What is larger closes the WebSocket (1009).
    pub largest_message: usize,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self { check: None, path: "/".into(), largest_message: sip_core::Limits::default().message }
    }
}

impl fmt::Debug for WebSocketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketConfig")
            .field("check", &self.check.is_some())
            .field("path", &self.path)
            .field("largest_message", &self.largest_message)
            .finish()
    }
}

impl WebSocketConfig {
    /// Lets in clients that say no origin (they are no browsers), and pages of these origins, such as
    /// `https://phone.example.com`.
    #[must_use]
    pub fn from_origins<'a>(mut self, origins: impl IntoIterator<Item = &'a str>) -> Self {
        let origins: Vec<Box<str>> = origins.into_iter().map(Into::into).collect();
        self.check = Some(Arc::new(move |upgrade| {
            upgrade.origin.is_none_or(|origin| origins.iter().any(|known| known.eq_ignore_ascii_case(origin)))
        }));
        self
    }

    fn limits(&self) -> Limits {
        Limits::default()
            // Held by every connection: a message of SIP is small.
            .read_buffer_size(4 * 1_024)
            .write_buffer_size(0)
            .max_message_size(Some(self.largest_message))
            .max_frame_size(Some(self.largest_message))
    }
}

/// The server's side of the opening handshake (RFC 7118 §4.1).
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &WebSocketConfig,
) -> Result<Socket<S>, Error> {
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let check = |request: &Request, response: Response| answer(request, response, config);
    tokio_tungstenite::accept_hdr_async_with_config(stream, check, Some(config.limits())).await
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn answer(request: &Request, mut response: Response, config: &WebSocketConfig) -> Result<Response, ErrorResponse> {
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let speaks_sip = request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(SIP));
    if !speaks_sip {
        return Err(refusal(StatusCode::BAD_REQUEST, "the subprotocol sip is asked for here\n"));
    }
    let upgrade = Upgrade {
        origin: text(header::ORIGIN),
        host: text(header::HOST),
        path: request.uri().path_and_query().map_or("/", |path| path.as_str()),
        cookie: text(header::COOKIE),
    };
    if config.check.as_ref().is_some_and(|check| !check(&upgrade)) {
        return Err(refusal(StatusCode::FORBIDDEN, "not from here\n"));
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
    Ok(response)
}

fn refusal(status: StatusCode, reason: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(reason.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The client's side of the opening handshake. A server that does not choose the subprotocol is none for SIP.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    opening: &Opening,
    config: &WebSocketConfig,
) -> Result<Socket<S>, Error> {
    let scheme = if opening.transport == Transport::Wss { "wss" } else { "ws" };
    let address = opening.destination;
    let authority = match &opening.name {
        Some(name) => format!("{name}:{}", address.port()),
        None => address.to_string(),
    };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(&*config.path).build()?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SIP);
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config.limits())).await?;
    Ok(socket)
}

/// Reads until the other side closes. Pings are answered by the library.
pub(super) async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    id: ConnectionId,
    mut source: SplitStream<Socket<S>>,
    arriving: &mpsc::Sender<Input>,
) -> CloseReason {
    loop {
        let payload = match source.next().await {
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(bytes))) => bytes,
            // A sign of life.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Bytes::new(),
            // The library answers a close, and ends then.
            Some(Ok(Message::Close(_) | Message::Frame(_))) => continue,
            None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return CloseReason::Remote,
            Some(Err(error)) => {
                tracing::debug!(%error, "websocket broken in reading");
                return match error {
                    Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_) => CloseReason::Framing,
                    _ => CloseReason::Broken,
                };
            }
        };
        if arriving.send(Input::Received { connection: id, payload }).await.is_err() {
            return CloseReason::Local;
        }
    }
}

/// Writes until no more comes, then closes. What is UTF-8 goes as text, which is what browsers like best, the rest as
/// binary (RFC 7118 §5.1).
pub(super) async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<Socket<S>, Message>,
    writes: &mut queue::Receiver,
    waiting: &AtomicUsize,
) -> Result<(), Error> {
    while let Some(payload) = writes.recv().await {
        let length = payload.len();
        let message = match Utf8Bytes::try_from(payload.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(payload),
        };
        sink.send(message).await?;
        waiting.fetch_sub(length, Ordering::Relaxed);
    }
    sink.close().await
}
