//! Frames and elements: fixtures, round trips, and every frame of the shared captures.

mod common;

use bytes::BytesMut;
use common::hex;
use iax2::element::{self, Element, Elements};
use iax2::frame::{Command, Control, Frame, FullHeader, Kind, Subclass, TrunkWriter};
use iax2::{ElementsBuf, ErrorKind, Format};
use proptest::prelude::*;

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    assert_eq!(out.len(), frame.encoded_len());
    out.to_vec()
}

#[test]
fn a_new_frame_parses_into_its_fields_and_back() {
    let bytes = hex("8123 0000 00000003 00 00 06 01  0b02 0002 0103 363030 3600");
    let Frame::Full(full) = Frame::parse(&bytes).unwrap() else { panic!() };
    assert_eq!(full.header.source_call, 0x123);
    assert_eq!(full.header.kind, Kind::Iax(Command::New));
    let elements = full.elements().unwrap();
    let list: Vec<_> = elements.iter().collect();
    assert_eq!(list, [Element::Version(2), Element::CalledNumber(b"600"), Element::CallToken(b"")]);
    assert_eq!(encoded(&Frame::Full(full)), bytes);
    let again: ElementsBuf = elements.iter().collect();
    assert_eq!(again.as_bytes(), full.payload);
}

#[test]
fn the_first_bytes_tell_the_frames_apart() {
    let kind = |text: &str| match Frame::parse(&hex(text)) {
        Ok(Frame::Full(_)) => "full",
        Ok(Frame::Mini(_)) => "mini",
        Ok(Frame::Video(_)) => "video",
        Ok(Frame::Trunk(_)) => "trunk",
        Ok(Frame::Meta(_)) => "meta",
        Err(_) => "error",
    };
    assert_eq!(kind("8001 0000 00000000 00000601"), "full");
    assert_eq!(kind("0001 0000"), "mini");
    assert_eq!(kind("0000 8001 0000"), "video");
    assert_eq!(kind("0000 0100 00000000"), "trunk");
    assert_eq!(kind("0000 0200"), "meta");
    for short in ["", "00", "80", "0000", "0001 00", "8001 0000 00000000 000006", "0000 8001 00", "0000 0100 000000"] {
        assert_eq!(kind(short), "error", "{short}");
    }
}

#[test]
fn trunk_entries_change_their_order_with_timestamps() {
    let plain = hex("00000100 00000014  4001 0003 aabbcc  7d0f 0001 dd");
    let Frame::Trunk(trunk) = Frame::parse(&plain).unwrap() else { panic!() };
    let entries: Vec<_> = trunk.entries().map(Result::unwrap).collect();
    assert_eq!(
        (entries[0].source_call, entries[0].timestamp, entries[0].payload),
        (0x4001, None, &[0xaa, 0xbb, 0xcc][..])
    );
    assert_eq!((entries[1].source_call, entries[1].payload), (0x7d0f, &[0xdd][..]));
    let stamped = hex("00000101 00000014  0003 4001 0028 aabbcc");
    let Frame::Trunk(trunk) = Frame::parse(&stamped).unwrap() else { panic!() };
    let entry = trunk.entries().next().unwrap().unwrap();
    assert_eq!((entry.source_call, entry.timestamp, entry.payload), (0x4001, Some(0x28), &[0xaa, 0xbb, 0xcc][..]));
    let mut writer = TrunkWriter::new(true, 1240);
    assert!(writer.push(0x4001, 0x28, &[0xaa, 0xbb, 0xcc]));
    assert_eq!(writer.finish(0x14, <[u8]>::to_vec).unwrap(), stamped);
}

#[test]
fn a_trunk_frame_that_lies_about_its_lengths_ends_in_an_error() {
    for bad in [
        "00000100 00000014 4001 0004 aabbcc",
        "00000100 00000014 4001 00",
        "00000101 00000014 0001 4001 00",
        "00000100 00000000 4001 ffff",
    ] {
        let bytes = hex(bad);
        let Frame::Trunk(trunk) = Frame::parse(&bytes).unwrap() else { panic!() };
        let results: Vec<_> = trunk.entries().collect();
        assert_eq!(results.len(), 1);
        assert!(results[0].is_err(), "{bad}");
    }
}

#[test]
fn the_writer_splits_at_its_limit() {
    let mut writer = TrunkWriter::new(false, 1240);
    let mut frames = 0;
    for call in 0..100u16 {
        if !writer.push(0x4000 + call, 0, &[0; 160]) {
            assert!(writer.finish(20, <[u8]>::len).unwrap() <= 1240);
            frames += 1;
            assert!(writer.push(0x4000 + call, 0, &[0; 160]));
        }
    }
    writer.finish(20, |_| ()).unwrap();
    assert_eq!(frames + 1, 15, "seven calls of 164 bytes each fit 1,232");
}

#[test]
fn an_element_whose_length_runs_over_is_an_error() {
    assert_eq!(Elements::parse(&hex("0b02 00")).unwrap_err().kind, ErrorKind::Overrun);
    assert_eq!(Elements::parse(&hex("0b02 0002 06")).unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(Elements::parse(&hex("0b02 0002 06ff 41")).unwrap_err().offset, 4);
}

#[test]
fn an_element_of_a_wrong_length_is_kept_as_it_came() {
    let bytes = hex("0b03 000002 ff01 00 1901 00 1202 0200 1210 0200 11d9 7f000001 0000000000000001");
    let elements = Elements::parse(&bytes).unwrap();
    assert!(elements.iter().all(|e| matches!(e, Element::Other { .. })));
    assert_eq!(elements.iter().collect::<ElementsBuf>().as_bytes(), bytes);
}

#[test]
fn every_subclass_byte_survives() {
    for byte in 0..=255u8 {
        for frame_type in 0..=255u8 {
            assert_eq!(Kind::from_bytes(frame_type, byte).to_bytes(), (frame_type, byte));
        }
        if let Some(value) = Subclass::from_byte(byte).value() {
            assert_eq!(Subclass::compress(value).unwrap().value(), Some(value));
        }
    }
    assert_eq!(Subclass::from_byte(0x8f).value(), Some(1 << 15));
    assert_eq!(Subclass::from(Format::OPUS).to_byte(), 0x80 | 34);
    assert_eq!(Control::from_byte(0xff), Control::StopSounds);
}

proptest! {
    #[test]
    fn any_datagram_that_parses_encodes_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = Frame::parse(&bytes) {
            prop_assert_eq!(encoded(&frame), bytes.clone());
            if let Frame::Full(full) = frame
                && let Ok(elements) = full.elements() {
                let again = elements.iter().collect::<ElementsBuf>();
                prop_assert_eq!(again.as_bytes(), full.payload);
            }
            if let Frame::Trunk(trunk) = frame {
                let mut out = BytesMut::new();
                let mut whole = true;
                for entry in trunk.entries() {
                    match entry { Ok(entry) => entry.encode(&mut out), Err(_) => whole = false }
                }
                // The reserved bit before a call number is not kept.
                if whole { prop_assert_eq!(out.len(), trunk.entries.len()); }
            }
        }
    }

    #[test]
    fn any_elements_survive(items in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..20)) {
        let list: ElementsBuf = items.iter().map(|(id, data)| Element::new(*id, data)).collect();
        let elements = Elements::parse(list.as_bytes()).unwrap();
        prop_assert_eq!(elements.iter().count(), items.len());
        for (element, (id, data)) in elements.iter().zip(&items) {
            prop_assert_eq!(element.id(), *id);
            let mut out = Vec::new();
            element.encode(&mut out);
            prop_assert_eq!(&out[2..], &data[..]);
        }
    }
}

/// Whether the captures' frames of this file are encrypted from AUTHREP on.
fn is_encrypted(name: &str) -> bool {
    (name.starts_with("04_") || name.contains("encnorot")) && !name.starts_with("04f")
}

#[test]
fn every_frame_of_every_capture_parses_and_re_encodes_to_the_same_bytes() {
    let Some(folder) = common::captures() else { return };
    let (mut files, mut frames, mut elements, mut entries) = (0, 0, 0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "pcap") {
            continue;
        }
        files += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for datagram in common::read_pcap(&std::fs::read(&path).unwrap()) {
            frames += 1;
            let frame = Frame::parse(&datagram.payload).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(encoded(&frame), datagram.payload, "{name}");
            match frame {
                Frame::Full(full) if matches!(full.header.kind, Kind::Iax(_)) && !is_encrypted(&name) => {
                    let list = full.elements().unwrap_or_else(|e| panic!("{name}: {e}"));
                    for element in list.iter() {
                        assert!(!matches!(element, Element::Other { .. }), "{name}: {element:?}");
                        elements += 1;
                    }
                    assert_eq!(list.iter().collect::<ElementsBuf>().as_bytes(), full.payload, "{name}");
                }
                Frame::Trunk(trunk) => {
                    let mut out = BytesMut::new();
                    for entry in trunk.entries() {
                        entry.unwrap_or_else(|e| panic!("{name}: {e}")).encode(&mut out);
                        entries += 1;
                    }
                    assert_eq!(out, trunk.entries, "{name}");
                }
                Frame::Meta(_) | Frame::Video(_) => panic!("{name}: not in these captures"),
                _ => {}
            }
        }
    }
    eprintln!("{files} files, {frames} frames, {elements} elements, {entries} trunk entries");
    assert!(files >= 60 && frames > 20_000 && elements > 2_000 && entries > 4_000);
}

#[test]
fn an_apparent_address_of_ipv6_survives() {
    let address = "[2001:db8::1]:4569".parse().unwrap();
    let list: ElementsBuf = [Element::ApparentAddress(address)].into_iter().collect();
    let elements = Elements::parse(list.as_bytes()).unwrap();
    assert_eq!(elements.data(element::id::APPARENT_ADDRESS).unwrap().len(), 28);
    assert_eq!(elements.iter().next(), Some(Element::ApparentAddress(address)));
    assert_eq!(FullHeader::LEN, 12);
}
