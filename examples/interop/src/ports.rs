//! Port numbers that no other test of this machine uses at the same time.
//!
//! Tests run as processes of their own. Each holds one of a few slots by listening on the slot's port, and has the slot's
//! numbers for itself; all lie below the range from which the system takes its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};

const SLOTS: u16 = 7;
const FIRST: u16 = 11_000;

/// A slot.
#[derive(Debug)]
pub struct Ports {
    slot: u16,
    next: AtomicU16,
    _held: TcpListener,
}

impl Ports {
    /// A slot that nobody has.
    ///
    /// # Panics
    ///
    /// When all are held for too long.
    pub fn claim() -> Self {
        let (slot, held) = crate::wait::until("a free slot of ports", crate::wait::PATIENCE * 8, || {
            (0..SLOTS).find_map(|slot| Some((slot, TcpListener::bind(local(FIRST + slot * 100)).ok()?)))
        });
        Self { slot, next: AtomicU16::new(1), _held: held }
    }

    /// An address on loopback that is free for UDP and TCP, and the one above it too.
    ///
    /// # Panics
    ///
    /// When the slot's numbers are used up.
    pub fn address(&self) -> SocketAddr {
        loop {
            let offset = self.next.fetch_add(2, Ordering::Relaxed);
            assert!(offset < 98, "no port left in slot {}", self.slot);
            let address = local(FIRST + self.slot * 100 + offset);
            let above = local(address.port() + 1);
            let free = [address, above].iter().all(|it| UdpSocket::bind(it).is_ok() && TcpListener::bind(it).is_ok());
            if free {
                return address;
            }
        }
    }

    /// An address for a SIPp beside others: it takes the one above for audio, and the third above for video.
    pub fn of_sipp(&self) -> SocketAddr {
        let address = self.address();
        self.next.fetch_add(2, Ordering::Relaxed);
        address
    }

    /// A network of loopback, `127.N.*.*`, with all its ports.
    pub fn network(&self) -> u8 {
        20 + u8::try_from(self.slot).unwrap_or(0)
    }

    /// The ports for the media of the PBX: enough for 500 calls with four ports each and their rest.
    pub fn media(&self) -> RangeInclusive<u16> {
        let first = 12_000 + self.slot * 2_400;
        first..=first + 2_399
    }

    /// The ports of all slots for the media of a PBX.
    pub const fn all_media() -> RangeInclusive<u16> {
        12_000..=12_000 + SLOTS * 2_400 - 1
    }

    /// The ports for the media of phones, a part of them.
    pub fn phone_media(&self, part: u16) -> RangeInclusive<u16> {
        let first = 29_000 + self.slot * 400 + (part % 8) * 50;
        first..=first + 49
    }
}

/// A port on loopback.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
