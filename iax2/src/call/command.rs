//! What a program tells a call to do.

use std::time::Duration;

use super::Call;
use crate::Format;
use crate::element::{Cause, DialplanStatus, Element, Elements, ElementsBuf, MessageCount};
use crate::flow::Step;
use crate::frame::{Command, Control, Html, Kind, Subclass};
use crate::link::Cx;

/// Why a command was refused. The caller's doing, except where it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such call, or it is over.
    #[error("no such call")]
    UnknownCall,
    /// The call is not in a state for this.
    #[error("not possible in this state of the call")]
    State,
    /// The peer has not shown yet that it receives what we send: no media before it did.
    #[error("the peer is not validated yet")]
    Unvalidated,
    /// The peer asked for silence (QUELCH).
    #[error("the peer wants no media")]
    Quelched,
    /// A local limit: too many frames wait for an acknowledgement.
    #[error("too many frames wait for an acknowledgement")]
    Busy,
    /// A text of more than 255 bytes, or a payload that no datagram holds.
    #[error("too long")]
    TooLong,
    /// Not a digit of DTMF, or a format that was not offered.
    #[error("not a valid value")]
    Invalid,
}

/// Largest payload of a full frame that is sent: what a UDP datagram holds less header and encryption.
const MAX_PAYLOAD: usize = 65_000;

impl Call {
    /// ACCEPT (RFC 5456 §6.2.3), in the negotiated format or one that the caller has too.
    pub(crate) fn accept(&mut self, cx: &mut Cx<'_>, format: Option<Format>) -> Result<(), CommandError> {
        if !self.flow.is_offered() {
            return Err(CommandError::State);
        }
        if let Some(format) = format {
            if !self.capability.contains(format) {
                return Err(CommandError::Invalid);
            }
            self.format = Some(format);
        }
        self.step(cx, Step::AcceptCommand, &Elements::default());
        Ok(())
    }

    /// CONTROL ANSWER (RFC 5456 §6.3.4); accepts first when the program has not.
    pub(crate) fn answer(&mut self, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        if self.flow.is_offered() {
            self.accept(cx, None)?;
        }
        if !self.flow.is_linked() || self.flow.is_up() {
            return Err(CommandError::State);
        }
        self.step(cx, Step::AnswerCommand, &Elements::default());
        Ok(())
    }

    /// HANGUP, or REJECT before an ACCEPT (RFC 5456 §6.2.4, §6.2.5).
    pub(crate) fn finish(
        &mut self,
        cx: &mut Cx<'_>,
        cause: Option<Cause>,
        text: Option<&str>,
    ) -> Result<(), CommandError> {
        if text.is_some_and(|text| text.len() > 255) {
            return Err(CommandError::TooLong);
        }
        if self.flow.is_ending() || self.flow.is_over() || self.flow.is_challenged() {
            return Err(CommandError::UnknownCall);
        }
        let mut list = ElementsBuf::new();
        list.push_some(text, Element::Cause);
        list.push(&Element::CauseCode(Self::default_cause(cause)));
        self.step(cx, Step::FinishCommand, &Elements::parse(list.as_bytes()).unwrap_or_default());
        Ok(())
    }

    /// Any frame of a linked call.
    pub(crate) fn send(&mut self, cx: &mut Cx<'_>, kind: Kind, payload: &[u8]) -> Result<(), CommandError> {
        if !self.flow.is_linked() {
            return Err(CommandError::State);
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(CommandError::TooLong);
        }
        if self.link.reliable.outstanding() >= self.limit(cx) {
            return Err(CommandError::Busy);
        }
        self.link.send(cx, kind, payload);
        Ok(())
    }

    pub(crate) fn control(&mut self, cx: &mut Cx<'_>, control: Control, data: &[u8]) -> Result<(), CommandError> {
        match control {
            Control::Answer => self.answer(cx),
            control => self.send(cx, Kind::Control(control), data),
        }
    }

    pub(crate) fn dtmf(&mut self, cx: &mut Cx<'_>, digit: char, begin: bool) -> Result<(), CommandError> {
        let digit = u8::try_from(digit.to_ascii_uppercase()).map_err(|_| CommandError::Invalid)?;
        if !matches!(digit, b'0'..=b'9' | b'A'..=b'D' | b'*' | b'#') {
            return Err(CommandError::Invalid);
        }
        self.send(cx, if begin { Kind::DtmfBegin(digit) } else { Kind::DtmfEnd(digit) }, &[])
    }

    /// TEXT, with the NUL that Asterisk wants at its end.
    pub(crate) fn text(&mut self, cx: &mut Cx<'_>, text: &str) -> Result<(), CommandError> {
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.extend_from_slice(text.as_bytes());
        payload.push(0);
        self.send(cx, Kind::Text(0), &payload)
    }

    pub(crate) fn html(&mut self, cx: &mut Cx<'_>, html: Html, data: &[u8]) -> Result<(), CommandError> {
        self.send(cx, Kind::Html(html), data)
    }

    pub(crate) fn image(&mut self, cx: &mut Cx<'_>, format: Format, data: &[u8]) -> Result<(), CommandError> {
        self.send(cx, Kind::Image(Subclass::from(format)), data)
    }

    fn elements(&mut self, cx: &mut Cx<'_>, command: Command, elements: &[Element<'_>]) -> Result<(), CommandError> {
        let list: ElementsBuf = elements.iter().copied().collect();
        self.send(cx, Kind::Iax(command), list.as_bytes())
    }

    /// QUELCH and UNQUELCH (RFC 5456 §6.4.4, §6.4.5).
    pub(crate) fn quelch(&mut self, cx: &mut Cx<'_>, on: bool, music: Option<&str>) -> Result<(), CommandError> {
        let music = music.map(|class| short(class).map(Element::MusicOnHold)).transpose()?;
        let command = if on { Command::Quelch } else { Command::Unquelch };
        self.elements(cx, command, music.as_slice())
    }

    /// DPREQ (RFC 5456 §6.8.1).
    pub(crate) fn query_dialplan(&mut self, cx: &mut Cx<'_>, number: &str) -> Result<(), CommandError> {
        self.elements(cx, Command::DpReq, &[Element::CalledNumber(short(number)?)])
    }

    /// DPREP (RFC 5456 §6.8.2).
    pub(crate) fn answer_dialplan(
        &mut self,
        cx: &mut Cx<'_>,
        number: &[u8],
        status: DialplanStatus,
        refresh: Duration,
    ) -> Result<(), CommandError> {
        let refresh = u16::try_from(refresh.as_secs()).unwrap_or(u16::MAX);
        let number = if number.len() > 255 { return Err(CommandError::TooLong) } else { number };
        let list = [Element::CalledNumber(number), Element::DialplanStatus(status), Element::Refresh(refresh)];
        self.elements(cx, Command::DpRep, &list)
    }

    /// DIAL and TRANSFER (RFC 5456 §6.8.3, §6.4.6).
    pub(crate) fn redirect(
        &mut self,
        cx: &mut Cx<'_>,
        command: Command,
        number: &str,
        context: Option<&str>,
    ) -> Result<(), CommandError> {
        let number = Element::CalledNumber(short(number)?);
        match context {
            Some(context) => self.elements(cx, command, &[number, Element::CalledContext(short(context)?)]),
            None => self.elements(cx, command, &[number]),
        }
    }

    /// MWI (RFC 5456 §6.9.4).
    pub(crate) fn messages(&mut self, cx: &mut Cx<'_>, count: MessageCount) -> Result<(), CommandError> {
        self.elements(cx, Command::Mwi, &[Element::MessageCount(count)])
    }
}

fn short(text: &str) -> Result<&[u8], CommandError> {
    if text.len() > 255 { Err(CommandError::TooLong) } else { Ok(text.as_bytes()) }
}
