//! An endpoint that is fed and answered.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Response, StatusCode};
use sip_transaction::{Config, Endpoint, Event, Input, ListenerConfig, ListenerId, Output, Snapshot, Transport};

/// What comes and how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// OPTIONS, 200.
    Options,
    /// The same, of a phone that asks for its port by `rport` and calls itself otherwise than the network does.
    OptionsBehindNat,
    /// INVITE, 180, 486, ACK.
    Rejected,
    /// INVITE, 180, 200; the ACK is the user's.
    Accepted,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Options, Self::OptionsBehindNat, Self::Rejected, Self::Accepted];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Options => "OPTIONS, 200",
            Self::OptionsBehindNat => "OPTIONS with rport from behind a NAT, 200",
            Self::Rejected => "INVITE, 180, 486, ACK",
            Self::Accepted => "INVITE, 180, 200, ACK",
        }
    }

    /// The messages of one transaction, as a phone writes them.
    pub fn messages(self, number: u64) -> Vec<Bytes> {
        let invite = [("INVITE", ""), ("ACK", "")];
        let steps: &[(&str, &str)] = match self {
            Self::Options | Self::OptionsBehindNat => &[("OPTIONS", "")],
            Self::Rejected => &invite,
            Self::Accepted => &[("INVITE", ""), ("ACK", "a")],
        };
        let via = match self {
            Self::OptionsBehindNat => "10.1.2.3:5060;rport",
            _ => "192.0.2.1:5060",
        };
        let write = |(method, suffix): &(&str, &str)| {
            Bytes::from(format!(
                "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{number:016x}{suffix}\r\n\
                 Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@192.0.2.1>;tag=a{number}\r\nTo: <sip:bob@192.0.2.2>\r\n\
                 Call-ID: call-{number}@192.0.2.1\r\nCSeq: 1 {method}\r\nContact: <sip:alice@192.0.2.1:5060>\r\n\
                 User-Agent: benchmark\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Length: 0\r\n\r\n"
            ))
        };
        steps.iter().map(write).collect()
    }

    /// How its request is answered.
    pub const fn statuses(self) -> &'static [StatusCode] {
        match self {
            Self::Options | Self::OptionsBehindNat => &[StatusCode::OK],
            Self::Rejected => &[StatusCode::RINGING, StatusCode::BUSY_HERE],
            Self::Accepted => &[StatusCode::RINGING, StatusCode::OK],
        }
    }
}

/// An endpoint with one socket, and the time.
pub struct Load {
    endpoint: Endpoint,
    listener: ListenerId,
    now: Instant,
    /// Datagrams that it sent.
    pub sent: u64,
    /// How long the last of them was.
    pub last: usize,
    /// Transactions that ended.
    pub ended: u64,
}

impl Load {
    /// An endpoint whose tables are empty.
    #[expect(clippy::new_without_default, clippy::disallowed_methods, reason = "it reads the clock")]
    pub fn new() -> Self {
        let most = 10_000_000;
        let config = Config { server_transactions: most, stranger_transactions: most, ..Config::default() };
        let mut endpoint = Endpoint::new(config, [1; 32]);
        let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, ([192, 0, 2, 2], 5060).into()));
        Self { endpoint, listener, now: Instant::now(), sent: 0, last: 0, ended: 0 }
    }

    /// One message comes, and is answered with these.
    pub fn feed(&mut self, payload: Bytes, statuses: &[StatusCode]) {
        let source = ([192, 0, 2, 1], 5060).into();
        self.endpoint
            .handle_input(self.now, Input::Datagram { listener: self.listener, source, payload, received: None });
        self.drain(statuses);
    }

    /// One transaction, up to where only timers are left.
    pub fn transaction(&mut self, work: Work, messages: &[Bytes]) {
        for (number, message) in messages.iter().enumerate() {
            let statuses = if number == 0 { work.statuses() } else { &[] };
            self.feed(message.clone(), statuses);
        }
    }

    /// A round: all these transactions, then time passes until every timer ran out.
    pub fn round(&mut self, work: Work, transactions: &[Vec<Bytes>]) {
        for messages in transactions {
            self.transaction(work, messages);
        }
        self.expire();
    }

    /// Time passes until every timer ran out.
    pub fn expire(&mut self) {
        self.now += Duration::from_secs(100);
        self.endpoint.handle_timeout(self.now);
        self.drain(&[]);
        assert!(self.endpoint.snapshot().is_idle(), "something is left");
    }

    /// What is in the tables.
    pub fn snapshot(&self) -> Snapshot {
        self.endpoint.snapshot()
    }

    fn drain(&mut self, statuses: &[StatusCode]) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Event(Event::Request { id, request, .. }) => {
                    for status in statuses {
                        let response = Response::to(&request, *status).to_tag(b"tag").build();
                        self.endpoint.respond(self.now, id, response).expect("a new request");
                    }
                }
                Output::Event(Event::ServerEnded { .. }) => self.ended += 1,
                Output::Datagram { payload, .. } => {
                    self.sent += 1;
                    self.last = payload.len();
                }
                _ => {}
            }
        }
    }
}
