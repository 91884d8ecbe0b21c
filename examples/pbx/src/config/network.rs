//! Ranges of addresses, and lists of them that permit or deny.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The addresses that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// Any of them; the bits behind the prefix are zero.
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The range of an address with so many leading bits; as many as there are, at most.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.min(bits);
        let address = match address {
            IpAddr::V4(v4) => Ipv4Addr::from(v4.to_bits() & left_bits(prefix).wrapping_shr(96) as u32).into(),
            IpAddr::V6(v6) => Ipv6Addr::from(v6.to_bits() & left_bits(prefix)).into(),
        };
        Self { address, prefix }
    }

    /// One address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self::new(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits are fixed.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address is one of them. An IPv4 address written as an IPv6 one is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address.to_canonical(), self.prefix) == *self
    }

    /// Whether all of the other are among them.
    fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Whether there is an address in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The address, when it is one only.
    pub(crate) fn only(&self) -> Option<IpAddr> {
        (*self == Self::host(self.address)).then_some(self.address)
    }

    /// Its two halves; `None` for one address.
    fn halves(&self) -> Option<(Self, Self)> {
        let prefix = self.prefix + 1;
        match self.address {
            IpAddr::V4(v4) if prefix <= 32 => {
                let upper = v4.to_bits() | 1u32.wrapping_shl(32 - u32::from(prefix));
                Some((Self::new(self.address, prefix), Self::new(Ipv4Addr::from(upper).into(), prefix)))
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let upper = v6.to_bits() | 1u128.wrapping_shl(128 - u32::from(prefix));
                Some((Self::new(self.address, prefix), Self::new(Ipv6Addr::from(upper).into(), prefix)))
            }
            _ => None,
        }
    }
}

/// So many ones, then zeros.
fn left_bits(count: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(count)).unwrap_or(0)
}

impl From<Network> for iax2::Network {
    fn from(network: Network) -> Self {
        Self::new(network.address, network.prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Text that is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a range of addresses")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    /// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, or one address.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address.trim(), Some(mask.trim())),
            None => (text.trim(), None),
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let Some(mask) = mask else { return Ok(Self::host(address)) };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match mask.parse::<u8>() {
            Ok(prefix) if prefix <= bits => prefix,
            Ok(_) => return Err(NoNetwork),
            Err(_) => {
                let mask: Ipv4Addr = mask.parse().map_err(|_| NoNetwork)?;
                let ones = mask.to_bits().leading_ones();
                if !address.is_ipv4() || mask.to_bits().count_ones() != ones {
                    return Err(NoNetwork);
                }
                u8::try_from(ones).map_err(|_| NoNetwork)?
            }
        };
        Ok(Self::new(address, prefix))
    }
}

/// One line of an [`Acl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Whether the addresses may come in.
    pub permit: bool,
    /// The addresses.
    pub network: Network,
}

/// Asterisk's `deny` and `permit` lines: of the lines that name an address the last one counts, and an address that no
/// line names may come in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acl {
    /// The lines in order.
    pub rules: Vec<Rule>,
}

impl Acl {
    /// Whether an address may come in.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let last = self.rules.iter().rev().find(|rule| rule.network.contains(address));
        last.is_none_or(|rule| rule.permit)
    }

    /// Whether it lets everybody in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The same as a list of what may come in, for who knows only such lists.
    #[must_use]
    pub fn permitted(&self) -> Vec<Network> {
        let mut permitted = Vec::new();
        let all = [Network::new(Ipv4Addr::UNSPECIFIED.into(), 0), Network::new(Ipv6Addr::UNSPECIFIED.into(), 0)];
        for whole in all {
            let relevant: Vec<_> =
                self.rules.iter().filter(|rule| rule.network.address.is_ipv4() == whole.address.is_ipv4()).collect();
            split(&relevant, whole, &mut permitted);
        }
        permitted
    }
}

/// Adds what is permitted of a range. A range is only halved when a rule is about a part of it: so a rule costs at most
/// as many steps as addresses have bits.
fn split(rules: &[&Rule], range: Network, permitted: &mut Vec<Network>) {
    let last = rules.iter().rposition(|rule| rule.network.covers(&range));
    let later = last.map_or(rules, |at| rules.get(at + 1..).unwrap_or_default());
    if later.iter().any(|rule| range.covers(&rule.network))
        && let Some((lower, upper)) = range.halves()
    {
        split(rules, lower, permitted);
        split(rules, upper, permitted);
        return;
    }
    if last.and_then(|at| rules.get(at)).is_none_or(|rule| rule.permit) {
        permitted.push(range);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_mask_of_numbers_is_the_same_as_a_prefix() {
        assert_eq!(network("10.1.2.3/255.255.0.0"), network("10.1.0.0/16"));
        assert_eq!(network("0.0.0.0/0.0.0.0").to_string(), "0.0.0.0/0");
        assert_eq!(network("192.0.2.1").to_string(), "192.0.2.1/32");
        assert_eq!(network("2001:db8::1/32").to_string(), "2001:db8::/32");
        for wrong in ["", "10", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "::/129", "::/255.0.0.0", "localhost"] {
            assert_eq!(wrong.parse::<Network>(), Err(NoNetwork), "{wrong}");
        }
    }

    fn acl(lines: &[(bool, &str)]) -> Acl {
        Acl { rules: lines.iter().map(|(permit, text)| Rule { permit: *permit, network: network(text) }).collect() }
    }

    #[test]
    fn the_last_line_that_names_an_address_counts() {
        let acl = acl(&[(false, "0.0.0.0/0"), (true, "10.0.0.0/8"), (false, "10.9.0.0/16")]);
        let allows = |text: &str| acl.allows(text.parse().unwrap());
        assert!(allows("10.1.1.1") && allows("::ffff:10.1.1.1") && allows("2001:db8::1"));
        assert!(!allows("10.9.1.1") && !allows("192.0.2.1"));
    }

    #[test]
    fn denying_all_and_permitting_one_permits_just_that() {
        let acl = acl(&[(false, "0.0.0.0/0"), (false, "::/0"), (true, "192.0.2.0/24")]);
        assert_eq!(acl.permitted(), [network("192.0.2.0/24")]);
    }

    fn rule() -> impl Strategy<Value = Rule> {
        (any::<bool>(), any::<bool>(), any::<u8>(), 0u8..=10).prop_map(|(permit, four, bits, prefix)| {
            let address: IpAddr =
                if four { Ipv4Addr::new(bits, 0, 0, 1).into() } else { Ipv6Addr::from(u128::from(bits) << 120).into() };
            Rule { permit, network: Network::new(address, prefix) }
        })
    }

    proptest! {
        #[test]
        fn what_is_permitted_is_what_is_allowed(rules in prop::collection::vec(rule(), 0..12), bits: u32, four: bool) {
            let acl = Acl { rules };
            let address: IpAddr = if four { Ipv4Addr::from(bits).into() } else { Ipv6Addr::from(u128::from(bits) << 96).into() };
            let permitted = acl.permitted();
            prop_assert_eq!(permitted.iter().any(|network| network.contains(address)), acl.allows(address));
        }
    }
}
