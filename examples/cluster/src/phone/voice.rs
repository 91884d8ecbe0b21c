//! What a phone says and hears: a tone fifty times a second, and which tone comes back.
#![expect(clippy::disallowed_methods, reason = "packets leave by the clock")]

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use rtp::{
    Header, Packet,
    g711::Law,
    statistics::Reception,
    tone::{Detector, Tone, level},
};
use serde::Serialize;
use tokio::{
    net::UdpSocket,
    sync::watch,
    task::AbortHandle,
    time::{MissedTickBehavior, interval},
};

/// Samples in a packet of 20 ms.
const SAMPLES: usize = 160;

/// How much is listened to before it is judged: half a second.
const WINDOW: usize = 4_000;

/// What a phone's ear makes of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Heard {
    /// Packets sent.
    pub sent: u64,
    /// Packets that came.
    pub received: u64,
    /// Packets that the sequence numbers say are missing.
    pub lost: u64,
    /// Interarrival jitter in milliseconds.
    pub jitter: f64,
    /// The known tone that is nearly all that is heard, in hertz.
    pub tone: Option<f64>,
    /// Its level in dBm0.
    pub level: Option<f64>,
}

/// One end of a conversation. Dropping it hangs up the ear.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) local: SocketAddr,
    remote: watch::Sender<Option<SocketAddr>>,
    pub(super) heard: watch::Receiver<Heard>,
    task: AbortHandle,
}

impl Voice {
    /// Listens at a free port; says `tone` once it knows where to, and listens for the tones that are `known`.
    pub(super) fn start(address: IpAddr, tone: f64, known: Vec<f64>, ssrc: u32) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(SocketAddr::new(address, 0))?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let local = socket.local_addr()?;
        let (remote, target) = watch::channel(None);
        let (tell, heard) = watch::channel(Heard::default());
        let mouth = Mouth {
            tone: Tone::new(tone, -10.0, 8_000),
            header: Header { ssrc, marker: true, ..Header::default() },
            packet: Vec::new(),
        };
        let task = tokio::spawn(talk(socket, mouth, Ear::new(known), target, tell)).abort_handle();
        Ok(Self { local, remote, heard, task })
    }

    /// Says where the other side listens; `None` while it holds.
    pub(super) fn aim(&self, remote: Option<SocketAddr>) {
        self.remote.send_replace(remote);
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(
    socket: UdpSocket,
    mut mouth: Mouth,
    mut ear: Ear,
    target: watch::Receiver<Option<SocketAddr>>,
    tell: watch::Sender<Heard>,
) {
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut buffer = [0; 2_048];
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let remote = *target.borrow();
                if let Some(remote) = remote {
                    mouth.say();
                    // One that cannot be sent is a lost one: the other ear counts it.
                    let _ = socket.try_send_to(&mouth.packet, remote);
                    ear.heard.sent += 1;
                }
            }
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, _)) = received else { continue };
                if ear.listen(buffer.get(..length).unwrap_or_default(), Instant::now()) {
                    tell.send_replace(ear.heard.clone());
                }
            }
        }
    }
}

#[derive(Debug)]
struct Mouth {
    tone: Tone,
    header: Header,
    packet: Vec<u8>,
}

impl Mouth {
    fn say(&mut self) {
        let mut payload = Vec::with_capacity(SAMPLES);
        self.tone.encode(Law::Mu, SAMPLES, &mut payload);
        self.packet.clear();
        self.header.encode_packet(&payload, 0, &mut self.packet);
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
    }
}

#[derive(Debug)]
struct Ear {
    known: Vec<f64>,
    reception: Option<(u32, Reception)>,
    /// Of streams before this one.
    lost: u64,
    samples: Vec<i16>,
    heard: Heard,
}

impl Ear {
    fn new(known: Vec<f64>) -> Self {
        Self { known, reception: None, lost: 0, samples: Vec::with_capacity(WINDOW), heard: Heard::default() }
    }

    /// Takes in a packet; `true` when half a second was judged.
    fn listen(&mut self, bytes: &[u8], now: Instant) -> bool {
        let Ok(packet) = Packet::parse(bytes) else { return false };
        let Some(law) = [Law::Mu, Law::A].into_iter().find(|law| law.payload_type() == packet.payload_type()) else {
            return false;
        };
        self.heard.received += 1;
        let reception = match &mut self.reception {
            Some((ssrc, reception)) if *ssrc == packet.ssrc() => reception,
            other => {
                // Ringing, and then the person, are streams of their own.
                self.lost += other.as_ref().map_or(0, |(_, past)| past.lost());
                &mut other.insert((packet.ssrc(), Reception::new(packet.sequence(), 8_000))).1
            }
        };
        reception.update(now, packet.sequence(), packet.timestamp());
        self.samples.extend(law.decode(packet.payload()));
        if self.samples.len() < WINDOW {
            return false;
        }
        self.heard.lost = self.lost + reception.lost();
        self.heard.jitter = reception.jitter().as_secs_f64() * 1_000.0;
        let samples = &self.samples;
        self.heard.tone = self.known.iter().copied().find(|hertz| Detector::new(*hertz, 8_000).dominates(samples, 1.0));
        self.heard.level = self.heard.tone.map(|_| level(samples));
        self.samples.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mouth(hertz: f64) -> Mouth {
        Mouth { tone: Tone::new(hertz, -10.0, 8_000), header: Header::default(), packet: Vec::new() }
    }

    #[test]
    fn an_ear_tells_which_of_the_tones_it_hears_and_what_was_lost() {
        let (mut mouth, mut ear) = (mouth(523.25), Ear::new(vec![440.0, 523.25]));
        let mut judged = 0;
        for number in 0..54 {
            mouth.say();
            if number != 10 {
                judged += usize::from(ear.listen(&mouth.packet, Instant::now()));
            }
        }
        assert_eq!(judged, 2);
        assert_eq!((ear.heard.received, ear.heard.lost), (53, 1));
        assert_eq!(ear.heard.tone, Some(523.25));
        assert!((ear.heard.level.unwrap() + 10.0).abs() < 0.2, "{:?}", ear.heard);
    }

    #[test]
    fn what_is_not_audio_is_not_heard() {
        let mut ear = Ear::new(vec![440.0]);
        assert!(!ear.listen(b"no packet", Instant::now()));
        assert_eq!(ear.heard, Heard::default());
    }

    #[tokio::test]
    async fn two_voices_hear_each_other() {
        let address = IpAddr::from([127, 0, 0, 1]);
        let known = vec![440.0, 660.0];
        let mut a = Voice::start(address, 440.0, known.clone(), 1).unwrap();
        let mut b = Voice::start(address, 660.0, known, 2).unwrap();
        a.aim(Some(b.local));
        b.aim(Some(a.local));
        let patience = Duration::from_secs(10);
        let of_a = tokio::time::timeout(patience, a.heard.wait_for(|heard| heard.tone == Some(660.0)));
        assert!(of_a.await.is_ok());
        let of_b = tokio::time::timeout(patience, b.heard.wait_for(|heard| heard.tone == Some(440.0)));
        assert!(of_b.await.is_ok());
    }
}
