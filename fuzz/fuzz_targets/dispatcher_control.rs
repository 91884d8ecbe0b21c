//! Bodies of the dispatcher's control: whatever they are, the destination that they name is one that a list takes or refuses.
#![no_main]

use dispatcher::config::{SetConfig, list};
use dispatcher::http::Addition;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(addition) = serde_json::from_slice::<Addition>(data) else { return };
    let name = addition.destination.name();
    let set = SetConfig {
        name: addition.set.unwrap_or_else(|| "all".to_owned()),
        algorithm: "hash".to_owned(),
        key: "call-id".to_owned(),
        domains: Vec::new(),
        destinations: vec![addition.destination],
        services: Vec::new(),
    };
    if let Ok(list) = list(&[set]) {
        assert!(list.sets().iter().flat_map(|set| &set.destinations).any(|it| *it.name == name));
    }
});
