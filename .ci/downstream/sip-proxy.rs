//! Registers a phone with the renamed crate alone.
use mine::registrar::{Authority, Config, Registrar};
use mine::sip_core::{Limits, Message};
use mine::sip_transaction::{Endpoint, ListenerConfig, Source, Transport};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = b"REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:alice@example.org>;tag=1\r\nTo: <sip:alice@example.org>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
        Contact: <sip:alice@10.0.0.5>\r\nExpires: 600\r\n\r\n";
    let Ok(Message::Request(request)) = Message::parse(text[..].into(), &Limits::default()) else { panic!("a request") };
    let local = "192.0.2.9:5060".parse()?;
    let listener = Endpoint::new(Default::default(), [0; 32]).add_listener(ListenerConfig::new(Transport::Udp, local));
    let source = Source { transport: Transport::Udp, listener, remote: "192.0.2.1:5060".parse()?, local, connection: None, received: None };
    let now = Instant::now();
    let mut registrar = Registrar::new(Config::default(), [7; 32]);
    assert_eq!(registrar.register(now, &request, &source, Authority::User(b"alice")).status().as_u16(), 200);
    let address = registrar.address(&"sip:alice@example.org".parse()?).expect("one of our users");
    assert_eq!(registrar.location().targets(now, &address)[0].target().remote, "192.0.2.1:5060".parse()?);
    Ok(())
}
