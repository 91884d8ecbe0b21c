//! A server that answers every request with 200.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use bytes::Bytes;
use sip_core::framing::{Frame, Stream};
use sip_core::{Limits, Message, Response, StatusCode};

/// Starts one on loopback.
pub fn start(tcp: bool) -> SocketAddr {
    if tcp {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || down_a_stream(stream));
            }
        });
        return address;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("its address");
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while let Ok((length, source)) = socket.recv_from(&mut buffer) {
            let message = Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default());
            if let Ok(Message::Request(request)) = message {
                let answer = Response::to(&request, StatusCode::OK).to_tag(b"server").build();
                let _ = socket.send_to(&answer.to_bytes(), source);
            }
        }
    });
    address
}

fn down_a_stream(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut frames = Stream::new(Limits::default());
    let mut buffer = vec![0; 65_535];
    while let Ok(length) = stream.read(&mut buffer) {
        if length == 0 {
            return;
        }
        frames.push(&buffer[..length]);
        let mut answers = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            if let Frame::Message(Message::Request(request)) = frame {
                answers.extend_from_slice(&Response::to(&request, StatusCode::OK).to_tag(b"server").build().to_bytes());
            }
        }
        if stream.write_all(&answers).is_err() {
            return;
        }
    }
}
