//! The milliwatt tone as packets.

use std::sync::OnceLock;

use bytes::BytesMut;
use rtp::{Header, g711::Law, tone::Tone};

/// Samples in a packet of 20 ms.
pub(super) const SAMPLES: usize = 160;

/// 1004 Hz at 8,000 samples a second comes round after 251 waves in 2,000 samples.
const ROUND: usize = 2_000;

/// A stream of the tone.
#[derive(Debug)]
pub(super) struct Player {
    header: Header,
    law: Law,
    position: usize,
}

impl Player {
    /// A stream that begins here; SSRC, sequence and timestamp begin at random (RFC 3550 §5.1).
    pub(super) fn new(law: Law, payload_type: u8, ssrc: u32, random: u64) -> Self {
        let [a, b, c, d, e, f, ..] = random.to_be_bytes();
        Self {
            header: Header {
                marker: true,
                payload_type,
                sequence: u16::from_be_bytes([a, b]),
                timestamp: u32::from_be_bytes([c, d, e, f]),
                ssrc,
                ..Header::default()
            },
            law,
            position: 0,
        }
    }

    /// The next packet, 20 ms after the one before.
    pub(super) fn next(&mut self, packet: &mut BytesMut) {
        packet.clear();
        self.header.encode(packet);
        let samples = samples(self.law);
        for code in samples.iter().cycle().skip(self.position).take(SAMPLES) {
            packet.extend_from_slice(&[*code]);
        }
        self.position = (self.position + SAMPLES) % ROUND;
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
    }
}

fn samples(law: Law) -> &'static [u8] {
    static MU: OnceLock<Vec<u8>> = OnceLock::new();
    static A: OnceLock<Vec<u8>> = OnceLock::new();
    let cell = match law {
        Law::Mu => &MU,
        Law::A => &A,
    };
    cell.get_or_init(|| {
        let mut codes = Vec::with_capacity(ROUND);
        Tone::milliwatt(8_000).encode(law, ROUND, &mut codes);
        codes
    })
}

#[cfg(test)]
mod tests {
    use rtp::{
        Packet,
        tone::{Detector, level},
    };

    use super::*;

    #[test]
    fn the_packets_join_into_one_tone_at_the_right_level() {
        for law in [Law::Mu, Law::A] {
            let mut player = Player::new(law, law.payload_type(), 7, 0xfffe_ffff_ff60_0000);
            let mut heard = Vec::new();
            for number in 0..100u16 {
                let mut bytes = BytesMut::new();
                player.next(&mut bytes);
                let packet = Packet::parse(&bytes).unwrap();
                assert_eq!(packet.sequence(), 0xfffe_u16.wrapping_add(number));
                assert_eq!(packet.timestamp(), 0xffff_ff60_u32.wrapping_add(160 * u32::from(number)));
                assert_eq!((packet.marker(), packet.ssrc()), (number == 0, 7));
                heard.extend(law.decode(packet.payload()));
            }
            assert!(level(&heard).abs() < 0.05, "{}", level(&heard));
            assert!(Detector::new(1_004.0, 8_000).dominates(&heard, 0.05), "not one tone");
        }
    }
}
