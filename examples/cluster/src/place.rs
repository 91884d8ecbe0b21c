//! Which addresses the parts have: all on loopback, so that one machine plays five.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// SIP's port.
pub const SIP: u16 = 5060;

/// IAX2's port.
pub const IAX2: u16 = 4569;

/// The private addresses that the thesis's files name, of the first PBX and the second.
const NAMED: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(192, 168, 0, 2)), IpAddr::V4(Ipv4Addr::new(192, 168, 0, 3))];

/// The addresses of one cluster: `127.N.1.*` is its public network, `127.N.2.*` the private one, and the phones are at `127.N.3.*`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(pub u8);

impl Place {
    const fn address(self, network: u8, host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.0, network, host))
    }

    /// Where phones register.
    #[must_use]
    pub const fn balancer(self) -> SocketAddr {
        SocketAddr::new(self.address(1, 1), SIP)
    }

    /// The address of a PBX that phones send media to.
    #[must_use]
    pub const fn public(self, node: u8) -> IpAddr {
        self.address(1, 2 + node)
    }

    /// The address of a PBX that the balancer and the other PBX reach.
    #[must_use]
    pub const fn private(self, node: u8) -> IpAddr {
        self.address(2, 2 + node)
    }

    /// The address of a demonstration phone.
    #[must_use]
    pub const fn phone(self, phone: u8) -> IpAddr {
        self.address(3, 1 + phone)
    }

    /// What the addresses in the files mean here.
    #[must_use]
    pub fn map(self) -> Vec<(IpAddr, IpAddr)> {
        (0..).zip(NAMED).map(|(node, named)| (named, self.private(node))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_addresses_become_loopback_ones() {
        let map = Place(7).map();
        assert_eq!(map[1], ("192.168.0.3".parse().unwrap(), "127.7.2.3".parse().unwrap()));
        assert_eq!(Place::default().balancer(), "127.0.1.1:5060".parse().unwrap());
    }
}
