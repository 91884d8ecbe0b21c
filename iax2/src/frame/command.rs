//! Commands of IAX frames (RFC 5456 §8.4).

/// Commands of IAX frames (RFC 5456 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Initiate a call.
    New,
    /// Ping of a call.
    Ping,
    /// Answer to a ping or poke.
    Pong,
    /// Explicit acknowledgement.
    Ack,
    /// Tear a call down.
    Hangup,
    /// Reject a call.
    Reject,
    /// Accept a call.
    Accept,
    /// Challenge.
    AuthReq,
    /// Answer to a challenge.
    AuthRep,
    /// The message or its call is not valid.
    Inval,
    /// Lag request.
    LagRq,
    /// Lag reply.
    LagRp,
    /// Registration request.
    RegReq,
    /// Challenge to a registration.
    RegAuth,
    /// Registration accepted.
    RegAck,
    /// Registration refused.
    RegRej,
    /// Registration release.
    RegRel,
    /// Retransmit what is missing.
    Vnak,
    /// Dialplan request.
    DpReq,
    /// Dialplan reply.
    DpRep,
    /// Dial a number on a call that is there.
    Dial,
    /// Transfer request.
    TxReq,
    /// Transfer connectivity check.
    TxCnt,
    /// Answer to a connectivity check.
    TxAcc,
    /// Ready to be transferred.
    TxReady,
    /// Transferred, release.
    TxRel,
    /// Transfer failed.
    TxRej,
    /// Stop sending media.
    Quelch,
    /// Send media again.
    Unquelch,
    /// Is anybody there.
    Poke,
    /// Page (reserved in RFC 5457; Asterisk's number).
    Page,
    /// Messages are waiting.
    Mwi,
    /// Command not supported.
    Unsupport,
    /// Start the call again elsewhere.
    Transfer,
    /// Provisioning (Asterisk).
    Provision,
    /// Firmware download (Asterisk).
    FwDownl,
    /// Firmware data (Asterisk).
    FwData,
    /// Transferred, media only (RFC 5456 §6.5.6).
    TxMedia,
    /// Rotate the sender's key (Asterisk).
    RtKey,
    /// Call token (Asterisk).
    CallToken,
    /// Any other value.
    Other(u8),
}

impl Command {
    /// The value of a subclass byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::New,
            0x02 => Self::Ping,
            0x03 => Self::Pong,
            0x04 => Self::Ack,
            0x05 => Self::Hangup,
            0x06 => Self::Reject,
            0x07 => Self::Accept,
            0x08 => Self::AuthReq,
            0x09 => Self::AuthRep,
            0x0a => Self::Inval,
            0x0b => Self::LagRq,
            0x0c => Self::LagRp,
            0x0d => Self::RegReq,
            0x0e => Self::RegAuth,
            0x0f => Self::RegAck,
            0x10 => Self::RegRej,
            0x11 => Self::RegRel,
            0x12 => Self::Vnak,
            0x13 => Self::DpReq,
            0x14 => Self::DpRep,
            0x15 => Self::Dial,
            0x16 => Self::TxReq,
            0x17 => Self::TxCnt,
            0x18 => Self::TxAcc,
            0x19 => Self::TxReady,
            0x1a => Self::TxRel,
            0x1b => Self::TxRej,
            0x1c => Self::Quelch,
            0x1d => Self::Unquelch,
            0x1e => Self::Poke,
            0x1f => Self::Page,
            0x20 => Self::Mwi,
            0x21 => Self::Unsupport,
            0x22 => Self::Transfer,
            0x23 => Self::Provision,
            0x24 => Self::FwDownl,
            0x25 => Self::FwData,
            0x26 => Self::TxMedia,
            0x27 => Self::RtKey,
            0x28 => Self::CallToken,
            other => Self::Other(other),
        }
    }

    /// The subclass byte.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::New => 0x01,
            Self::Ping => 0x02,
            Self::Pong => 0x03,
            Self::Ack => 0x04,
            Self::Hangup => 0x05,
            Self::Reject => 0x06,
            Self::Accept => 0x07,
            Self::AuthReq => 0x08,
            Self::AuthRep => 0x09,
            Self::Inval => 0x0a,
            Self::LagRq => 0x0b,
            Self::LagRp => 0x0c,
            Self::RegReq => 0x0d,
            Self::RegAuth => 0x0e,
            Self::RegAck => 0x0f,
            Self::RegRej => 0x10,
            Self::RegRel => 0x11,
            Self::Vnak => 0x12,
            Self::DpReq => 0x13,
            Self::DpRep => 0x14,
            Self::Dial => 0x15,
            Self::TxReq => 0x16,
            Self::TxCnt => 0x17,
            Self::TxAcc => 0x18,
            Self::TxReady => 0x19,
            Self::TxRel => 0x1a,
            Self::TxRej => 0x1b,
            Self::Quelch => 0x1c,
            Self::Unquelch => 0x1d,
            Self::Poke => 0x1e,
            Self::Page => 0x1f,
            Self::Mwi => 0x20,
            Self::Unsupport => 0x21,
            Self::Transfer => 0x22,
            Self::Provision => 0x23,
            Self::FwDownl => 0x24,
            Self::FwData => 0x25,
            Self::TxMedia => 0x26,
            Self::RtKey => 0x27,
            Self::CallToken => 0x28,
            Self::Other(other) => other,
        }
    }

    /// Whether a frame of this command takes a sequence number (RFC 5456 §7).
    pub const fn is_sequenced(self) -> bool {
        !matches!(self, Self::Ack | Self::Inval | Self::Vnak | Self::TxCnt | Self::TxAcc)
    }
}
