//! A server that answers every request with 200.

use nix::poll::{PollFd, PollFlags, poll};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

use crate::batch::{Batch, socket};

/// Starts so many on loopback.
pub fn start(tcp: bool, count: usize) -> Vec<SocketAddr> {
    if tcp {
        return (0..count).map(|_| start_tcp()).collect();
    }
    let sockets: Vec<UdpSocket> = (0..count).map(|_| socket()).collect();
    let addresses = sockets.iter().map(|socket| socket.local_addr().expect("its address")).collect();
    // Two threads, whatever their number.
    let mut halves = [Vec::new(), Vec::new()];
    sockets.into_iter().enumerate().for_each(|(number, socket)| halves[number % 2].push(socket));
    for sockets in halves {
        std::thread::spawn(move || serve(&sockets));
    }
    addresses
}

fn serve(sockets: &[UdpSocket]) {
    let mut batch = Batch::new();
    loop {
        let mut polled: Vec<PollFd<'_>> =
            sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut polled, 1_000_u16);
        for (socket, polled) in sockets.iter().zip(&polled) {
            if polled.any().unwrap_or(false) && batch.receive(socket) > 0 {
                batch.answer(answer);
                batch.send(socket);
            }
        }
    }
}

fn start_tcp() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || down_a_stream(stream));
        }
    });
    address
}

/// The lines of a request that belong into its answer (RFC 3261 §8.2.6.2). A server of a benchmark reads no more than it must.
fn answer(request: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    for line in request.split_inclusive(|byte| *byte == b'\n').skip(1) {
        match line {
            b"\r\n" => break,
            [b'T', b'o', b':', ..] => {
                out.extend_from_slice(&line[..line.len() - 2]);
                out.extend_from_slice(b";tag=server\r\n");
            }
            [b'V', b'i', ..] | [b'F', b'r', ..] | [b'C', b'a', ..] | [b'C', b'S', ..] | [b'R', b'e', ..] => {
                out.extend_from_slice(line);
            }
            _ => {}
        }
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

fn down_a_stream(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 262_144];
    let mut held = 0;
    let mut answers = Vec::new();
    while let Ok(length) = stream.read(&mut buffer[held..]) {
        if length == 0 {
            return;
        }
        held += length;
        let mut done = 0;
        while let Some(length) = crate::generator::message(&buffer[done..held]) {
            answer(&buffer[done..done + length], &mut answers);
            done += length;
        }
        buffer.copy_within(done..held, 0);
        held -= done;
        if stream.write_all(&answers).is_err() {
            return;
        }
        answers.clear();
    }
}
