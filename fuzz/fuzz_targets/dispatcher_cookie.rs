//! Cookies: what was sealed opens to the same on its own call alone; bytes that were not sealed open to nothing.
#![no_main]

use std::net::SocketAddr;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sip_proxy::dispatcher::{CallKey, Secret};
use sip_proxy::stateless::{Cookie, CookieKey, Side};
use sip_transaction::Transport;

#[derive(Debug, Arbitrary)]
struct Input {
    tag: u64,
    flow: Option<(u8, SocketAddr)>,
    call: [u8; 16],
    caller: Vec<u8>,
    called: Vec<u8>,
    other: [u8; 16],
    flip: u16,
    raw: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let key = CookieKey::new(&Secret::from_seed([1; 32]));
    let (call, other) = (CallKey::from_bytes(input.call), CallKey::from_bytes(input.other));
    assert_eq!(key.open(&input.raw, call, &input.caller, &input.called), None);
    if input.caller.is_empty() || input.caller == input.called {
        return;
    }
    let transports = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
    let flow = input.flow.map(|(number, address)| {
        let plain = SocketAddr::new(address.ip(), address.port());
        (transports[usize::from(number) % transports.len()], plain)
    });
    let cookie = Cookie { tag: input.tag, flow };
    let mut written = key.seal(&cookie, call, &input.caller);
    assert_eq!(key.open(&written, call, &input.caller, &input.called), Some((cookie, Side::Caller)));
    assert_eq!(key.open(&written, call, &input.called, &input.caller), Some((cookie, Side::Called)));
    if call != other {
        assert_eq!(key.open(&written, other, &input.caller, &input.called), None);
    }
    let place = usize::from(input.flip) % written.len();
    written[place] ^= 1;
    assert_eq!(key.open(&written, call, &input.caller, &input.called), None);
});
