//! The media of one call: a task that waits for packets, orders and the clock.
#![expect(clippy::disallowed_methods, reason = "this is where packets meet the clock")]

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use bytes::{Bytes, BytesMut};
use rtp::{
    Packet,
    dtmf::TelephoneEvent,
    relay::{self, Expected, Reason, Relay, Side, Verdict},
    rtcp::{SenderInfo, SenderReport, SourceDescription, ntp_from_unix},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    Codec, Event, Figures, Message, Order, Press, Sounds, Totals, Voice,
    keys::Step,
    outgoing::PACKET,
    path::Path,
    player::{Player, Progress},
    side::{Attached, Party, write},
    socket::receive,
    trunk,
};

/// Packets that are taken from one socket before the next has its turn.
const TURN: usize = 16;

/// Seconds between reports of a stream of our own (RFC 3550 §6.2).
const REPORTS: u32 = 5;

/// What joins the task to the rest of the program.
#[derive(Debug)]
pub(super) struct Edges {
    pub(super) call: u64,
    pub(super) inbox: mpsc::UnboundedReceiver<Message>,
    /// Voice of trunks: for the caller's side, for the callee's.
    pub(super) trunks: [mpsc::Receiver<trunk::Arrival>; 2],
    pub(super) publisher: watch::Sender<Figures>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) voices: Option<mpsc::Sender<Voice>>,
    pub(super) sounds: Arc<Sounds>,
    pub(super) totals: Arc<Totals>,
    pub(super) timeout: Option<Duration>,
}

/// Runs until the handle of the call is dropped.
pub(super) async fn run(ends: Vec<(Side, Attached)>, edges: Edges) {
    let now = Instant::now();
    let random = random();
    let mut task = Task {
        caller: Party::new(Side::Caller, random),
        callee: Party::new(Side::Callee, random.rotate_left(32)),
        bridged: false,
        paths: [Path::Native; 2],
        paced: false,
        relay: Relay::new(now, relay::Config::default()),
        edges,
        buffer: BytesMut::with_capacity(2048),
        random,
        // A tick that is late is made up for, so that tones do not drift.
        pace: ticks(Duration::from_millis(20), MissedTickBehavior::Burst),
        second: ticks(Duration::from_secs(1), MissedTickBehavior::Delay),
        heard: now,
        watched: false,
        told: false,
        unsent: 0,
        until_report: REPORTS,
        counted: Counted::default(),
    };
    for (side, end) in ends {
        task.attach(side, Some(end));
    }
    poll_fn(|cx| task.poll(cx)).await;
    task.publish();
}

fn ticks(period: Duration, behaviour: MissedTickBehavior) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(behaviour);
    ticks
}

fn random() -> u64 {
    // Without the system's randomness the stream is still a stream; it is only easier to guess.
    getrandom::u64().unwrap_or(0x5a5a_1234_9876_4321)
}

struct Task {
    caller: Party,
    callee: Party,
    bridged: bool,
    /// From the caller, from the callee.
    paths: [Path; 2],
    /// Whether a side hears something at our pace.
    paced: bool,
    relay: Relay,
    edges: Edges,
    buffer: BytesMut,
    random: u64,
    pace: Interval,
    second: Interval,
    heard: Instant,
    watched: bool,
    told: bool,
    unsent: u64,
    until_report: u32,
    counted: Counted,
}

/// What of this call is in the totals already.
#[derive(Default)]
struct Counted {
    received: u64,
    sent: u64,
    lost: u64,
    refused: u64,
    malformed: u64,
    unsent: u64,
}

impl Task {
    /// Ready when the call is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.edges.inbox.poll_recv(cx) {
                Poll::Ready(Some(message)) => self.obey(message),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let mut again = false;
        for side in [Side::Caller, Side::Callee] {
            match self.party(side).end {
                Some(Attached::Rtp(_)) => {
                    again |= self.drain(cx, side, false);
                    again |= self.drain(cx, side, true);
                }
                Some(Attached::Trunk) => self.drain_trunk(cx, side),
                None => {}
            }
        }
        if self.paced {
            while self.pace.poll_tick(cx).is_ready() {
                self.play(cx, Side::Caller);
                self.play(cx, Side::Callee);
            }
            self.set_pace();
        }
        while self.second.poll_tick(cx).is_ready() {
            self.tick();
        }
        if again {
            // Others have their turn before the rest is taken.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn obey(&mut self, message: Message) {
        match message {
            Message::Order(order) => self.order(order),
            Message::Attach(side, end) => self.attach(side, Some(end)),
            Message::Detach(side) => self.attach(side, None),
        }
        self.set_pace();
    }

    fn order(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Expect { side, expected, receives } => {
                self.relay.expect(now, side, expected);
                self.party_mut(side).receives = receives;
                self.heard = now;
            }
            Order::Format { side, format } => {
                self.party_mut(side).format = Some(format);
                self.set_paths();
            }
            Order::Source { side, source } => {
                let player = source.map(|source| Player::new(source, &self.edges.sounds));
                let party = self.party_mut(side);
                party.player = player;
                if party.player.as_ref().is_some_and(Player::is_echo) {
                    // An echo must not come back under the sender's own SSRC: that is a loop (RFC 3550 §8.2).
                    party.outgoing.own();
                }
                party.outgoing.end_relayed();
            }
            Order::Bridge(bridged) => {
                self.bridged = bridged;
                for side in [Side::Caller, Side::Callee] {
                    self.party_mut(side).outgoing.end_relayed();
                }
            }
            Order::Digit { side, digit, duration } => {
                let party = self.party_mut(side);
                let heard = party.leg().is_some()
                    && party.format.is_some_and(|it| it.dtmf.is_some() || matches!(it.codec, Codec::G711(_)));
                if heard {
                    // What is too much for the queue is lost, as keys are that are pressed too fast.
                    let _ = party.keys.push(digit, duration);
                }
            }
            Order::Watch(watched) => {
                self.watched = watched;
                self.heard = now;
            }
        }
    }

    fn attach(&mut self, side: Side, end: Option<Attached>) {
        let now = Instant::now();
        let party = self.party_mut(side);
        let had_one = party.leg().is_some() || party.is_trunk();
        party.attach(end);
        if had_one {
            // Until the signalling tells where the new one is, nothing goes to where the old one was. A side that has its first
            // one is not yet expected anywhere: what comes before its description is no stranger's.
            self.relay.expect(now, side, Expected::new(SocketAddr::from(([0, 0, 0, 0], 0))));
        }
        self.heard = now;
        self.set_paths();
    }

    fn set_paths(&mut self) {
        let (caller, callee) = (self.caller.format, self.callee.format);
        let trunk = self.caller.is_trunk() || self.callee.is_trunk();
        self.paths = [Path::between(caller, callee, trunk), Path::between(callee, caller, trunk)];
    }

    fn set_pace(&mut self) {
        let paced = self.caller.is_paced() || self.callee.is_paced();
        if paced && !self.paced {
            self.pace.reset_immediately();
        }
        self.paced = paced;
    }

    /// Takes what waits at a socket; tells whether more may wait.
    fn drain(&mut self, cx: &mut Context<'_>, side: Side, control: bool) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut more = true;
        for _ in 0..TURN {
            let Some(leg) = self.party(side).leg() else { break };
            let socket = if control { &leg.rtcp } else { &leg.rtp };
            let Poll::Ready(source) = receive(socket, &mut buffer, cx) else {
                more = false;
                break;
            };
            if control {
                self.on_control(side, source, &mut buffer);
            } else {
                self.on_packet(side, source, &mut buffer);
            }
        }
        self.buffer = buffer;
        more
    }

    fn on_packet(&mut self, side: Side, source: SocketAddr, packet: &mut BytesMut) {
        let now = Instant::now();
        match self.relay.forward(now, side, source, packet) {
            Verdict::Forward(destination) => self.carry(now, side, packet, Some(destination)),
            // It is the side's own, and the other side is not there, holds, or is no side of the relay.
            Verdict::Drop(Reason::Nowhere) => self.carry(now, side, packet, None),
            Verdict::Drop(_) => {}
        }
    }

    fn on_control(&mut self, side: Side, source: SocketAddr, packet: &mut BytesMut) {
        let now = Instant::now();
        let Verdict::Forward(destination) = self.relay.forward_control(now, side, source, packet) else { return };
        self.heard = now;
        let other = self.party(side.other());
        if self.bridged && other.player.is_none() && other.outgoing.is_transparent() {
            self.send(side.other(), true, destination, packet);
        }
    }

    /// Takes what a trunk brought.
    fn drain_trunk(&mut self, cx: &mut Context<'_>, side: Side) {
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            let [caller, callee] = &mut self.edges.trunks;
            let queue = if side == Side::Caller { caller } else { callee };
            let Poll::Ready(Some(arrival)) = queue.poll_recv(cx) else { break };
            let now = Instant::now();
            if self.party_mut(side).receive(now, &arrival, &mut buffer) {
                self.carry(now, side, &mut buffer, None);
            }
        }
        self.buffer = buffer;
    }

    /// Brings a packet of a side to who hears it. `destination`: where the other side's packets go, if that is known already.
    fn carry(&mut self, now: Instant, from: Side, packet: &mut BytesMut, destination: Option<SocketAddr>) {
        self.heard = now;
        let party = self.party(from);
        if let (Some(event), Some(second)) = (party.format.and_then(|it| it.dtmf), packet.get(1))
            && event == second & 0x7f
        {
            self.on_key(now, from, packet);
        }
        let party = self.party(from);
        if party.player.as_ref().is_some_and(Player::is_echo) {
            self.deliver(now, from, packet, None);
            return;
        }
        let other = self.party(from.other());
        if !self.bridged || other.end.is_none() || other.player.is_some() {
            return;
        }
        let [caller, callee] = &self.paths;
        let path = if from == Side::Caller { *caller } else { *callee };
        if path.convert(packet, other.is_trunk()) {
            self.deliver(now, from.other(), packet, destination);
        }
    }

    /// A packet of a telephone event.
    fn on_key(&mut self, now: Instant, from: Side, packet: &[u8]) {
        let Ok(packet) = Packet::parse(packet) else { return };
        let Ok(event) = TelephoneEvent::parse(packet.payload()) else { return };
        let other = self.party(from.other());
        let passed = self.bridged
            && other.player.is_none()
            && other.leg().is_some()
            && other.format.is_none_or(|format| format.dtmf.is_some())
            && *self.path(from) != Path::Closed;
        let told = self.party_mut(from).heard.receive(now, packet.timestamp(), event);
        for (digit, press) in told.into_iter().flatten() {
            self.tell_key(from, digit, press, passed);
        }
    }

    fn tell_key(&self, side: Side, digit: char, press: Press, passed: bool) {
        // A program that does not listen loses keys rather than voice.
        let _ = self.edges.events.try_send(Event::Digit { call: self.edges.call, side, digit, press, passed });
    }

    /// Gives a relayed packet to a side, in its stream.
    fn deliver(&mut self, now: Instant, to: Side, packet: &mut BytesMut, destination: Option<SocketAddr>) {
        let party = self.party_mut(to);
        // A key press takes the place of voice (RFC 4733 §2.5.1.2).
        if !party.receives || party.keys.is_busy() {
            return;
        }
        party.outgoing.pass(now, packet);
        self.emit(to, packet, destination);
    }

    /// Sends a packet that is one of the side's stream.
    fn emit(&mut self, to: Side, packet: &[u8], destination: Option<SocketAddr>) {
        if self.party(to).is_trunk() {
            self.emit_voice(to, packet);
        } else if let Some(destination) = destination.or_else(|| self.relay.destination(to)) {
            self.send(to, false, destination, packet);
        }
    }

    fn emit_voice(&mut self, to: Side, packet: &[u8]) {
        let Ok(packet) = Packet::parse(packet) else { return };
        let Some(timestamp) = self.party_mut(to).trunk_time(packet.timestamp()) else { return };
        let payload = Bytes::copy_from_slice(packet.payload());
        let voice = Voice { call: self.edges.call, side: to, timestamp, payload };
        let taken = self.edges.voices.as_ref().is_some_and(|voices| voices.try_send(voice).is_ok());
        if taken {
            self.party_mut(to).sent += 1;
        } else {
            self.edges.totals.overrun.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send(&mut self, to: Side, control: bool, destination: SocketAddr, packet: &[u8]) {
        let Some(leg) = self.party(to).leg() else { return };
        let socket = if control { &leg.rtcp } else { &leg.rtp };
        // Late media is worthless: what the kernel does not take now is dropped.
        let taken = socket.try_send_to(packet, destination).is_ok();
        match (control, taken) {
            (true, _) => {}
            (false, true) => self.party_mut(to).sent += 1,
            (false, false) => self.unsent += 1,
        }
    }

    /// What goes to a side at our pace.
    fn play(&mut self, cx: &mut Context<'_>, to: Side) {
        let now = Instant::now();
        let party = self.party_mut(to);
        if !party.is_paced() {
            return;
        }
        let mut samples = [0; PACKET as usize];
        let law = party.format.and_then(|format| match format.codec {
            Codec::G711(law) => Some((law, format.payload_type)),
            Codec::Opaque => None,
        });
        let event = party.format.and_then(|format| format.dtmf);
        let mut over = None;
        if let Some(player) = party.player.as_mut().filter(|player| !player.is_echo()) {
            // Time goes on also while nobody listens.
            match player.fill(cx, &mut samples) {
                Progress::Sounds if law.is_some() => {}
                // It cannot be played to this side.
                Progress::Sounds if player.ends() && party.format.is_some() => over = Some(false),
                Progress::Sounds => {}
                Progress::Waits => samples.fill(0),
                Progress::Over(complete) => over = Some(complete),
            }
        } else if !party.keys.is_busy() {
            return;
        }
        let mut packet = std::mem::take(&mut self.buffer);
        let party = self.party_mut(to);
        let ready = if party.keys.is_busy() {
            match (party.keys.next(event.is_some(), &mut samples), event, law) {
                (Step::Event(begins, segment, payload), Some(payload_type), _) => {
                    write(&party.outgoing.event(now, payload_type, begins, segment), &mut packet);
                    payload.encode(&mut packet);
                    true
                }
                (Step::Samples, _, Some(law)) => party.say(now, law, &samples, &mut packet),
                _ => false,
            }
        } else {
            law.is_some_and(|law| party.player.is_some() && party.say(now, law, &samples, &mut packet))
        };
        if over.is_some()
            && let Some(player) = &mut party.player
        {
            player.end();
        }
        if ready && self.party(to).receives {
            self.emit(to, &packet, None);
        }
        self.buffer = packet;
        if let Some(complete) = over {
            let _ = self.edges.events.try_send(Event::Played { call: self.edges.call, side: to, complete });
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.publish();
        while self.relay.poll_event().is_some() {}
        for side in [Side::Caller, Side::Callee] {
            if let Some((digit, press)) = self.party_mut(side).heard.overdue(now) {
                self.tell_key(side, digit, press, false);
            }
        }
        self.until_report = self.until_report.saturating_sub(1);
        if self.until_report == 0 {
            self.until_report = REPORTS;
            self.report(now, Side::Caller);
            self.report(now, Side::Callee);
        }
        let silent = self.edges.timeout.is_some_and(|timeout| self.heard.elapsed() >= timeout);
        if silent && self.watched && !self.told {
            // When the program does not listen now, it is told again in a second.
            self.told = self.edges.events.try_send(Event::Silent { call: self.edges.call }).is_ok();
        }
    }

    /// Tells a side what our own stream sent (RFC 3550 §6.4.1). Between phones, their own reports pass.
    fn report(&mut self, now: Instant, to: Side) {
        let party = self.party(to);
        if party.leg().is_none() || party.outgoing.is_transparent() {
            return;
        }
        let (Some((ssrc, timestamp, at)), Some(destination)) =
            (party.outgoing.last(), self.relay.control_destination(to))
        else {
            return;
        };
        let since = u32::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(0);
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let report = SenderReport {
            ssrc,
            sender: SenderInfo {
                ntp: ntp_from_unix(unix),
                timestamp: timestamp.wrapping_add(since.wrapping_mul(8)),
                // The counters of a report wrap.
                packets: (party.outgoing.packets & u64::from(u32::MAX)) as u32,
                octets: party.outgoing.octets,
            },
            ..SenderReport::default()
        };
        let mut packet = BytesMut::with_capacity(64);
        report.encode(&mut packet);
        SourceDescription::of_name(ssrc, format!("{:x}@pbx.invalid", self.random)).encode(&mut packet);
        self.send(to, true, destination, &packet);
    }

    const fn party(&self, side: Side) -> &Party {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    const fn party_mut(&mut self, side: Side) -> &mut Party {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    const fn path(&self, from: Side) -> &Path {
        let [caller, callee] = &self.paths;
        match from {
            Side::Caller => caller,
            Side::Callee => callee,
        }
    }

    /// Shows what the call did, and adds what is new to the totals.
    fn publish(&mut self) {
        let (caller, callee) = (self.relay.snapshot(Side::Caller), self.relay.snapshot(Side::Callee));
        let figures = Figures { caller: self.caller.stream(&caller), callee: self.callee.stream(&callee) };
        let malformed = |snapshot: &relay::Snapshot| snapshot.dropped.malformed + snapshot.dropped.misplaced;
        let now = Counted {
            received: figures.caller.packets + figures.callee.packets,
            sent: figures.caller.sent + figures.callee.sent,
            lost: figures.caller.lost + figures.callee.lost,
            refused: figures.caller.refused + figures.callee.refused,
            malformed: malformed(&caller) + malformed(&callee),
            unsent: self.unsent,
        };
        let totals = &self.edges.totals;
        for (total, now, before) in [
            (&totals.received, now.received, self.counted.received),
            (&totals.sent, now.sent, self.counted.sent),
            (&totals.lost, now.lost, self.counted.lost),
            (&totals.refused, now.refused, self.counted.refused),
            (&totals.malformed, now.malformed, self.counted.malformed),
            (&totals.unsent, now.unsent, self.counted.unsent),
        ] {
            // What was late and came is no longer lost: a counter that only grows does not take it back.
            total.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
        }
        self.counted = Counted { lost: now.lost.max(self.counted.lost), ..now };
        self.edges.publisher.send_replace(figures);
    }
}
