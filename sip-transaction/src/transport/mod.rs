//! The transport layer (RFC 3261 §18): where messages come from and go to, connections, Via.

pub(crate) mod connection;
mod destination;
mod flow;
mod listener;
pub(crate) mod via;

pub use destination::Destination;
pub(crate) use destination::Way;
pub use flow::{ConnectionId, Flow, Source, Target};
pub use listener::{ListenerConfig, ListenerId};

/// How SIP messages travel (RFC 3261 §18, RFC 7118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams, one message in each.
    Udp,
    /// A TCP connection.
    Tcp,
    /// TLS over a TCP connection.
    Tls,
    /// A WebSocket, one message in each of its messages.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Transport {
    /// Whether messages arrive once and in order, so that transactions need not retransmit.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the transport is encrypted.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether messages travel as messages of a WebSocket.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The port that is meant when none is named (RFC 3261 §19.1.2, RFC 7118 §8).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// The token in a Via, such as `UDP` (RFC 3261 §20.42).
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The transport that a token names, in any case: a Via's transport or a URI's `transport` parameter.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|transport| transport.token().as_bytes().eq_ignore_ascii_case(token))
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.token())
    }
}
