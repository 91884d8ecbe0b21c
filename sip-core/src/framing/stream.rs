//! Messages on a stream, found by Content-Length (RFC 3261 §18.3).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use super::Frame;
use crate::error::{ErrorKind, ParseError, Part};
use crate::message::{Answerable, Extent, Limits, Message, head_extent};
use crate::view;

/// Cuts a stream into messages, wherever its bytes were split.
///
/// Feed it with [`Stream::push`], then drain it with [`Stream::next`] until that returns `None`. It holds at most
/// one unfinished message, so at most [`Limits::message`] bytes and what was pushed last.
#[derive(Debug)]
pub struct Stream {
    limits: Limits,
    buffer: BytesMut,
    /// How much of the buffer holds no end of a header section.
    scanned: usize,
    /// How long the message at the beginning is, once its header section is there.
    pending: Option<Pending>,
    /// Whether the last thing on the stream was the first half of a ping.
    half_ping: bool,
    /// How much of the buffer is a message that was seen already.
    seen: usize,
    failed: Option<ParseError>,
}

/// What the buffer begins with.
enum Found {
    Nothing,
    /// Of two halves, whether it is the second.
    KeepAlive {
        is_ping: bool,
    },
    Whole(usize, Option<ParseError>),
}

/// A message whose header section is complete.
#[derive(Debug, Clone)]
struct Pending {
    length: usize,
    /// What is wrong with it, although its length is known.
    error: Option<ParseError>,
}

/// One thing that a peer sent, seen where it lies: see [`Stream::next_view`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are messages, and they are not kept")]
pub enum FrameView<'a> {
    /// A message.
    Message(view::Message<'a>),
    /// As [`Frame::Ping`].
    Ping,
    /// As [`Frame::Pong`].
    Pong,
    /// As [`Frame::Bad`].
    Bad {
        /// What was wrong.
        error: ParseError,
        /// What an answer needs, if there is enough for one.
        answerable: Option<Box<Answerable>>,
    },
}

/// The end of the next message cannot be found any more: answer if possible, then close the connection.
#[derive(Debug, Clone, thiserror::Error)]
#[error("framing is lost: {error}")]
pub struct FrameError {
    /// What was wrong.
    pub error: ParseError,
    /// What an answer needs, if there is enough for one.
    pub answerable: Option<Box<Answerable>>,
}

impl Stream {
    /// A stream of which nothing came yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, buffer: BytesMut::new(), scanned: 0, pending: None, half_ping: false, seen: 0, failed: None }
    }

    /// Takes in bytes that came. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.seen
    }

    /// What comes next, or `None` until more bytes come.
    ///
    /// CRLFs between messages are keep-alives: the first is a [`Frame::Pong`], a second right after it makes both
    /// a [`Frame::Ping`], so that every ping comes after a pong, wherever the stream was split.
    ///
    /// A malformed message whose length is beyond doubt is stepped over as [`Frame::Bad`].
    ///
    /// # Errors
    /// When the length of a message is unknown, in doubt or over a limit. The stream is of no use then, and says
    /// the same again, without the answerable part, whenever it is asked.
    #[expect(clippy::should_implement_trait, reason = "it may fail, and None is not the end")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(FrameError { error: error.clone(), answerable: None });
        }
        self.advance().map_err(|error| self.fail(error))
    }

    fn advance(&mut self) -> Result<Option<Frame>, ParseError> {
        self.release();
        match self.find()? {
            Found::KeepAlive { is_ping } => Ok(Some(if is_ping { Frame::Ping } else { Frame::Pong })),
            Found::Whole(length, error) => {
                let bytes = self.buffer.split_to(length).freeze();
                Ok(Some(self.frame(bytes, error)))
            }
            Found::Nothing => Ok(None),
        }
    }

    /// As [`Stream::next`], without sharing or copying: the message is seen in the stream's own buffer, until it is asked again.
    ///
    /// # Errors
    /// As [`Stream::next`].
    pub fn next_view(&mut self) -> Result<Option<FrameView<'_>>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(FrameError { error: error.clone(), answerable: None });
        }
        self.release();
        match self.find() {
            Ok(Found::Nothing) => Ok(None),
            Ok(Found::KeepAlive { is_ping }) => Ok(Some(if is_ping { FrameView::Ping } else { FrameView::Pong })),
            Ok(Found::Whole(length, error)) => {
                self.seen = length;
                let bytes = self.buffer.get(..length).unwrap_or_default();
                let result = match error {
                    Some(error) => Err(error),
                    None => view::Message::parse_as(bytes, &self.limits, Extent::Stream),
                };
                Ok(Some(match result {
                    Ok(message) => FrameView::Message(message),
                    Err(error) => {
                        let answerable = Answerable::read(bytes, &self.limits);
                        FrameView::Bad { error, answerable: answerable.map(Box::new) }
                    }
                }))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Lets go of the message that was seen last.
    fn release(&mut self) {
        if self.seen > 0 {
            self.buffer.advance(self.seen);
            self.seen = 0;
        }
    }

    /// What is at the beginning of the buffer: a keep-alive, which is taken out, or a message and what is wrong with it.
    fn find(&mut self) -> Result<Found, ParseError> {
        if self.pending.is_none() {
            if self.scanned == 0 {
                if let Some(is_ping) = self.keep_alive()? {
                    return Ok(Found::KeepAlive { is_ping });
                }
                if matches!(*self.buffer, [] | [b'\r']) {
                    return Ok(Found::Nothing);
                }
            }
            self.find_head()?;
        }
        match self.pending.take() {
            Some(pending) if pending.length <= self.buffer.len() => {
                self.scanned = 0;
                self.half_ping = false;
                Ok(Found::Whole(pending.length, pending.error))
            }
            pending => {
                self.pending = pending;
                Ok(Found::Nothing)
            }
        }
    }

    fn fail(&mut self, error: ParseError) -> FrameError {
        let answerable = Answerable::read(&self.buffer, &self.limits).map(Box::new);
        self.buffer = BytesMut::new();
        self.failed = Some(error.clone());
        FrameError { error, answerable }
    }

    fn frame(&self, bytes: Bytes, error: Option<ParseError>) -> Frame {
        let result = match error {
            Some(error) => Err(error),
            None => Message::parse_as(bytes.clone(), &self.limits, Extent::Stream),
        };
        match result {
            Ok(message) => Frame::Message(message),
            Err(error) => Frame::Bad { error, answerable: Answerable::read(&bytes, &self.limits) },
        }
    }

    /// A CRLF before a start line; whether it is the second one.
    fn keep_alive(&mut self) -> Result<Option<bool>, ParseError> {
        match *self.buffer {
            [b'\r', b'\n', ..] => {
                let _ = self.buffer.split_to(2);
                self.half_ping = !self.half_ping;
                Ok(Some(!self.half_ping))
            }
            [] | [b'\r'] => Ok(None),
            // Letters, mostly.
            [first, ..] if crate::header::is_token_byte(first) => Ok(None),
            // TLS, a bare LF, anything: no start line begins like this.
            _ => Err(ParseError::new(ErrorKind::Syntax, Part::StartLine, 0)),
        }
    }

    /// Looks for the end of the header section, and how long the message is.
    fn find_head(&mut self) -> Result<(), ParseError> {
        let from = self.scanned.saturating_sub(3);
        let Some(found) = memmem::find(self.buffer.get(from..).unwrap_or_default(), b"\r\n\r\n") else {
            self.scanned = self.buffer.len();
            if self.scanned > self.limits.message {
                return Err(ParseError::new(ErrorKind::TooLarge, Part::Message, self.limits.message));
            }
            return Ok(());
        };
        let head = from + found + 4;
        let (body, error) = head_extent(self.buffer.get(..head).unwrap_or_default(), &self.limits)?;
        let length = head + body;
        if length > self.limits.message {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::Message, self.limits.message));
        }
        self.scanned = head;
        self.pending = Some(Pending { length, error });
        Ok(())
    }
}
