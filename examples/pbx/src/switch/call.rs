//! One call, as the switch sees it.
//!
//! ```text
//!              sockets bound                 answered                      ended
//!   Opening ─────────────────▶ Setting up ─────────────▶ Up ─────────────────────────▶ (record written)
//!      └──────────────────────────────┴─────────── refused, cancelled ──────────────────────┘
//! ```

use std::time::Instant;

use rtp::ports::Pair;
use sip_core::{Request, StatusCode, sdp::Session};
use sip_proxy::b2bua;
use sip_transaction::{
    Source,
    agent::{Invite, SessionId},
};

use super::{Event, Switch, description::Voice};
use crate::{
    cdr::{Disposition, Record},
    config::Application,
};

/// What a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    Application(Application),
    /// To ring the phones of an account.
    Dial(String),
}

impl Purpose {
    pub(super) fn application(&self) -> &'static str {
        match self {
            Self::Application(application) => application.name(),
            Self::Dial(_) => "Dial",
        }
    }

    pub(super) fn data(&self) -> String {
        match self {
            Self::Application(_) => String::new(),
            Self::Dial(account) => format!("SIP/{account}"),
        }
    }
}

/// Who calls, as far as we vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The account, unless it is a trusted address.
    pub(super) account: Option<String>,
    pub(super) number: String,
    pub(super) name: Option<String>,
}

/// A phone that is rung.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) channel: String,
    pub(super) address: std::net::SocketAddr,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) session: SessionId,
    pub(super) bridge: Option<b2bua::CallId>,
    pub(super) purpose: Purpose,
    pub(super) caller: Caller,
    pub(super) source: Source,
    pub(super) dialled: String,
    pub(super) channel: String,
    pub(super) branches: Vec<Branch>,
    pub(super) chosen: Option<u16>,
    pub(super) started: Instant,
    pub(super) answered: Option<Instant>,
    pub(super) ringing: bool,
    pub(super) ending: bool,
    pub(super) pairs: Vec<Pair>,
    /// How often other ports were tried.
    pub(super) attempts: u8,
    /// What is needed once the sockets are bound.
    pub(super) waiting: Option<Waiting>,
    /// Our descriptions towards the caller, and towards the callee.
    pub(super) voices: [Voice; 2],
    pub(super) codec: Option<String>,
    /// An offer inside the call that is not answered yet: whose, and what it says.
    pub(super) pending: Option<(rtp::relay::Side, super::description::Heard)>,
    /// Which side holds: the caller, the callee.
    pub(super) held: [bool; 2],
    pub(super) deadline: Option<Instant>,
}

/// A call that waits for its sockets.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: Request,
    pub(super) offer: Option<Session>,
    pub(super) invites: Vec<Invite>,
}

impl Call {
    /// The phone that answered, or the first that is rung.
    pub(super) fn callee(&self) -> Option<&Branch> {
        self.branches.get(usize::from(self.chosen.unwrap_or(0)))
    }
}

impl Switch {
    /// Asks for the sockets of a call.
    pub(super) fn open_media(&mut self, now: Instant, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (plan, count) = match &call.purpose {
            Purpose::Application(Application::Echo) => (crate::media::Plan::Echo, 1),
            Purpose::Application(Application::Milliwatt) => (crate::media::Plan::Tone, 1),
            Purpose::Dial(_) => (crate::media::Plan::Relay, 2),
        };
        for _ in 0..count {
            match self.ports.allocate(now) {
                Some(pair) => call.pairs.push(pair),
                None => {
                    tracing::warn!(call = id, "call refused: all media ports are in use");
                    self.refuse_call(now, id, StatusCode::SERVICE_UNAVAILABLE, "no_media_port");
                    return;
                }
            }
        }
        let pairs = call.pairs.clone();
        self.tell(Event::Open { call: id, plan, pairs });
    }

    pub(super) fn on_media_ready(&mut self, now: Instant, id: u64) {
        let Some(waiting) = self.calls.get_mut(&id).and_then(|call| call.waiting.take()) else { return };
        let Some(call) = self.calls.get(&id) else { return };
        match &call.purpose {
            Purpose::Application(_) => self.answer_here(now, id, waiting.offer.as_ref()),
            Purpose::Dial(_) => self.connect(now, id, waiting),
        }
    }

    pub(super) fn on_media_failed(&mut self, now: Instant, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.attempts += 1;
        // Another PBX on this machine may have half of the range.
        let again = call.attempts < 32;
        for pair in call.pairs.drain(..) {
            self.ports.release(now, pair);
        }
        if again {
            self.open_media(now, id);
        } else {
            tracing::warn!(call = id, "call refused: no media ports could be bound");
            self.refuse_call(now, id, StatusCode::SERVICE_UNAVAILABLE, "no_media_port");
        }
    }

    /// Refuses a call that has its entry already; its record follows.
    pub(super) fn refuse_call(&mut self, now: Instant, id: u64, status: StatusCode, reason: &'static str) {
        let Some(session) = self.calls.get(&id).map(|call| call.session) else { return };
        self.refuse(now, session, status, reason, &[]);
        self.finish(now, id, Disposition::Failed);
    }

    /// Hangs a call up, from here; its end is told by the machine that has it.
    pub(super) fn end(&mut self, now: Instant, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.ending = true;
        let (bridge, session) = (call.bridge, call.session);
        // Both may have ended meanwhile: their end is then on the way.
        match bridge {
            Some(bridge) => {
                let _ = self.b2bua.hangup(now, &mut self.agent, bridge);
            }
            None => {
                let _ = self.agent.hangup(now, session, &[]);
            }
        }
    }

    /// The call is answered.
    pub(super) fn mark_answered(&mut self, now: Instant, id: u64) {
        let longest = self.config.calls.max_time;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.answered.is_some() {
            return;
        }
        call.answered = Some(now);
        if let Some(at) = now.checked_add(longest) {
            call.deadline = Some(at);
            self.deadlines.insert((at, id));
        }
        let (from, to) = (&call.caller.number, &call.dialled);
        tracing::debug!(call = id, %from, %to, "call answered");
        self.tell(Event::Changed);
    }

    /// The call is over: gives back what it has and writes its record.
    pub(super) fn finish(&mut self, now: Instant, id: u64, otherwise: Disposition) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.sessions.remove(&call.session);
        if let Some(bridge) = call.bridge {
            self.bridges.remove(&bridge);
        }
        if let Some(at) = call.deadline {
            self.deadlines.remove(&(at, id));
        }
        for pair in &call.pairs {
            self.ports.release(now, *pair);
        }
        if call.pairs.is_empty() {
            // Nothing was opened.
        } else {
            self.tell(Event::Close { call: id });
        }
        let disposition = if call.answered.is_some() { Disposition::Answered } else { otherwise };
        *self.ended.entry(disposition.as_str()).or_default() += 1;
        let record = self.record(now, &call, disposition);
        tracing::info!(
            call = id,
            from = %record.src,
            to = %record.dst,
            disposition = disposition.as_str(),
            seconds = record.duration.as_secs(),
            talked = record.billsec.as_secs(),
            "call ended"
        );
        self.tell(Event::Record(Box::new(record)));
        self.tell(Event::Changed);
    }

    fn record(&self, now: Instant, call: &Call, disposition: Disposition) -> Record {
        let start = self.wall(call.started);
        let seconds = start.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let dstchannel = match call.purpose {
            Purpose::Dial(_) => call.callee().map(|branch| branch.channel.clone()).unwrap_or_default(),
            Purpose::Application(_) => String::new(),
        };
        Record {
            accountcode: call.caller.account.clone().unwrap_or_default(),
            src: call.caller.number.clone(),
            dst: call.dialled.clone(),
            dcontext: "default".to_owned(),
            clid: match &call.caller.name {
                Some(name) => format!("\"{name}\" <{}>", call.caller.number),
                None => call.caller.number.clone(),
            },
            channel: call.channel.clone(),
            dstchannel,
            lastapp: call.purpose.application().to_owned(),
            lastdata: call.purpose.data(),
            start,
            answer: call.answered.map(|at| self.wall(at)),
            end: self.wall(now),
            duration: now.saturating_duration_since(call.started),
            billsec: call.answered.map_or_else(Default::default, |at| now.saturating_duration_since(at)),
            disposition,
            uniqueid: format!("{seconds}.{}", call.id),
            userfield: String::new(),
        }
    }

    /// Asterisk's name of a new side of a call.
    pub(super) fn channel(&mut self, name: &str) -> String {
        self.next_channel = self.next_channel.wrapping_add(1);
        format!("SIP/{name}-{:08x}", self.next_channel)
    }
}

/// How a call that was not answered counts, by what its caller was told.
pub(super) fn disposition(status: StatusCode) -> Disposition {
    match status.as_u16() {
        486 | 600 | 603 => Disposition::Busy,
        408 | 480 | 487 => Disposition::NoAnswer,
        _ => Disposition::Failed,
    }
}

/// Bytes of a user part or display name as text, without what could break a line.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| !character.is_control()).take(80).collect()
}
