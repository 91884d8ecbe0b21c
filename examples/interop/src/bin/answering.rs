//! A small SIP server: answers OPTIONS and INVITE with 200, BYE with 200 if it knows the call, else with 481.

use std::collections::HashSet;
use std::net::UdpSocket;

use bytes::Bytes;
use sip_core::header::{HeaderName, To};
use sip_core::{Limits, Message, Method, Response, StatusCode};

fn main() {
    let address = std::env::args().nth(1).expect("an address to listen on");
    let socket = UdpSocket::bind(&address).expect("the address");
    let mut calls = HashSet::new();
    let mut buffer = vec![0; 65_535];
    println!("listening on {address}");
    loop {
        let (length, source) = socket.recv_from(&mut buffer).expect("a datagram");
        let message = Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default());
        let Ok(Message::Request(request)) = message else { continue };
        let call = request.headers().get(&HeaderName::CALL_ID).unwrap_or_default();
        let is_inside = request.headers().require::<To>().is_ok_and(|to| to.tag().is_some());
        let status = match request.method() {
            Method::Ack => continue,
            Method::Invite if !is_inside => {
                calls.insert(call.clone());
                StatusCode::OK
            }
            // Sent again, it gets the same answer.
            _ if is_inside && !calls.contains(&call) => StatusCode::CALL_DOES_NOT_EXIST,
            _ => StatusCode::OK,
        };
        let contact = format!("<sip:server@{address}>");
        let answer =
            Response::to(&request, status).to_tag(b"server").record_route().raw(&HeaderName::CONTACT, contact).build();
        let _ = socket.send_to(&answer.to_bytes(), source);
    }
}
