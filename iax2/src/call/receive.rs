//! Full frames of a call: what each means (RFC 5456 §6.2 to §6.10).

use std::time::Duration;

use bytes::Bytes;

use super::{Call, Refusal, Signal};
use crate::auth::{Verdict, digest};
use crate::config::Encryption;
use crate::element::{AuthMethods, Element, Elements, ElementsBuf, EncryptionMethods, id};
use crate::event::{DtmfPhase, Event, format};
use crate::flow::Step;
use crate::frame::{Command, Control, Full, FullHeader, Kind};
use crate::link::{Cx, is_plausible};
use crate::reliable::Arrival;

impl Call {
    /// The datagram in clear, or `None` when it does not open.
    pub(crate) fn open(&mut self, datagram: &Bytes) -> Option<Bytes> {
        if self.link.ciphers.is_some() {
            let reliable = &self.link.reliable;
            return self.link.open(datagram, 4, |plain| reliable.is_plausible(plain));
        }
        let setup = self.setup.as_ref().filter(|setup| setup.expects_encryption && self.flow.is_challenged());
        let Some(setup) = setup else { return Some(datagram.clone()) };
        // Any of the secrets may be the one; the first that makes sense of the frame is (RFC 5456 §7.4).
        let expected = self.link.reliable.expected();
        let secrets = self.profile.iter().flat_map(|profile| &profile.config.secrets);
        for secret in secrets {
            let key = digest(&setup.challenge, secret);
            match crate::crypto::Cipher::new(key).open(datagram, 4) {
                Ok(plain) if is_plausible(&plain, expected) => {
                    self.encrypt(key);
                    return Some(plain);
                }
                _ => {}
            }
        }
        None
    }

    /// A full frame for this call, in clear.
    pub(crate) fn on_full(&mut self, cx: &mut Cx<'_>, datagram: &Bytes, size: usize) {
        let Ok(full) = Full::parse(datagram) else { return };
        let header = full.header;
        if header.kind == Kind::Iax(Command::CallToken) {
            self.on_token(cx, &full);
            return;
        }
        if self.link.remote == 0 {
            self.link.remote = header.source_call;
        }
        match self.link.receive(cx, &header, size) {
            Arrival::Next | Arrival::Unsequenced => {
                let payload = datagram.slice(FullHeader::LEN..);
                self.on_content(cx, &full, payload);
            }
            Arrival::Duplicate | Arrival::Early => {}
        }
        if self.link.reliable.outstanding() == 0 {
            self.step(cx, Step::Quiet, &Elements::default());
        }
        self.link.flush(cx);
    }

    /// CALLTOKEN: the NEW goes out again with the token, and the numbers begin anew.
    fn on_token(&mut self, cx: &mut Cx<'_>, full: &Full<'_>) {
        let token = full.elements().ok().and_then(|elements| elements.data(id::CALL_TOKEN).map(Bytes::copy_from_slice));
        let Some(token) = token.filter(|token| !token.is_empty()) else { return };
        // One token a call, and only before the peer has taken the call.
        match &mut self.setup {
            Some(setup) if self.flow.is_waiting() && setup.token.is_empty() && self.link.remote == 0 => {
                setup.token = token
            }
            _ => return,
        }
        self.link.restart();
        self.step(cx, Step::Token, &Elements::default());
    }

    fn on_content(&mut self, cx: &mut Cx<'_>, full: &Full<'_>, payload: Bytes) {
        let call = self.id;
        match full.header.kind {
            Kind::Iax(command) => {
                if let Ok(elements) = full.elements() {
                    self.on_command(cx, command, &full.header, &elements);
                }
            }
            Kind::Control(Control::Answer) => self.step(cx, Step::Answer, &Elements::default()),
            Kind::Control(Control::Hangup) => self.step(cx, Step::Hangup, &Elements::default()),
            _ if !self.flow.is_linked() => {}
            Kind::Control(control) => cx.event(match control {
                Control::Ringing => Event::Ringing(call),
                Control::Proceeding => Event::Proceeding(call),
                Control::Progress => Event::Progress(call),
                Control::Busy => Event::Busy(call),
                Control::Congestion => Event::Congestion(call),
                Control::Hold => Event::Hold { call, class: without_nul(payload) },
                Control::Unhold => Event::Unhold(call),
                Control::Flash => Event::Flash(call),
                control => Event::Control { call, control, data: payload },
            }),
            Kind::Voice(subclass) => {
                if let Some(format) = subclass.format() {
                    self.on_full_voice(cx, format, full.header.timestamp, payload);
                }
            }
            Kind::Video(subclass) => {
                if let Some((format, mark)) = subclass.video_format() {
                    let timestamp = full.header.timestamp;
                    self.video_in.full(timestamp, format, self.link.elapsed(cx.now));
                    cx.event(Event::Video { call, format, timestamp, mark, payload });
                }
            }
            Kind::DtmfBegin(digit) => self.on_digit(cx, digit, DtmfPhase::Begin),
            Kind::DtmfEnd(digit) => self.on_digit(cx, digit, DtmfPhase::End),
            Kind::Text(_) => cx.event(Event::Text { call, text: without_nul(payload) }),
            Kind::Html(html) => cx.event(Event::Html { call, html, data: payload }),
            Kind::Image(subclass) => cx.event(Event::Image { call, format: subclass.format(), data: payload }),
            Kind::ComfortNoise(level) => cx.event(Event::ComfortNoise { call, level }),
            // Nobody may send null frames; modems and unknown types mean nothing here. All are acknowledged.
            Kind::Null(_) | Kind::Modem(_) | Kind::Other { .. } => {}
        }
    }

    fn on_digit(&mut self, cx: &mut Cx<'_>, digit: u8, phase: DtmfPhase) {
        if matches!(digit, b'0'..=b'9' | b'A'..=b'D' | b'*' | b'#') {
            cx.event(Event::Dtmf { call: self.id, digit: char::from(digit), phase });
        }
    }

    fn on_command(&mut self, cx: &mut Cx<'_>, command: Command, header: &FullHeader, elements: &Elements<'_>) {
        let call = self.id;
        let bytes = |id| elements.data(id).map(Bytes::copy_from_slice);
        let number = || bytes(id::CALLED_NUMBER).unwrap_or_default();
        match command {
            Command::Accept => self.on_accept(cx, elements),
            Command::AuthReq => self.on_auth_req(cx, elements),
            Command::AuthRep => self.on_auth_rep(cx, elements),
            Command::Reject => self.step(cx, Step::Reject, elements),
            Command::Hangup => self.step(cx, Step::Hangup, elements),
            Command::Inval => self.step(cx, Step::Inval, elements),
            Command::Ping => {
                let report = self.report_elements(cx);
                self.link.send_at(cx, header.timestamp, Kind::Iax(Command::Pong), report.as_bytes());
            }
            Command::LagRq => self.link.send_at(cx, header.timestamp, Kind::Iax(Command::LagRp), &[]),
            Command::Pong | Command::LagRp => {
                if let Some(time) = self.link.measure(cx.now, header.timestamp)
                    && self.flow.is_linked()
                {
                    cx.event(Event::RoundTrip { call, time });
                }
                if command == Command::Pong && !elements.as_bytes().is_empty() && self.flow.is_linked() {
                    cx.event(Event::Report { call, report: crate::Report::from_elements(elements) });
                }
            }
            Command::New | Command::Ack | Command::Vnak | Command::CallToken => {}
            _ if !self.flow.is_linked() => {}
            Command::DpReq => cx.event(Event::DialplanQuery { call, number: number() }),
            Command::DpRep => {
                let status = match elements.get(id::DIALPLAN_STATUS) {
                    Some(Element::DialplanStatus(status)) => status,
                    _ => return,
                };
                let refresh = match elements.get(id::REFRESH) {
                    Some(Element::Refresh(seconds)) => seconds,
                    _ => 600,
                };
                let refresh = Duration::from_secs(u64::from(refresh));
                cx.event(Event::Dialplan { call, number: number(), status, refresh });
            }
            Command::Dial => cx.event(Event::Dial { call, number: number(), context: bytes(id::CALLED_CONTEXT) }),
            Command::Transfer => {
                cx.event(Event::Transfer { call, number: number(), context: bytes(id::CALLED_CONTEXT) });
            }
            Command::Quelch => {
                self.quelched = true;
                cx.event(Event::Quelch { call, music: bytes(id::MUSIC_ON_HOLD) });
            }
            Command::Unquelch => {
                self.quelched = false;
                cx.event(Event::Unquelch(call));
            }
            Command::Mwi => {
                let count = match elements.get(id::MESSAGE_COUNT) {
                    Some(Element::MessageCount(count)) => count,
                    _ => crate::element::MessageCount::SOME,
                };
                cx.event(Event::Messages { peer: self.name(), count });
            }
            Command::Unsupport => {
                if let Some(Element::IaxUnknown(byte)) = elements.get(id::IAX_UNKNOWN) {
                    cx.event(Event::Unsupported { call, command: Command::from_byte(byte) });
                }
            }
            Command::RtKey => {
                if let (Some(ciphers), Some(key)) = (&mut self.link.ciphers, elements.data(id::CHALLENGE))
                    && let Ok(key) = <[u8; 16]>::try_from(key)
                {
                    ciphers.rotate_receive(key);
                }
            }
            Command::TxReq => self.on_transfer_request(cx, elements),
            Command::TxReady => self.on_transfer_ready(),
            Command::TxRel => self.on_transfer_release(cx),
            Command::TxMedia => self.on_transfer_media(cx),
            Command::TxRej => {
                if self.transfer.take().is_some_and(|transfer| transfer.is_initiator()) {
                    cx.event(Event::TransferFailed(call));
                    self.signal = Some(Signal::TransferRejected);
                }
            }
            Command::TxCnt | Command::TxAcc => {}
            // Commands of registrations and devices, and those nobody knows (RFC 5456 §6.9.5).
            unknown => {
                let list: ElementsBuf = [Element::IaxUnknown(unknown.to_byte())].into_iter().collect();
                self.link.command(cx, Command::Unsupport, &list);
            }
        }
    }

    fn on_accept(&mut self, cx: &mut Cx<'_>, elements: &Elements<'_>) {
        if !self.flow.is_waiting() {
            return;
        }
        let required = self.profile.as_ref().is_some_and(|profile| profile.config.encryption == Encryption::Required);
        let hopeless: ElementsBuf = [Element::CauseCode(crate::element::Cause::NOT_SUBSCRIBED)].into_iter().collect();
        if required && !self.is_encrypted() {
            // Accepted without a challenge, hence without a key.
            self.step(cx, Step::HopelessChallenge, &Elements::parse(hopeless.as_bytes()).unwrap_or_default());
            return;
        }
        // The format must be one that the NEW offered (RFC 5456 §6.2.3).
        match format(elements).filter(|format| self.capability.contains(*format)) {
            Some(format) => {
                self.format = Some(format);
                self.step(cx, Step::Accept, elements);
            }
            None => {
                let list: ElementsBuf =
                    [Element::Cause(Refusal::NO_CODEC.text.as_bytes()), Element::CauseCode(Refusal::NO_CODEC.cause)]
                        .into_iter()
                        .collect();
                self.step(cx, Step::FinishCommand, &Elements::parse(list.as_bytes()).unwrap_or_default());
            }
        }
    }

    fn on_auth_req(&mut self, cx: &mut Cx<'_>, elements: &Elements<'_>) {
        let (Some(profile), Some(setup)) = (self.profile.clone(), &mut self.setup) else { return };
        if !self.flow.is_waiting() || setup.answered >= 3 {
            return;
        }
        setup.answered += 1;
        let methods = match elements.get(id::AUTH_METHODS) {
            Some(Element::AuthMethods(methods)) => methods,
            _ => AuthMethods::empty(),
        };
        let challenge = elements.data(id::CHALLENGE).unwrap_or_default();
        let theirs = match elements.get(id::ENCRYPTION) {
            Some(Element::Encryption(methods)) => methods,
            _ => EncryptionMethods::empty(),
        };
        let config = &profile.config;
        let encrypts = config.encryption != Encryption::Off && theirs.contains(EncryptionMethods::AES128);
        let key =
            encrypts.then(|| config.credentials.secret.as_ref().map(|secret| digest(challenge, secret))).flatten();
        let mut list = ElementsBuf::new();
        let answered = config.credentials.answer(methods, challenge, cx.rng, |element| {
            list.push(&element);
        });
        if answered.is_none() || (config.encryption == Encryption::Required && key.is_none()) {
            let list: ElementsBuf = [Element::CauseCode(crate::element::Cause::NOT_SUBSCRIBED)].into_iter().collect();
            self.step(cx, Step::HopelessChallenge, &Elements::parse(list.as_bytes()).unwrap_or_default());
            return;
        }
        if let Some(key) = key {
            self.rotates = theirs.contains(EncryptionMethods::KEY_ROTATION);
            // Encryption begins with the AUTHREP itself.
            self.encrypt(key);
        }
        self.step(cx, Step::Challenge, &Elements::parse(list.as_bytes()).unwrap_or_default());
    }

    fn on_auth_rep(&mut self, cx: &mut Cx<'_>, elements: &Elements<'_>) {
        if !self.flow.is_challenged() {
            return;
        }
        self.deadline = None;
        let Some(setup) = &self.setup else { return };
        let nobody = crate::auth::Demand::default();
        // A decoy does the same work, against its own peer's secrets if there is one.
        let demand = self.profile.as_ref().map_or(&nobody, |profile| &profile.demand);
        let verdict = demand.verify(&setup.challenge, elements, setup.work);
        if setup.decoy || verdict == Verdict::Wrong {
            self.link.flush(cx);
            self.refuse(cx, Refusal::NO_AUTHORITY);
            return;
        }
        let request = setup.request.clone();
        if self.choose(&Elements::parse(&request).unwrap_or_default()) {
            self.step(cx, Step::Proven, elements);
        } else {
            self.refuse(cx, Refusal::NO_CODEC);
        }
    }

    fn report_elements(&self, cx: &Cx<'_>) -> ElementsBuf {
        let report = self.voice_in.report;
        let all = u64::from(report.packets) + u64::from(report.lost);
        let percent = (u64::from(report.lost) * 100).checked_div(all).unwrap_or(0);
        [
            Element::ReportJitter(report.jitter),
            Element::ReportLoss(crate::element::Loss::new(u8::try_from(percent).unwrap_or(100), report.lost)),
            Element::ReportPackets(report.packets),
            Element::ReportDelay(cx.config.reported_delay),
            Element::ReportDropped(0),
            Element::ReportOutOfOrder(report.out_of_order),
        ]
        .into_iter()
        .collect()
    }
}

/// Text without the NUL that ends it on the wire.
fn without_nul(text: Bytes) -> Bytes {
    match text.split_last() {
        Some((0, rest)) => text.slice(..rest.len()),
        _ => text,
    }
}
