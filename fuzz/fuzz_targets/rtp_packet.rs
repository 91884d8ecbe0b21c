//! RTP packets: read, read as a value, written again, and their extensions and telephone events read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::dtmf::TelephoneEvent;
use rtp::{Header, Packet};

fuzz_target!(|bytes: &[u8]| {
    let _ = TelephoneEvent::parse(bytes);
    let Ok(packet) = Packet::parse(bytes) else { return };
    let header: Header = packet.header();
    let mut again = Vec::new();
    header.encode_packet(packet.payload(), packet.padding(), &mut again);
    assert_eq!(again.len(), bytes.len());
    let kept = bytes.len() - usize::from(packet.padding());
    // Padding bytes may hold anything; all else comes back.
    assert_eq!(again[..kept], bytes[..kept]);
    let read = Packet::parse(&again).expect("what was written is read");
    assert_eq!(read.header(), header);
    let total: usize = packet.elements().map(|element| element.data.len()).sum();
    assert!(total <= packet.extension().map_or(0, |(_, data)| data.len()));
});
