//! Two endpoints on a network that the fuzzer, or a seed, controls: what each target lets happen is its own.
#![allow(dead_code, unreachable_pub, missing_debug_implementations, reason = "shared by targets and tests")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use iax2::element::{Cause, DialplanStatus, MessageCount};
use iax2::frame::Control;
use iax2::{
    CallId, Config, Credentials, DtmfPhase, Encryption, Endpoint, Event, Format, Input, NewCall, Output, PeerConfig,
    RegistrationId, TrunkMode,
};

#[derive(Debug, Arbitrary)]
pub enum Step {
    Dial(bool),
    Register(bool),
    Unregister(bool),
    Accept(u8),
    Answer(u8),
    Ring(u8),
    HangUp(u8, u8),
    Voice(u8, u8),
    VoiceAt(u8, u32),
    Video(u8, u32),
    Dtmf(u8),
    Text(u8),
    Control(u8, u8),
    Quelch(u8, bool),
    Query(u8),
    Reply(u8),
    Transfer(u8),
    Messages(u8),
    Ping(u8, bool),
    Bridge(u8, u8),
    Optimize(u8, bool),
    Rejoin(u8),
    Deliver(u8),
    Twice(u8),
    Lose(u8),
    Spoil(u8, u8, u8),
    Raw(bool, Vec<u8>),
    Wait(u16),
}

pub struct World {
    now: Instant,
    at: [SocketAddr; 2],
    ends: [Endpoint; 2],
    flying: Vec<(usize, Vec<u8>)>,
    calls: Vec<(usize, CallId)>,
    registrations: Vec<(usize, RegistrationId)>,
    open: i64,
}

impl World {
    pub fn new(kind: u8) -> Self {
        #[allow(clippy::disallowed_methods, reason = "a virtual clock begins somewhere")]
        let now = Instant::now();
        let at: [SocketAddr; 2] = ["192.0.2.1:4569".parse().unwrap(), "192.0.2.2:4569".parse().unwrap()];
        let ends = [0usize, 1].map(|n| {
            let mut endpoint = Endpoint::new(now, Config::default(), [n as u8; 32]);
            let mut peer = PeerConfig::new("out").at(at[1 - n]);
            peer.credentials = Credentials::new("in", "1234");
            let mut user = PeerConfig::new("in").with_secret("1234").dynamic();
            for peer in [&mut peer, &mut user] {
                peer.encryption = if kind & 1 != 0 { Encryption::Offered } else { Encryption::Off };
                peer.trunk = (kind & 2 != 0).then_some(TrunkMode { timestamps: kind & 4 != 0 });
                peer.may_transfer = true;
            }
            peer.may_call = false;
            endpoint.add_peer(now, peer).unwrap();
            endpoint.add_peer(now, user).unwrap();
            endpoint
        });
        Self { now, at, ends, flying: Vec::new(), calls: Vec::new(), registrations: Vec::new(), open: 0 }
    }

    fn drain(&mut self) {
        for side in [0, 1] {
            while let Some(output) = self.ends[side].poll_output() {
                match output {
                    Output::Datagram { destination, payload } => {
                        if let Some(to) = self.at.iter().position(|at| *at == destination)
                            && self.flying.len() < 500
                        {
                            self.flying.push((to, payload.to_vec()));
                        }
                    }
                    Output::Event(Event::Incoming { call, .. }) => {
                        self.open += 1;
                        self.calls.push((side, call));
                    }
                    Output::Event(Event::Ended { call, .. }) => {
                        self.open -= 1;
                        self.calls.retain(|known| *known != (side, call));
                    }
                    Output::Event(_) => {}
                }
            }
        }
        assert_eq!(self.open, self.calls.len() as i64, "every call that was told of is told ended once");
    }

    fn deliver(&mut self, to: usize, bytes: Vec<u8>) {
        let source = self.at[1 - to];
        self.ends[to].handle_input(self.now, Input::Datagram { source, payload: bytes.into() });
    }

    pub fn step(&mut self, step: Step) {
        let now = self.now;
        let pick = |list: &[(usize, CallId)], n: u8| list.get(usize::from(n) % list.len().max(1)).copied();
        let calls = self.calls.clone();
        let call = |n: u8| pick(&calls, n);
        let voice = [7u8; 160];
        match step {
            Step::Dial(side) => {
                if let Ok(call) = self.ends[usize::from(side)].dial(now, "out", &NewCall::to("1")) {
                    self.open += 1;
                    self.calls.push((usize::from(side), call));
                }
            }
            Step::Register(side) => {
                if self.registrations.len() < 4 {
                    let side = usize::from(side);
                    let id = self.ends[side].register(now, "out", Duration::from_secs(60)).unwrap();
                    self.registrations.push((side, id));
                }
            }
            Step::Unregister(side) => {
                if let Some(n) = self.registrations.iter().position(|(s, _)| *s == usize::from(side)) {
                    let (side, id) = self.registrations.remove(n);
                    self.ends[side].unregister(now, id);
                }
            }
            Step::Deliver(n) | Step::Twice(n) | Step::Lose(n) if !self.flying.is_empty() => {
                let index = usize::from(n) % self.flying.len();
                let (to, bytes) = match step {
                    Step::Twice(_) => self.flying[index].clone(),
                    _ => self.flying.remove(index),
                };
                if !matches!(step, Step::Lose(_)) {
                    self.deliver(to, bytes);
                }
            }
            Step::Spoil(n, at, with) if !self.flying.is_empty() => {
                let index = usize::from(n) % self.flying.len();
                let (to, mut bytes) = self.flying.remove(index);
                if !bytes.is_empty() {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= with;
                }
                self.deliver(to, bytes);
            }
            Step::Raw(to, bytes) => self.deliver(usize::from(to), bytes),
            Step::Wait(ms) => {
                self.now += Duration::from_millis(u64::from(ms));
                for end in &mut self.ends {
                    end.handle_timeout(self.now);
                }
            }
            Step::Bridge(a, b) => {
                if let (Some((side, a)), Some((other, b))) = (call(a), call(b))
                    && side == other
                {
                    let _done = self.ends[side].bridge(now, a, b);
                }
            }
            step => {
                let n = match step {
                    Step::Accept(n) | Step::Answer(n) | Step::Ring(n) | Step::HangUp(n, _) | Step::Voice(n, _) => n,
                    Step::VoiceAt(n, _) | Step::Video(n, _) | Step::Dtmf(n) | Step::Text(n) | Step::Control(n, _) => n,
                    Step::Quelch(n, _) | Step::Query(n) | Step::Reply(n) | Step::Transfer(n) | Step::Messages(n) => n,
                    Step::Ping(n, _) | Step::Optimize(n, _) | Step::Rejoin(n) => n,
                    _ => return,
                };
                let Some((side, id)) = call(n) else { return };
                let end = &mut self.ends[side];
                let _result = match step {
                    Step::Accept(_) => end.accept(now, id, None),
                    Step::Answer(_) => end.answer(now, id),
                    Step::Ring(_) => end.ring(now, id),
                    Step::HangUp(_, cause) => end.hang_up(now, id, Cause(cause), None),
                    Step::Voice(_, len) => end.send_voice(now, id, &voice[..usize::from(len) % 160]),
                    Step::VoiceAt(_, at) => end.send_voice_at(now, id, Format::ULAW, at, &voice),
                    Step::Video(_, at) => end.send_video(now, id, Format::H264, at, at.is_multiple_of(2), &voice),
                    Step::Dtmf(_) => end.send_dtmf(now, id, '5', DtmfPhase::End),
                    Step::Text(_) => end.send_text(now, id, "text"),
                    Step::Control(_, control) => end.control(now, id, Control::from_byte(control), &[]),
                    Step::Quelch(_, on) => end.quelch(now, id, on, None),
                    Step::Query(_) => end.query_dialplan(now, id, "6"),
                    Step::Reply(_) => {
                        end.answer_dialplan(now, id, b"6", DialplanStatus::EXISTS, Duration::from_secs(9))
                    }
                    Step::Transfer(_) => end.transfer(now, id, "6", None),
                    Step::Messages(_) => end.send_messages(now, id, MessageCount::SOME),
                    Step::Ping(_, lag) => end.ping(now, id, lag),
                    Step::Optimize(_, media) => end.optimize(now, id, media),
                    Step::Rejoin(_) => end.rejoin(now, id),
                    _ => Ok(()),
                };
            }
        }
        self.drain();
    }

    /// Everything ends: calls are hung up, the network falls silent, and after a while no table holds anything.
    pub fn end(mut self) {
        for (side, id) in std::mem::take(&mut self.registrations) {
            self.ends[side].unregister(self.now, id);
        }
        for (side, call) in self.calls.clone() {
            let _over = self.ends[side].hang_up(self.now, call, Cause::NORMAL, None);
        }
        self.drain();
        self.flying.clear();
        for _ in 0..40 {
            self.now += Duration::from_secs(5);
            for end in &mut self.ends {
                end.handle_timeout(self.now);
            }
            self.drain();
            self.flying.clear();
        }
        assert_eq!(self.open, 0);
        for end in &self.ends {
            let s = end.snapshot();
            let sizes = (s.calls, s.exchanges, s.unvalidated, s.lingering, s.indexed, s.addresses, s.trunks);
            assert_eq!(sizes, (0, 0, 0, 0, 0, 0, 0), "{s:?}");
        }
    }
}

pub fn run(data: &[u8], fits: impl Fn(&Step) -> bool) {
    let mut data = Unstructured::new(data);
    let Ok(kind) = data.arbitrary() else { return };
    let mut world = World::new(kind);
    while !data.is_empty() {
        let Ok(step) = data.arbitrary::<Step>() else { break };
        if fits(&step) {
            world.step(step);
        }
    }
    world.end();
}
