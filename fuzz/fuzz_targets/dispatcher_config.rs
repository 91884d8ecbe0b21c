//! The dispatcher's configuration: any text is read or refused, and what is read makes a list.
#![no_main]

use dispatcher::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text) {
        Ok(config) => {
            let list = config.list().expect("what is read makes a list");
            assert_eq!(list.sets().len(), config.sets.len());
            assert!(config.http.is_none_or(|http| http.listen.ip().is_loopback() || http.token.is_some()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
