//! A small reader of pcap files, and where the shared captures are.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// One UDP datagram of a capture.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Time since the capture's first packet.
    pub at: Duration,
    /// Sender.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// UDP payload.
    pub payload: Vec<u8>,
}

/// The folder of shared captures, when it is there.
pub fn captures() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/iax2"));
    if folder.is_dir() {
        Some(folder)
    } else {
        eprintln!("SKIPPED for want of {}: the captures of real Asterisk are not here", folder.display());
        None
    }
}

/// Every IAX2 datagram (UDP port 4569) of a little-endian pcap file of Ethernet frames.
pub fn read_pcap(bytes: &[u8]) -> Vec<Datagram> {
    let u32le = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(u32le(0), 0xa1b2_c3d4, "microsecond pcap");
    assert_eq!(u32le(20), 1, "Ethernet");
    let (mut at, mut first, mut out) = (24, None, Vec::new());
    while at + 16 <= bytes.len() {
        let time = Duration::new(u64::from(u32le(at)), u32le(at + 4) * 1000);
        let first = *first.get_or_insert(time);
        let packet = &bytes[at + 16..at + 16 + u32le(at + 8) as usize];
        at += 16 + packet.len();
        if packet[12..14] != [8, 0] || packet[23] != 17 {
            continue;
        }
        let ip = &packet[14..];
        let udp = &ip[usize::from(ip[0] & 15) * 4..];
        let address = |at: usize| IpAddr::V4(Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]));
        let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        if port(0) != 4569 && port(2) != 4569 {
            continue;
        }
        out.push(Datagram {
            at: time - first,
            source: SocketAddr::new(address(12), port(0)),
            destination: SocketAddr::new(address(16), port(2)),
            payload: udp[8..usize::from(port(4))].to_vec(),
        });
    }
    out
}

/// Bytes written as hexadecimal digits; white space is ignored.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
