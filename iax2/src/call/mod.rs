//! One call: a leg of figures 2 and 3, its media, liveness, encryption and transfer.

mod command;
mod media;
mod receive;
mod setup;
mod transfer;

pub use command::CommandError;
pub(crate) use media::Carrier;
pub use setup::NewCall;
pub(crate) use setup::Refusal;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::auth::Demand;
use crate::config::{Encryption, PeerConfig, negotiate};
use crate::crypto::{Cipher, Ciphers};
use crate::element::{AuthMethods, Cause, Element, Elements, ElementsBuf, EncryptionMethods, id};
use crate::event::{CallId, Ended, Event, Request};
use crate::flow::{Action, Actions, Flow, Step};
use crate::frame::{Command, Control, FullHeader, Kind};
use crate::link::{Cx, Link};
use crate::media::{Receiver, Sender};
use crate::{Format, Formats, Preferences};
use setup::Setup;
use transfer::Transfer;

/// A peer's configuration with what follows from it.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: Arc<str>,
    pub(crate) config: PeerConfig,
    pub(crate) demand: Demand,
}

/// What a call wants of the endpoint that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// TXREADY came: look at the other leg.
    TransferReady,
    /// TXREJ came, or the other leg is gone.
    TransferRejected,
    /// The peer is somewhere else now.
    Moved,
    /// Mini frames also come from here.
    MediaMoved,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) link: Link,
    flow: Flow,
    pub(crate) profile: Option<Arc<Profile>>,
    setup: Option<Box<Setup>>,
    /// The format agreed on; before that none.
    format: Option<Format>,
    capability: Formats,
    voice_out: Sender,
    voice_in: Receiver,
    video_out: Sender,
    video_in: Receiver,
    /// The peer wants no media.
    quelched: bool,
    /// Our voice goes by trunk.
    pub(crate) trunked: bool,
    /// The peer can have its key, ours to send with, rotated.
    rotates: bool,
    next_rotation: Option<Instant>,
    next_ping: Option<Instant>,
    next_lag: Option<Instant>,
    /// The caller has to have answered by now.
    deadline: Option<Instant>,
    last_vnak: Option<Instant>,
    transfer: Option<Box<Transfer>>,
    /// Where mini frames go when not with the full frames.
    pub(crate) media: Option<(SocketAddr, u16)>,
    /// It relays to this leg.
    pub(crate) bridged: Option<CallId>,
    pub(crate) signal: Option<Signal>,
    /// It is over; `true`: its number lingers.
    pub(crate) closed: Option<bool>,
    /// Timestamp of the NEW that began it, to tell its repetition from a new call.
    pub(crate) first: u32,
}

impl Call {
    fn new(cx: &Cx<'_>, id: CallId, link: Link, profile: Option<Arc<Profile>>) -> Self {
        Self {
            id,
            link,
            flow: Flow::new(),
            profile,
            setup: None,
            format: None,
            capability: Formats::NONE,
            voice_out: Sender::default(),
            voice_in: Receiver::default(),
            video_out: Sender::default(),
            video_in: Receiver::default(),
            quelched: false,
            trunked: false,
            rotates: false,
            next_rotation: None,
            next_ping: cx.config.ping_interval.map(|interval| cx.now + interval),
            next_lag: cx.config.lag_interval.map(|interval| cx.now + interval),
            deadline: None,
            last_vnak: None,
            transfer: None,
            media: None,
            bridged: None,
            signal: None,
            closed: None,
            first: 0,
        }
    }

    /// Calls a peer.
    pub(crate) fn outgoing(
        cx: &mut Cx<'_>,
        id: CallId,
        profile: Arc<Profile>,
        address: SocketAddr,
        new: &NewCall,
    ) -> Self {
        let link = Link::outgoing(cx.now, cx.config.schedule, id.number, address);
        let capability = new.formats.map_or(profile.config.formats, |formats| formats.and(profile.config.formats));
        let elements = new.elements(&profile.config, capability, cx.wall);
        let trunked = profile.config.trunk.is_some();
        let mut call = Self::new(cx, id, link, Some(profile));
        call.capability = capability;
        call.trunked = trunked;
        call.setup = Some(Box::new(Setup { new: elements, ..Setup::default() }));
        call.step(cx, Step::Start, &Elements::default());
        call
    }

    /// Takes a call. Without a profile, or as a decoy, it is challenged as any other and then refused.
    #[expect(clippy::too_many_arguments, reason = "all of it is known only to the endpoint")]
    pub(crate) fn incoming(
        cx: &mut Cx<'_>,
        id: CallId,
        profile: Option<Arc<Profile>>,
        decoy: bool,
        work: usize,
        address: SocketAddr,
        header: &FullHeader,
        elements: &Elements<'_>,
        size: usize,
        proven: bool,
    ) -> Self {
        let link = Link::incoming(cx.now, cx.config.schedule, id.number, address, header, size, proven);
        let mut call = Self::new(cx, id, link, profile);
        call.first = header.timestamp;
        let offered = match elements.get(id::ENCRYPTION) {
            Some(Element::Encryption(methods)) => methods,
            _ => EncryptionMethods::empty(),
        };
        let config = call.profile.as_ref().map(|profile| &profile.config);
        let policy = config.map_or(Encryption::Off, |config| config.encryption);
        let can =
            offered.contains(EncryptionMethods::AES128) && config.is_some_and(|config| !config.secrets.is_empty());
        let encrypts = can && policy != Encryption::Off;
        call.rotates = encrypts && offered.contains(EncryptionMethods::KEY_ROTATION);
        let decoy = decoy || call.profile.is_none() || (policy == Encryption::Required && !encrypts);
        call.trunked = config.is_some_and(|config| config.trunk.is_some());
        let free = call.profile.as_ref().is_some_and(|profile| profile.demand.is_free());
        call.setup = Some(Box::new(Setup {
            request: Bytes::copy_from_slice(elements.as_bytes()),
            expects_encryption: encrypts,
            decoy,
            work,
            ..Setup::default()
        }));
        if free && !decoy {
            if call.choose(elements) {
                call.step(cx, Step::Trusted, elements);
            } else {
                call.refuse(cx, Refusal::NO_CODEC);
            }
        } else {
            call.step(cx, Step::Unproven, elements);
        }
        call.link.flush(cx);
        call
    }

    /// Chooses the format of a call that came; `false` when there is none.
    fn choose(&mut self, elements: &Elements<'_>) -> bool {
        let Some(profile) = &self.profile else { return false };
        let config = &profile.config;
        let request = Request(Bytes::copy_from_slice(elements.as_bytes()));
        let letters = elements.data(id::CODEC_PREFERENCES).unwrap_or_default();
        self.capability = request.capability().and(config.formats);
        self.format = negotiate(
            config.formats,
            &config.preferences,
            config.negotiation,
            request.capability(),
            &Preferences::from_letters(letters),
            request.format(),
        );
        self.format.is_some()
    }

    fn refuse(&mut self, cx: &mut Cx<'_>, refusal: Refusal) {
        let list: ElementsBuf =
            [Element::Cause(refusal.text.as_bytes()), Element::CauseCode(refusal.cause)].into_iter().collect();
        self.step(cx, Step::Refused, &Elements::parse(list.as_bytes()).unwrap_or_default());
    }

    /// Takes a step and does what the figures say. `elements` are those of the frame that came, or of the one to send.
    fn step(&mut self, cx: &mut Cx<'_>, step: Step, elements: &Elements<'_>) {
        let actions: Actions = self.flow.on_step(step);
        for action in actions {
            self.act(cx, action, elements);
        }
    }

    fn act(&mut self, cx: &mut Cx<'_>, action: Action, elements: &Elements<'_>) {
        let call = self.id;
        match action {
            Action::SendNew => {
                if let Some(setup) = &self.setup {
                    let mut list = setup.new.clone();
                    list.push(&Element::CallToken(&setup.token));
                    self.link.command(cx, Command::New, &list);
                }
            }
            Action::SendAuthReq => self.challenge(cx, elements),
            // The element was chosen before the step.
            Action::SendAuthRep => self.send_raw(cx, Command::AuthRep, elements),
            Action::SendReject => {
                self.send_raw(cx, Command::Reject, elements);
            }
            Action::SendHangup => {
                self.send_raw(cx, Command::Hangup, elements);
            }
            Action::SendRelease => self.send_raw(cx, Command::TxRel, elements),
            Action::SendAccept => {
                let format = Formats(self.format.map_or(0, Format::bits));
                let list: ElementsBuf = [Element::Format(format), Element::Format2(format)].into_iter().collect();
                self.link.command(cx, Command::Accept, &list);
                self.setup = None;
            }
            Action::SendAnswer => {
                self.link.send(cx, Kind::Control(Control::Answer), &[]);
            }
            Action::Offer => {
                self.deadline = None;
                let request = self.setup.as_mut().map(|setup| std::mem::take(&mut setup.request)).unwrap_or_default();
                if let Some(profile) = &self.profile {
                    let peer = profile.name.clone();
                    cx.event(Event::Incoming { call, peer, address: self.link.address, request: Request(request) });
                }
            }
            Action::TellAccepted => {
                self.setup = None;
                if let Some(format) = self.format {
                    cx.event(Event::Accepted { call, format });
                }
            }
            Action::TellAnswered => cx.event(Event::Answered(call)),
            Action::TellEnded(step) => {
                let cause = match elements.get(id::CAUSE_CODE) {
                    Some(Element::CauseCode(cause)) => Some(cause),
                    _ => None,
                };
                let text = elements.data(id::CAUSE).map(Bytes::copy_from_slice);
                let reason = match step {
                    Step::Hangup => Ended::Hangup { cause, text },
                    Step::Reject => Ended::Rejected { cause, text },
                    Step::Inval => Ended::Invalid,
                    Step::HopelessChallenge => Ended::Unauthorized,
                    Step::Release => Ended::Transferred,
                    Step::FinishCommand => Ended::Local,
                    _ => Ended::Timeout,
                };
                cx.event(Event::Ended { call, reason });
                if self.transfer.take().is_some_and(|transfer| transfer.is_initiator()) && step != Step::Release {
                    self.signal = Some(Signal::TransferRejected);
                }
            }
            Action::Close(linger) => {
                self.link.reliable.abandon();
                self.closed = Some(linger);
            }
        }
    }

    fn send_raw(&mut self, cx: &mut Cx<'_>, command: Command, elements: &Elements<'_>) {
        self.link.send(cx, Kind::Iax(command), elements.as_bytes());
    }

    /// Sends AUTHREQ (RFC 5456 §6.2.7): to unknown names the same as to known ones.
    fn challenge(&mut self, cx: &mut Cx<'_>, new: &Elements<'_>) {
        self.deadline = Some(cx.now + cx.config.setup_timeout);
        let methods = match &self.profile {
            Some(profile) => profile.demand.methods(),
            None => cx.config.decoy_methods,
        };
        let Some(setup) = &mut self.setup else { return };
        setup.challenge = crate::auth::challenge(cx.rng).into_bytes();
        let name = match (&self.profile, new.data(id::USERNAME)) {
            (_, Some(name)) => name.to_vec(),
            (Some(profile), None) => profile.name.as_bytes().to_vec(),
            (None, None) => Vec::new(),
        };
        let mut list = ElementsBuf::new();
        list.push(&Element::AuthMethods(methods));
        if methods.intersects(AuthMethods::MD5 | AuthMethods::RSA) {
            list.push(&Element::Challenge(&setup.challenge));
        }
        if setup.expects_encryption {
            let rotation = if self.rotates { EncryptionMethods::KEY_ROTATION } else { EncryptionMethods::empty() };
            list.push(&Element::Encryption(EncryptionMethods::AES128 | rotation));
        }
        list.push(&Element::Username(&name));
        self.link.command(cx, Command::AuthReq, &list);
    }

    /// What happens by time: repetitions, pings, rotation, deadlines.
    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.deadline) {
            self.deadline = None;
            self.step(cx, Step::Lost, &Elements::default());
        }
        if self.link.on_timeout(cx).is_err() {
            self.step(cx, Step::Lost, &Elements::default());
        }
        let live = self.flow.is_linked() && self.link.remote != 0;
        if due(self.next_ping) {
            self.next_ping = cx.config.ping_interval.map(|interval| cx.now + interval);
            if live || (self.flow.is_waiting() && self.link.remote != 0) || self.flow.is_offered() {
                self.link.send(cx, Kind::Iax(Command::Ping), &[]);
            }
        }
        if due(self.next_lag) {
            self.next_lag = cx.config.lag_interval.map(|interval| cx.now + interval);
            if live {
                self.link.send(cx, Kind::Iax(Command::LagRq), &[]);
            }
        }
        if due(self.next_rotation) {
            self.rotate(cx);
        }
        self.on_transfer_timeout(cx);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let quiet = self.flow.is_ending() || self.flow.is_over();
        let timers = [self.next_ping, self.next_lag, self.next_rotation, self.transfer_timeout()];
        let timers = timers.into_iter().flatten().filter(|_| !quiet);
        timers.chain(self.link.poll_timeout()).chain(self.deadline).min()
    }

    /// Sends with a new key from now on (Asterisk's RTKEY).
    fn rotate(&mut self, cx: &mut Cx<'_>) {
        use rand_core::RngCore;
        self.next_rotation = cx.config.rotation.map(|interval| cx.now + interval);
        if !self.rotates || self.link.ciphers.is_none() || !self.flow.is_linked() {
            return;
        }
        let mut key = [0; 16];
        cx.rng.fill_bytes(&mut key);
        let list: ElementsBuf = [Element::Challenge(&key)].into_iter().collect();
        self.link.command(cx, Command::RtKey, &list);
        if let Some(ciphers) = &mut self.link.ciphers {
            ciphers.send = Cipher::new(key);
        }
    }

    /// Both sides know the key: everything after this is encrypted.
    fn encrypt(&mut self, key: [u8; 16]) {
        self.link.ciphers = Some(Box::new(Ciphers::new(key)));
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.link.ciphers.is_some()
    }

    pub(crate) fn format(&self) -> Option<Format> {
        self.format
    }

    /// Whether the peer sent anything, be it only a token.
    pub(crate) fn is_heard(&self) -> bool {
        self.link.remote != 0 || self.setup.as_ref().is_none_or(|setup| !setup.token.is_empty())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.flow.is_up()
    }

    pub(crate) fn report(&self) -> crate::Report {
        self.voice_in.report
    }

    fn name(&self) -> Arc<str> {
        self.profile.as_ref().map_or_else(|| Arc::from(""), |profile| profile.name.clone())
    }

    fn default_cause(cause: Option<Cause>) -> Cause {
        cause.unwrap_or(Cause::NORMAL)
    }
}
