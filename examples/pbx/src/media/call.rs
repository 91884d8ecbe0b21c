//! The media of one call: a task that waits for packets, orders and the clock.
#![expect(clippy::disallowed_methods, reason = "this is where packets meet the clock")]

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use bytes::{BufMut, BytesMut};
use rtp::{
    Packet,
    relay::{self, Reason, Relay, Side, Verdict},
    rtcp::{SenderInfo, SenderReport, SourceDescription, ntp_from_unix},
};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    Event, Figures, Order, Plan, Totals,
    socket::{Leg, receive},
    tone::Player,
};
use crate::status::Stream;

/// Packets that are taken from one socket before the next has its turn.
const TURN: usize = 16;

/// Seconds between reports of an echo or a tone (RFC 3550 §6.2).
const REPORTS: u32 = 5;

/// What joins the task to the rest of the program.
#[derive(Debug)]
pub(super) struct Edges {
    pub(super) call: u64,
    pub(super) inbox: mpsc::UnboundedReceiver<Order>,
    pub(super) publisher: watch::Sender<Figures>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) totals: Arc<Totals>,
    pub(super) timeout: Option<Duration>,
}

/// Runs until the handle of the call is dropped.
pub(super) async fn run(plan: Plan, legs: Vec<Leg>, edges: Edges) {
    let mut legs = legs.into_iter();
    let Some(caller) = legs.next() else { return };
    let now = Instant::now();
    let mut task = Task {
        plan,
        caller,
        callee: legs.next(),
        relay: Relay::new(now, relay::Config::default()),
        edges,
        buffer: BytesMut::with_capacity(2048),
        random: random(),
        player: None,
        // A tick that is late is made up for, so that the tone does not drift.
        pace: ticks(Duration::from_millis(20), MissedTickBehavior::Burst),
        second: ticks(Duration::from_secs(1), MissedTickBehavior::Delay),
        heard: now,
        watched: false,
        told: false,
        receives: true,
        sent: [0; 2],
        unsent: 0,
        own: None,
        octets: 0,
        until_report: REPORTS,
        counted: Counted::default(),
    };
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
    plan: Plan,
    caller: Leg,
    callee: Option<Leg>,
    relay: Relay,
    edges: Edges,
    buffer: BytesMut,
    random: u64,
    player: Option<Player>,
    pace: Interval,
    second: Interval,
    heard: Instant,
    watched: bool,
    told: bool,
    receives: bool,
    sent: [u64; 2],
    unsent: u64,
    /// The last packet of our own stream: when, and its timestamp.
    own: Option<(Instant, u32)>,
    /// Payload bytes of our own stream.
    octets: u32,
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
                Poll::Ready(Some(order)) => self.obey(order),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let mut again = self.drain(cx, Side::Caller, false);
        again |= self.drain(cx, Side::Caller, true);
        if self.callee.is_some() {
            again |= self.drain(cx, Side::Callee, false);
            again |= self.drain(cx, Side::Callee, true);
        }
        if self.player.is_some() {
            while self.pace.poll_tick(cx).is_ready() {
                self.play();
            }
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

    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Expect { side, expected, receives } => {
                self.relay.expect(now, side, expected);
                if side == Side::Caller {
                    self.receives = receives;
                }
                self.heard = now;
            }
            Order::Play { law, payload_type } => {
                let ssrc = self.ssrc();
                self.player = Some(Player::new(law, payload_type, ssrc, self.random.rotate_left(24)));
                self.pace.reset_immediately();
            }
            Order::Watch(watched) => {
                self.watched = watched;
                self.heard = now;
            }
        }
    }

    /// Our own SSRC. An echo must not come back under the sender's own: that is a loop (RFC 3550 §8.2).
    fn ssrc(&self) -> u32 {
        let [a, b, c, d, ..] = self.random.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Takes what waits at a socket; tells whether more may wait.
    fn drain(&mut self, cx: &mut Context<'_>, side: Side, control: bool) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut more = true;
        for _ in 0..TURN {
            let Some(leg) = self.leg(side) else { break };
            let socket = if control { &leg.rtcp } else { &leg.rtp };
            let Poll::Ready(source) = receive(socket, &mut buffer, cx) else {
                more = false;
                break;
            };
            self.on_packet(side, control, source, &mut buffer);
        }
        self.buffer = buffer;
        more
    }

    fn on_packet(&mut self, side: Side, control: bool, source: SocketAddr, packet: &mut BytesMut) {
        let now = Instant::now();
        let verdict = if control {
            self.relay.forward_control(now, side, source, packet)
        } else {
            self.relay.forward(now, side, source, packet)
        };
        match verdict {
            Verdict::Forward(destination) => {
                self.heard = now;
                self.send(side.other(), control, destination, packet);
            }
            Verdict::Drop(Reason::Nowhere) => {
                // It is the side's own, and the other side is not there: an echo's other side is its own.
                self.heard = now;
                if self.plan == Plan::Echo && !control {
                    self.echo(packet);
                }
            }
            Verdict::Drop(_) => {}
        }
    }

    fn echo(&mut self, packet: &mut BytesMut) {
        let ssrc = self.ssrc();
        if let Some(mut field) = packet.get_mut(8..12) {
            field.put_u32(ssrc);
        }
        if self.receives
            && let Some(destination) = self.relay.destination(Side::Caller)
        {
            self.note_own(packet);
            self.send(Side::Caller, false, destination, packet);
        }
    }

    /// Remembers of our own stream what its reports tell.
    fn note_own(&mut self, packet: &[u8]) {
        if let Ok(packet) = Packet::parse(packet) {
            self.own = Some((Instant::now(), packet.timestamp()));
            self.octets = self.octets.wrapping_add(u32::try_from(packet.payload().len()).unwrap_or(0));
        }
    }

    /// Tells the caller what our own stream sent (RFC 3550 §6.4.1). Between phones, their own reports pass.
    fn report(&mut self) {
        let (Some((at, timestamp)), Some(destination)) = (self.own, self.relay.control_destination(Side::Caller))
        else {
            return;
        };
        let ssrc = self.ssrc();
        let since = u32::try_from(at.elapsed().as_millis()).unwrap_or(0);
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let [packets, _] = self.sent;
        let report = SenderReport {
            ssrc,
            sender: SenderInfo {
                ntp: ntp_from_unix(unix),
                timestamp: timestamp.wrapping_add(since.wrapping_mul(8)),
                // The counters of a report wrap.
                packets: (packets & u64::from(u32::MAX)) as u32,
                octets: self.octets,
            },
            ..SenderReport::default()
        };
        let mut packet = BytesMut::with_capacity(64);
        report.encode(&mut packet);
        SourceDescription::of_name(ssrc, format!("{:x}@pbx.invalid", self.random)).encode(&mut packet);
        self.send(Side::Caller, true, destination, &packet);
    }

    fn play(&mut self) {
        let destination = self.relay.destination(Side::Caller);
        let mut packet = std::mem::take(&mut self.buffer);
        let Some(player) = &mut self.player else { return };
        // Time goes on also while nobody listens.
        player.next(&mut packet);
        if self.receives
            && let Some(destination) = destination
        {
            self.note_own(&packet);
            self.send(Side::Caller, false, destination, &packet);
        }
        self.buffer = packet;
    }

    fn send(&mut self, to: Side, control: bool, destination: SocketAddr, packet: &[u8]) {
        let Some(leg) = self.leg(to) else { return };
        let socket: &UdpSocket = if control { &leg.rtcp } else { &leg.rtp };
        // Late media is worthless: what the kernel does not take now is dropped.
        let taken = socket.try_send_to(packet, destination).is_ok();
        if control {
            return;
        }
        match (taken, to) {
            (false, _) => self.unsent += 1,
            (true, Side::Caller) => self.sent[0] += 1,
            (true, Side::Callee) => self.sent[1] += 1,
        }
    }

    fn leg(&self, side: Side) -> Option<&Leg> {
        match side {
            Side::Caller => Some(&self.caller),
            Side::Callee => self.callee.as_ref(),
        }
    }

    fn tick(&mut self) {
        self.publish();
        while self.relay.poll_event().is_some() {}
        self.until_report = self.until_report.saturating_sub(1);
        if self.until_report == 0 {
            self.until_report = REPORTS;
            self.report();
        }
        let silent = self.edges.timeout.is_some_and(|timeout| self.heard.elapsed() >= timeout);
        if silent && self.watched && !self.told {
            // When the program does not listen now, it is told again in a second.
            self.told = self.edges.events.try_send(Event::Silent { call: self.edges.call }).is_ok();
        }
    }

    /// Shows what the call did, and adds what is new to the totals.
    fn publish(&mut self) {
        let (caller, callee) = (self.relay.snapshot(Side::Caller), self.relay.snapshot(Side::Callee));
        let stream = |snapshot: &relay::Snapshot, sent| Stream {
            packets: snapshot.received,
            lost: snapshot.lost,
            refused: snapshot.dropped.stranger + snapshot.dropped.probation,
            sent,
            jitter: snapshot.jitter.as_secs_f64() * 1000.0,
        };
        let [to_caller, to_callee] = self.sent;
        let figures = Figures { caller: stream(&caller, to_caller), callee: stream(&callee, to_callee) };
        let malformed = |snapshot: &relay::Snapshot| snapshot.dropped.malformed + snapshot.dropped.misplaced;
        let now = Counted {
            received: figures.caller.packets + figures.callee.packets,
            sent: to_caller + to_callee,
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
