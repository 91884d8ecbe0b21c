//! What becomes of a packet between its side and the other.

use bytes::BytesMut;
use rtp::{Packet, g711::Law};

use super::{Codec, Format};

/// Comfort noise has one payload type for all (RFC 3389).
const COMFORT_NOISE: u8 = 13;

/// How packets of one side are made fit for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// As they are.
    Native,
    /// Only the payload types differ.
    Renumber { from: Format, to: Format },
    /// From one law to the other.
    Translate { from: Format, to: Format, law: Law },
    /// Not at all.
    Closed,
}

impl Path {
    /// The path between two formats; a format that is not known is taken as it comes, where `known` does not matter.
    pub(super) fn between(from: Option<Format>, to: Option<Format>, trunk: bool) -> Self {
        let (Some(from), Some(to)) = (from, to) else {
            return if trunk { Self::Closed } else { Self::Native };
        };
        match (from.codec, to.codec) {
            // Of a trunk only voice comes, and only voice goes to it.
            (one, other) if one == other && !trunk => {
                let same = from.payload_type == to.payload_type && from.dtmf == to.dtmf;
                if same { Self::Native } else { Self::Renumber { from, to } }
            }
            (Codec::G711(_), Codec::G711(law)) => Self::Translate { from, to, law },
            (Codec::Opaque, Codec::Opaque) => Self::Renumber { from, to },
            _ => Self::Closed,
        }
    }

    /// Makes a parsed packet fit; `false`: it does not go on. `voice_only`: the other side is a trunk.
    pub(super) fn convert(self, packet: &mut BytesMut, voice_only: bool) -> bool {
        let Some(second) = packet.get(1).copied() else { return false };
        let (marker, payload_type) = (second & 0x80, second & 0x7f);
        let (from, to) = match self {
            Self::Native => return true,
            Self::Closed => return false,
            Self::Renumber { from, to } | Self::Translate { from, to, .. } => (from, to),
        };
        let renumbered = if Some(payload_type) == from.dtmf {
            to.dtmf.filter(|_| !voice_only)
        } else if payload_type == from.payload_type {
            if let (Self::Translate { law, .. }, Codec::G711(heard)) = (self, from.codec) {
                translate(packet, heard, law);
            }
            Some(to.payload_type)
        } else if let Self::Translate { law, .. } = self
            && let Some(heard) = Law::from_payload_type(payload_type)
        {
            // A phone may change between what both have.
            translate(packet, heard, law);
            Some(to.payload_type)
        } else {
            Some(payload_type).filter(|it| *it == COMFORT_NOISE && !voice_only)
        };
        match (renumbered, packet.get_mut(1)) {
            (Some(payload_type), Some(second)) => {
                *second = marker | payload_type & 0x7f;
                true
            }
            _ => false,
        }
    }
}

/// Translates the payload in its place.
fn translate(packet: &mut BytesMut, from: Law, to: Law) {
    if from == to {
        return;
    }
    let Ok(parsed) = Packet::parse(packet) else { return };
    let (length, padding) = (parsed.payload().len(), usize::from(parsed.padding()));
    let Some(end) = packet.len().checked_sub(padding) else { return };
    let table = match from {
        Law::Mu => &TO_A,
        Law::A => &TO_MU,
    };
    if let Some(payload) = packet.get_mut(end.saturating_sub(length)..end) {
        for code in payload {
            *code = table.get(usize::from(*code)).copied().unwrap_or(*code);
        }
    }
}

static TO_A: std::sync::LazyLock<[u8; 256]> = std::sync::LazyLock::new(|| table(Law::Mu, Law::A));
static TO_MU: std::sync::LazyLock<[u8; 256]> = std::sync::LazyLock::new(|| table(Law::A, Law::Mu));

fn table(from: Law, to: Law) -> [u8; 256] {
    let mut table = [0; 256];
    for (code, slot) in (0..=u8::MAX).zip(&mut table) {
        *slot = to.encode_sample(from.decode_sample(code));
    }
    table
}

#[cfg(test)]
mod tests {
    use rtp::Header;

    use super::*;

    fn packet(payload_type: u8, payload: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        Header { payload_type, marker: true, ..Header::default() }.encode_packet(payload, 4, &mut bytes);
        bytes
    }

    fn g711(law: Law, dtmf: Option<u8>) -> Option<Format> {
        Some(Format { dtmf, ..Format::g711(law) })
    }

    fn convert(path: Path, payload_type: u8, payload: &[u8], voice_only: bool) -> Option<(u8, Vec<u8>)> {
        let mut bytes = packet(payload_type, payload);
        path.convert(&mut bytes, voice_only).then(|| {
            let packet = Packet::parse(&bytes).unwrap();
            assert!(packet.marker() && packet.padding() == 4);
            (packet.payload_type(), packet.payload().to_vec())
        })
    }

    #[test]
    fn sides_that_share_all_hear_each_other_untouched() {
        assert_eq!(Path::between(g711(Law::Mu, Some(101)), g711(Law::Mu, Some(101)), false), Path::Native);
        assert_eq!(Path::between(None, g711(Law::Mu, None), false), Path::Native);
        assert_eq!(Path::between(None, g711(Law::Mu, None), true), Path::Closed);
    }

    #[test]
    fn numbers_alone_are_changed_where_only_they_differ() {
        let opaque = |payload_type, dtmf| Some(Format { codec: Codec::Opaque, payload_type, dtmf });
        let path = Path::between(opaque(111, Some(101)), opaque(96, Some(97)), false);
        assert_eq!(convert(path, 111, &[1, 2], false), Some((96, vec![1, 2])));
        assert_eq!(convert(path, 101, &[5, 0, 0, 160], false), Some((97, vec![5, 0, 0, 160])));
        assert_eq!(convert(path, 13, &[40], false), Some((13, vec![40])));
        assert_eq!(convert(path, 18, &[1], false), None);
        let path = Path::between(opaque(111, Some(101)), opaque(111, None), false);
        assert_eq!(convert(path, 101, &[5, 0, 0, 160], false), None);
        assert_eq!(Path::between(opaque(9, None), g711(Law::A, None), false), Path::Closed);
    }

    #[test]
    fn laws_are_translated_sample_by_sample() {
        let path = Path::between(g711(Law::Mu, None), g711(Law::A, Some(101)), false);
        let all: Vec<u8> = (0..=255).collect();
        let (payload_type, translated) = convert(path, 0, &all, false).unwrap();
        assert_eq!(payload_type, 8);
        for (code, translated) in all.iter().zip(translated) {
            assert_eq!(translated, Law::A.encode_sample(Law::Mu.decode_sample(*code)));
        }
        assert_eq!(
            convert(path, 8, &all, false),
            Some((8, all.clone())),
            "a phone that changed to the law of the other"
        );
    }

    #[test]
    fn only_voice_goes_to_a_trunk() {
        let path = Path::between(g711(Law::A, Some(101)), g711(Law::A, None), true);
        assert_eq!(convert(path, 8, &[0xd5], true), Some((8, vec![0xd5])));
        for other in [101, 13, 18] {
            assert_eq!(convert(path, other, &[0, 0, 0, 0], true), None, "{other}");
        }
        assert_eq!(convert(path, 0, &[0xff], true), Some((8, vec![0xd5])));
    }
}
