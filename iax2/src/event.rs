//! What an endpoint tells the program, and what it asks of the driver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::element::{Cause, DialplanStatus, Elements, MessageCount, Presentation, id};
use crate::frame::{Command, Control, Html};
use crate::{Element, Format, Formats};

/// A call of an endpoint. Ids are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId {
    pub(crate) number: u16,
    pub(crate) generation: u32,
}

impl CallId {
    /// The call's number on the wire, as ours.
    pub const fn number(self) -> u16 {
        self.number
    }
}

/// A registration that an endpoint keeps up somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistrationId(pub(crate) u32);

/// What happened outside.
#[derive(Debug, Clone)]
pub enum Input {
    /// A datagram came.
    Datagram {
        /// From where.
        source: SocketAddr,
        /// Its bytes.
        payload: Bytes,
    },
}

/// What the driver has to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send a datagram.
    Datagram {
        /// Where to.
        destination: SocketAddr,
        /// Its bytes.
        payload: Bytes,
    },
    /// Tell the program.
    Event(Event),
}

/// A NEW that came: its elements as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request(pub(crate) Bytes);

impl Request {
    /// The elements.
    pub fn elements(&self) -> Elements<'_> {
        Elements::parse(&self.0).unwrap_or_default()
    }

    /// CALLED NUMBER; `s`, Asterisk's start extension, when there is none.
    pub fn number(&self) -> &str {
        self.elements().text(id::CALLED_NUMBER).unwrap_or("s")
    }

    /// CALLED CONTEXT.
    pub fn context(&self) -> Option<&str> {
        self.elements().text(id::CALLED_CONTEXT)
    }

    /// CALLING NUMBER.
    pub fn caller_number(&self) -> Option<&str> {
        self.elements().text(id::CALLING_NUMBER)
    }

    /// CALLING NAME.
    pub fn caller_name(&self) -> Option<&str> {
        self.elements().text(id::CALLING_NAME)
    }

    /// USERNAME.
    pub fn username(&self) -> Option<&str> {
        self.elements().text(id::USERNAME)
    }

    /// LANGUAGE.
    pub fn language(&self) -> Option<&str> {
        self.elements().text(id::LANGUAGE)
    }

    /// CALLINGPRES.
    pub fn presentation(&self) -> Presentation {
        match self.elements().get(id::CALLING_PRESENTATION) {
            Some(Element::CallingPresentation(presentation)) => presentation,
            _ => Presentation::default(),
        }
    }

    /// Whether AUTOANSWER is asked for.
    pub fn wants_auto_answer(&self) -> bool {
        self.elements().data(id::AUTO_ANSWER).is_some()
    }

    /// Formats that the caller has: CAPABILITY2, else CAPABILITY, else its one FORMAT.
    pub fn capability(&self) -> Formats {
        let elements = self.elements();
        for id in [id::CAPABILITY2, id::CAPABILITY, id::FORMAT2, id::FORMAT] {
            if let Some(Element::Capability2(f) | Element::Capability(f) | Element::Format2(f) | Element::Format(f)) =
                elements.get(id)
            {
                return f;
            }
        }
        Formats::NONE
    }

    /// The one format that the caller asks for: FORMAT2, else FORMAT.
    pub fn format(&self) -> Option<Format> {
        format(&self.elements())
    }

    /// Variables of Asterisk: `NAME` and `value` of each element 52.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        let text = |element| match element {
            Element::OspToken(data) => std::str::from_utf8(data).ok()?.split_once('='),
            _ => None,
        };
        self.elements().iter().filter_map(text).collect()
    }
}

/// The one format of FORMAT2, else FORMAT.
pub(crate) fn format(elements: &Elements<'_>) -> Option<Format> {
    [id::FORMAT2, id::FORMAT].into_iter().find_map(|id| match elements.get(id) {
        Some(Element::Format2(f) | Element::Format(f)) => Format::from_bits(f.0),
        _ => None,
    })
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// We hung up or rejected.
    Local,
    /// The peer hung up.
    Hangup {
        /// CAUSECODE.
        cause: Option<Cause>,
        /// CAUSE.
        text: Option<Bytes>,
    },
    /// The peer rejected the call.
    Rejected {
        /// CAUSECODE.
        cause: Option<Cause>,
        /// CAUSE.
        text: Option<Bytes>,
    },
    /// The peer does not answer any more.
    Timeout,
    /// The peer knows nothing of the call (INVAL).
    Invalid,
    /// The peer wants to be shown what we do not have, or encryption that we may not do without is missing.
    Unauthorized,
    /// Both other sides talk to each other now (TXREL).
    Transferred,
}

/// A digit's part in a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtmfPhase {
    /// It begins.
    Begin,
    /// It ends, or it is a whole digit.
    End,
}

/// Why a registration is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationFailure {
    /// REGREJ.
    Refused {
        /// CAUSECODE.
        cause: Option<Cause>,
        /// CAUSE.
        text: Option<Bytes>,
    },
    /// The registrar wants to be shown what we do not have.
    Unauthorized,
    /// The registrar does not answer.
    Timeout,
}

/// How well a watched peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachability {
    /// Nothing is known yet.
    Unknown,
    /// It answered in this time.
    Reachable(Duration),
    /// It answered, later than its limit.
    Lagged(Duration),
    /// It does not answer.
    Unreachable,
}

/// What happened, for the program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A call came, authenticated: accept or reject it.
    Incoming {
        /// The call.
        call: CallId,
        /// The peer whose call it is; its name was proven when the peer has a secret or key.
        peer: Arc<str>,
        /// From where.
        address: SocketAddr,
        /// What it asks for.
        request: Request,
    },
    /// Our call was accepted in this format.
    Accepted {
        /// The call.
        call: CallId,
        /// The format.
        format: Format,
    },
    /// The call proceeds.
    Proceeding(CallId),
    /// The other end rings.
    Ringing(CallId),
    /// Voice comes before an answer.
    Progress(CallId),
    /// The call was answered.
    Answered(CallId),
    /// The other end is busy.
    Busy(CallId),
    /// The other end is congested.
    Congestion(CallId),
    /// We are held; the data is a class of music, when one was named.
    Hold {
        /// The call.
        call: CallId,
        /// Class of music.
        class: Bytes,
    },
    /// We are no longer held.
    Unhold(CallId),
    /// A flash of the hook.
    Flash(CallId),
    /// Another control frame.
    Control {
        /// The call.
        call: CallId,
        /// Which.
        control: Control,
        /// Its data.
        data: Bytes,
    },
    /// The peer wants no media (QUELCH); commands that send some fail until it is over.
    Quelch {
        /// The call.
        call: CallId,
        /// MUSICONHOLD, when it was there: the class or nothing.
        music: Option<Bytes>,
    },
    /// The peer wants media again.
    Unquelch(CallId),
    /// Voice.
    Voice {
        /// The call.
        call: CallId,
        /// Its format.
        format: Format,
        /// Whole timestamp of the sender, in milliseconds.
        timestamp: u32,
        /// The voice.
        payload: Bytes,
    },
    /// Video.
    Video {
        /// The call.
        call: CallId,
        /// Its format.
        format: Format,
        /// Whole timestamp of the sender, in milliseconds.
        timestamp: u32,
        /// The last packet of a picture.
        mark: bool,
        /// The video.
        payload: Bytes,
    },
    /// A digit.
    Dtmf {
        /// The call.
        call: CallId,
        /// `0` to `9`, `A` to `D`, `*` or `#`.
        digit: char,
        /// Whether it begins or ends.
        phase: DtmfPhase,
    },
    /// A text, without the NUL that ends it on the wire.
    Text {
        /// The call.
        call: CallId,
        /// UTF-8, if the peer keeps the rule.
        text: Bytes,
    },
    /// HTML, passed through.
    Html {
        /// The call.
        call: CallId,
        /// What kind.
        html: Html,
        /// Its data.
        data: Bytes,
    },
    /// An image.
    Image {
        /// The call.
        call: CallId,
        /// Its format.
        format: Option<Format>,
        /// Its data.
        data: Bytes,
    },
    /// Play comfort noise at this level in -dBov.
    ComfortNoise {
        /// The call.
        call: CallId,
        /// The level.
        level: u8,
    },
    /// The peer asks what the dialplan says of a number (DPREQ): answer it.
    DialplanQuery {
        /// The call.
        call: CallId,
        /// The number.
        number: Bytes,
    },
    /// What the peer's dialplan says (DPREP).
    Dialplan {
        /// The call.
        call: CallId,
        /// The number.
        number: Bytes,
        /// What of it.
        status: DialplanStatus,
        /// How long that is true.
        refresh: Duration,
    },
    /// The peer dials a number on a call that is there (DIAL).
    Dial {
        /// The call.
        call: CallId,
        /// The number.
        number: Bytes,
        /// The context.
        context: Option<Bytes>,
    },
    /// The peer wants us to start the call again elsewhere (TRANSFER); it hangs up next.
    Transfer {
        /// The call.
        call: CallId,
        /// The number.
        number: Bytes,
        /// The context.
        context: Option<Bytes>,
    },
    /// The call goes on with another peer (TXREL).
    Moved {
        /// The call.
        call: CallId,
        /// Where the other side is now.
        address: SocketAddr,
    },
    /// The call's mini frames go to another peer, its full frames where they went (TXMEDIA).
    MediaMoved {
        /// The call.
        call: CallId,
        /// Where the voice goes.
        address: SocketAddr,
    },
    /// A transfer that we began failed (TXREJ): both calls are as they were.
    TransferFailed(CallId),
    /// Messages are waiting (MWI, or in a REGACK).
    Messages {
        /// The name of the peer whose registrar said so, or of the call's peer.
        peer: Arc<str>,
        /// How many.
        count: MessageCount,
    },
    /// The peer does not know a command that we sent.
    Unsupported {
        /// The call.
        call: CallId,
        /// The command.
        command: Command,
    },
    /// The round trip that a ping or lag request showed.
    RoundTrip {
        /// The call.
        call: CallId,
        /// The time.
        time: Duration,
    },
    /// What the peer reports of what it received (RFC 5456 §6.7.3).
    Report {
        /// The call.
        call: CallId,
        /// Jitter, loss and counts.
        report: crate::Report,
    },
    /// The call is over. Its id means nothing from now on.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: Ended,
    },
    /// We are registered.
    Registered {
        /// The registration.
        registration: RegistrationId,
        /// Until it has to be repeated, which happens by itself.
        refresh: Duration,
        /// How the registrar sees our address.
        apparent: Option<SocketAddr>,
    },
    /// We are not registered; it is tried again by itself.
    RegistrationFailed {
        /// The registration.
        registration: RegistrationId,
        /// Why.
        reason: RegistrationFailure,
    },
    /// The registration was given up as asked.
    Released(RegistrationId),
    /// A peer registered here.
    Bound {
        /// Its name.
        peer: Arc<str>,
        /// Where it is.
        address: SocketAddr,
        /// For how long.
        refresh: Duration,
    },
    /// A peer's registration here ended: it was released, or ran out.
    Unbound {
        /// Its name.
        peer: Arc<str>,
    },
    /// A watched peer is reached otherwise than before.
    Reachability {
        /// Its name.
        peer: Arc<str>,
        /// How.
        state: Reachability,
    },
}
