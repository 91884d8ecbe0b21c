//! Changes to identifiers in an encoded compound that was checked before; lengths stay.

use super::{Block, Kind};

/// Gives each packet of a compound, its first four bytes included, to `change`.
pub(crate) fn packets(bytes: &mut [u8], mut change: impl FnMut(Kind, u8, &mut [u8])) {
    let mut rest = bytes;
    while let [first, kind, l0, l1, ..] = *rest {
        let length = 4 + usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let Some((packet, after)) = std::mem::take(&mut rest).split_at_mut_checked(length) else { return };
        change(Kind(kind), first & 0x1f, packet);
        rest = after;
    }
}

/// Changes the sources that a packet speaks for: its sender, the chunks' or those that end.
pub(crate) fn sources(kind: Kind, count: u8, packet: &mut [u8], map: impl Fn(u32) -> u32) {
    match kind {
        Kind::GOODBYE => (0..usize::from(count)).for_each(|index| word(packet, 4 + index * 4, &map)),
        Kind::SOURCE_DESCRIPTION => {
            let mut at = 4;
            for _ in 0..count {
                word(packet, at, &map);
                let Some(end) = chunk_end(packet, at) else { return };
                at = end;
            }
        }
        _ => word(packet, 4, &map),
    }
}

/// Changes the RTP timestamp of an SR.
pub(crate) fn sender_timestamp(packet: &mut [u8], map: impl Fn(u32) -> u32) {
    word(packet, 16, map);
}

/// Changes source and extended sequence number of each report block.
pub(crate) fn blocks(kind: Kind, count: u8, packet: &mut [u8], map: impl Fn(u32, u32) -> (u32, u32)) {
    let first = match kind {
        Kind::SENDER_REPORT => 28,
        Kind::RECEIVER_REPORT => 8,
        _ => return,
    };
    for index in 0..usize::from(count) {
        let at = first + index * Block::LEN;
        let (Some(ssrc), Some(highest)) = (read(packet, at), read(packet, at + 8)) else { return };
        let (ssrc, highest) = map(ssrc, highest);
        word(packet, at, |_| ssrc);
        word(packet, at + 8, |_| highest);
    }
}

/// Where the chunk that begins at `at` ends.
fn chunk_end(packet: &[u8], at: usize) -> Option<usize> {
    let mut next = at + 4;
    loop {
        match packet.get(next..)? {
            [0, ..] => return Some((next + 1).next_multiple_of(4)),
            [_, length, ..] => next += 2 + usize::from(*length),
            _ => return None,
        }
    }
}

fn read(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

fn word(packet: &mut [u8], at: usize, map: impl Fn(u32) -> u32) {
    if let Some(word) = packet.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *word = map(u32::from_be_bytes(*word)).to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Chunk, Compound, Goodbye, Item, ItemKind, Packet, SenderReport, SourceDescription};
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn every_source_of_every_packet_is_found() {
        let named = |ssrc, name: &'static str| Chunk {
            ssrc,
            items: vec![Item { kind: ItemKind::CANONICAL_NAME, text: Bytes::from_static(name.as_bytes()) }],
        };
        let build = |a, b| {
            let mut bytes = Vec::new();
            for packet in [
                Packet::SenderReport(SenderReport {
                    ssrc: a,
                    blocks: vec![Block { ssrc: b, highest: 5, ..Default::default() }],
                    ..Default::default()
                }),
                Packet::SourceDescription(SourceDescription { chunks: vec![named(a, "abcd"), named(a, "x")] }),
                Packet::Goodbye(Goodbye { sources: vec![a, a], reason: Bytes::new() }),
            ] {
                packet.encode(&mut bytes);
            }
            bytes
        };
        let mut bytes = build(1, 2);
        packets(&mut bytes, |kind, count, packet| {
            sources(kind, count, packet, |ssrc| ssrc + 10);
            blocks(kind, count, packet, |ssrc, highest| (ssrc + 20, highest));
        });
        assert_eq!(bytes, build(11, 22));
    }

    proptest! {
        #[test]
        fn any_compound_is_changed_without_a_panic_and_keeps_its_lengths(mut bytes in prop::collection::vec(any::<u8>(), 8..120), kind in 200u8..208, length in 0u8..12) {
            bytes[0] |= 0x80;
            bytes[1] = kind;
            (bytes[2], bytes[3]) = (0, length);
            let before = Compound::parse(&bytes).map(|it| it.frames().count()).ok();
            packets(&mut bytes, |kind, count, packet| {
                sources(kind, count, packet, |_| 7);
                blocks(kind, count, packet, |_, _| (8, 9));
                if kind == Kind::SENDER_REPORT { sender_timestamp(packet, |_| 1); }
            });
            if before.is_some() && !bytes[0] & 0x20 != 0 {
                prop_assert_eq!(Compound::parse(&bytes).map(|it| it.frames().count()).ok(), before);
            }
        }
    }
}
