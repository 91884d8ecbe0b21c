//! What we can do, as plain data: the second argument of an answer.

use core::net::IpAddr;

use bytes::Bytes;

use super::{Attribute, Codec, Connection, Direction, Origin};

/// What one side of a call can do and where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The `o=` of our descriptions. The caller increments its version with each changed description of a call.
    pub origin: Origin,
    /// The `s=` of our descriptions.
    pub name: Bytes,
    /// The `c=` of our descriptions.
    pub connection: Connection,
    /// Whose order of codecs decides.
    pub preference: Preference,
    /// The streams that we can open. Each serves at most one stream of an offer; what is left over is rejected.
    pub streams: Vec<Stream>,
}

/// Whose order of codecs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preference {
    /// The offer's, as RFC 3264 §6.1 recommends.
    #[default]
    Offer,
    /// Ours.
    Own,
}

/// One stream that we can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The index of the only stream of the offer that this one may serve, so that a port stays with its stream through
    /// later offers. `None`: the first that fits.
    pub index: Option<usize>,
    /// `audio`, `video` and so on.
    pub kind: Bytes,
    /// The transports that we speak; the first is used in offers.
    pub protos: Vec<Bytes>,
    /// The port where we receive.
    pub port: u16,
    /// The `c=` of this stream, when it is another host than [`Capabilities::connection`].
    pub connection: Option<Connection>,
    /// The codecs in our order of preference.
    pub codecs: Vec<Codec>,
    /// Whether only the best codec is answered, so that the other side cannot change it without a new offer.
    pub single_codec: bool,
    /// The events of RFC 4733 that we take, such as `0-16`, at the clock rate of whichever codec is chosen. Empty: not
    /// said. `None`: no events.
    pub telephone_event: Option<Bytes>,
    /// Whether answers use the payload types of our codecs instead of the offer's (allowed by RFC 3264 §6.1).
    pub own_payloads: bool,
    /// What we want to do. The offer can only narrow it.
    pub direction: Direction,
    /// The milliseconds of audio in a packet that we want to receive. `None`: what the offer says, if anything.
    pub ptime: Option<u32>,
    /// Attributes to add.
    pub attributes: Vec<Attribute>,
}

impl Capabilities {
    /// Capabilities without streams, at the origin's address.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            connection: origin.connection.clone(),
            origin,
            name: Bytes::from_static(b"-"),
            preference: Preference::Offer,
            streams: Vec::new(),
        }
    }

    /// With another address for media.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.connection = address.into();
        self
    }

    /// With a stream.
    #[must_use]
    pub fn with_stream(mut self, stream: Stream) -> Self {
        self.streams.push(stream);
        self
    }
}

impl Stream {
    /// A stream of RTP/AVP without codecs.
    #[must_use]
    pub fn new(kind: impl Into<Bytes>, port: u16) -> Self {
        Self {
            index: None,
            kind: kind.into(),
            protos: vec![Bytes::from_static(b"RTP/AVP")],
            port,
            connection: None,
            codecs: Vec::new(),
            single_codec: false,
            telephone_event: None,
            own_payloads: false,
            direction: Direction::SendRecv,
            ptime: None,
            attributes: Vec::new(),
        }
    }

    /// An audio stream of RTP/AVP without codecs.
    #[must_use]
    pub fn audio(port: u16) -> Self {
        Self::new(Bytes::from_static(b"audio"), port)
    }

    /// With a codec, less preferred than those before.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        self.codecs.push(codec);
        self
    }

    /// With events of RFC 4733.
    #[must_use]
    pub fn with_telephone_event(mut self, events: impl Into<Bytes>) -> Self {
        self.telephone_event = Some(events.into());
        self
    }

    /// With a narrower direction.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// With a packet time.
    #[must_use]
    pub fn with_ptime(mut self, milliseconds: u32) -> Self {
        self.ptime = Some(milliseconds);
        self
    }

    /// Only for this stream of an offer.
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }
}
