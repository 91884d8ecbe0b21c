//! Any list of elements: what parses encodes to itself, and every reading of it is defined.
#![no_main]

use iax2::{Elements, ElementsBuf, Preferences, Uri};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(elements) = Elements::parse(data) {
        let again: ElementsBuf = elements.iter().collect();
        assert_eq!(again.as_bytes(), data);
        for element in &elements {
            assert!(elements.get(element.id()).is_some());
            let _text = elements.text(element.id());
        }
    }
    let letters = Preferences::from_letters(data).to_letters();
    assert!(letters.len() <= 32);
    if let Ok(uri) = std::str::from_utf8(data).unwrap_or_default().parse::<Uri>() {
        let printed = uri.to_string();
        assert!(printed.parse::<Uri>().is_ok_and(|again| again.equivalent(&uri)), "{printed}");
    }
});
