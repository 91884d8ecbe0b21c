//! RTCP compounds: checked, each packet read, and what is understood is read the same after it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::rtcp::{Compound, Packet, ReceiverReport};

fuzz_target!(|bytes: &[u8]| {
    let Ok(compound) = Compound::parse(bytes) else { return };
    let _ = compound.sender();
    for packet in compound.packets().flatten() {
        let mut again = Vec::new();
        // A compound begins with a report.
        let report = ReceiverReport::default();
        report.encode(&mut again);
        packet.encode(&mut again);
        assert_eq!(again.len(), report.encoded_len() + packet.encoded_len());
        let written = Compound::parse(&again).expect("what was written is a compound");
        let read: Vec<Packet> = written.packets().map(|it| it.expect("what was written is read")).collect();
        assert_eq!(read.last(), Some(&packet));
    }
});
