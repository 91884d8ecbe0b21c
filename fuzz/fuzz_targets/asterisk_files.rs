//! A folder of Asterisk's files: any text in each is read, what is told of it is bounded and shows on one line each, and
//! what can be used means the same when our own file says it.
#![no_main]

use std::{io, path::Path};

use libfuzzer_sys::fuzz_target;
use pbx::{asterisk, config::Config};

const NAMES: [&str; 5] = ["sip.conf", "pjsip.conf", "iax.conf", "extensions.conf", "rtp.conf"];

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // The files one after the other, with a form feed between them.
    let files: Vec<_> = text.split('\u{c}').collect();
    let loaded = asterisk::load_from(&mut |name: &str| {
        let found = NAMES.iter().position(|known| *known == name).and_then(|place| files.get(place));
        found.map(|text| (*text).to_owned()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    });
    assert!(loaded.report.problems.len() <= 1002);
    assert_eq!(loaded.report.to_string().lines().count(), loaded.report.problems.len());
    assert_eq!(loaded.config.is_some(), loaded.report.errors() == 0);
    if let Some(mut config) = loaded.config {
        // The dialplan is in a file of its own, which is not there.
        config.dialplan_source = pbx::config::DialplanSource::Generated;
        config.generate_dialplan();
        if let Ok(again) = Config::parse(Path::new("again.toml"), &config.to_toml()) {
            assert_eq!(again.accounts, config.accounts);
            assert_eq!(again.iax, config.iax);
            assert_eq!(again.registrations, config.registrations);
        }
    }
});
