//! Any trunk frame: entries stay inside it and fill it.
#![no_main]

use iax2::frame::{Frame, TrunkWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut bytes = vec![0, 0, 1];
    bytes.extend_from_slice(data);
    let Ok(Frame::Trunk(trunk)) = Frame::parse(&bytes) else { return };
    let mut length = 0;
    let mut whole = true;
    let mut writer = TrunkWriter::new(trunk.header.has_timestamps(), 1240);
    let mut largest = 0;
    for entry in trunk.entries() {
        match entry {
            Ok(entry) => {
                let mut out = Vec::new();
                entry.encode(&mut out);
                length += out.len();
                if !writer.push(entry.source_call, entry.timestamp.unwrap_or(0), entry.payload) {
                    writer.finish(0, |frame| assert!(frame.len() <= 1240 || largest > 1000));
                    assert!(writer.push(entry.source_call, entry.timestamp.unwrap_or(0), entry.payload));
                }
                largest = largest.max(entry.payload.len());
            }
            Err(_) => whole = false,
        }
    }
    assert!(length <= trunk.entries.len());
    assert!(!whole || length == trunk.entries.len());
});
