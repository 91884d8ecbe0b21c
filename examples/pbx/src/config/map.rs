//! Where configured hosts are: names looked up, and addresses that mean others.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use sip_core::uri::{Host, HostPort};

use super::{Account, Address, Config, Network};

impl Config {
    /// Makes addresses mean others, and remembers it for names that are looked up later.
    pub fn map_addresses(&mut self, map: &[(IpAddr, IpAddr)]) {
        let one = |ip: IpAddr| map.iter().find(|(from, _)| *from == ip).map_or(ip, |(_, to)| *to);
        let socket = |address: &mut SocketAddr| address.set_ip(one(address.ip()));
        let host = |host: &mut Host| {
            if let Some(ip) = ip_of(host) {
                *host = one(ip).into();
            }
        };
        let network = |network: &mut Network| {
            let whole = if network.address().is_ipv4() { 32 } else { 128 };
            if network.prefix() == whole {
                *network = Network::host(one(network.address()));
            }
        };
        let place = |address: &mut Address| {
            if let Address::Fixed(fixed) = address {
                host(&mut fixed.host);
            }
        };
        self.sip.udp.iter_mut().chain(&mut self.sip.tcp).chain(&mut self.iax.listen).for_each(socket);
        self.sip.trusted.iter_mut().chain(&mut self.sip.balancers).for_each(|ip| *ip = one(*ip));
        if let Some(ip) = self.sip.advertised.as_ref().and_then(|text| text.parse().ok()) {
            self.sip.advertised = Some(one(ip).to_string());
        }
        for ip in self.rtp.address.iter_mut().chain(&mut self.rtp.advertised) {
            *ip = one(*ip);
        }
        for account in &mut self.accounts {
            place(&mut account.address);
            account.trusted.iter_mut().for_each(network);
            account.acl.rules.iter_mut().for_each(|rule| network(&mut rule.network));
        }
        for peer in &mut self.iax.peers {
            place(&mut peer.address);
            peer.acl.rules.iter_mut().for_each(|rule| network(&mut rule.network));
        }
        self.iax.token_exempt.iter_mut().for_each(network);
        self.iax.registrations.iter_mut().for_each(|registration| host(&mut registration.host.host));
        self.registrations.iter_mut().for_each(|registration| host(&mut registration.host.host));
        self.address_map = map.to_vec();
    }

    /// Where a configured host is: an address at once, a name once it was looked up.
    #[must_use]
    pub fn socket(&self, host: &HostPort, default_port: u16) -> Option<SocketAddr> {
        let ip = match &host.host {
            Host::Name(name) => *self.resolved.get(&String::from_utf8_lossy(name).to_ascii_lowercase())?,
            other => ip_of(other)?,
        };
        Some(SocketAddr::new(ip, host.port.unwrap_or(default_port)))
    }

    /// Whether calls from an address are taken as an account's own without a password.
    #[must_use]
    pub fn trusts(&self, account: &Account, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let there = match &account.address {
            Address::Fixed(host) if account.trust_address => {
                self.socket(host, 0).is_some_and(|socket| socket.ip().to_canonical() == ip)
            }
            _ => false,
        };
        there || account.trusted.iter().any(|network| network.contains(ip))
    }

    /// The host names in the configuration.
    #[must_use]
    pub fn host_names(&self) -> BTreeSet<String> {
        let accounts = self.accounts.iter().map(|account| &account.address);
        let peers = self.iax.peers.iter().map(|peer| &peer.address);
        let fixed = accounts.chain(peers).filter_map(|address| match address {
            Address::Fixed(host) => Some(host),
            Address::Dynamic | Address::Nowhere => None,
        });
        let registrations = self.registrations.iter().map(|registration| &registration.host);
        let hosts =
            fixed.chain(registrations).chain(self.iax.registrations.iter().map(|registration| &registration.host));
        hosts
            .filter_map(|host| match &host.host {
                Host::Name(name) => Some(String::from_utf8_lossy(name).to_ascii_lowercase()),
                _ => None,
            })
            .collect()
    }

    /// Looks the host names up. Those that are not found are logged, and not reached. Call it within a tokio runtime.
    pub async fn resolve(&mut self) {
        for name in self.host_names() {
            let found = tokio::time::timeout(Duration::from_secs(5), tokio::net::lookup_host((name.as_str(), 0)));
            let found = found.await.map(|found| found.map(|mut sockets| sockets.next().map(|socket| socket.ip())));
            match found {
                Ok(Ok(ip)) => {
                    if let Some(ip) = ip {
                        let mapped = self.address_map.iter().find(|(from, _)| *from == ip).map_or(ip, |(_, to)| *to);
                        self.resolved.insert(name, mapped);
                    }
                }
                Ok(Err(error)) => tracing::warn!(host = name, %error, "a configured host is not found"),
                Err(_) => tracing::warn!(host = name, "a configured host is not found in time"),
            }
        }
    }
}

fn ip_of(host: &Host) -> Option<IpAddr> {
    match host {
        Host::V4(ip) => Some((*ip).into()),
        Host::V6(ip) => Some((*ip).into()),
        Host::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Acl;

    #[test]
    fn one_machine_plays_several_by_mapping_addresses() {
        let mut config = Config::default();
        config.sip.udp = vec!["192.168.0.2:5060".parse().unwrap()];
        let mut account = Account::new("trunk", "Shai3ohn");
        account.address = Address::Fixed("192.168.0.3:5070".parse().unwrap());
        account.trust_address = true;
        account.acl =
            Acl { rules: vec![crate::config::Rule { permit: true, network: "192.168.0.3".parse().unwrap() }] };
        config.accounts.push(account);
        let read = |text: &str| text.parse::<IpAddr>().unwrap();
        config.map_addresses(&[(read("192.168.0.2"), read("127.0.2.2")), (read("192.168.0.3"), read("127.0.2.3"))]);
        assert_eq!(config.sip.udp, ["127.0.2.2:5060".parse().unwrap()]);
        let account = &config.accounts[0];
        let Address::Fixed(host) = &account.address else { panic!("{account:?}") };
        assert_eq!(config.socket(host, 5060), Some("127.0.2.3:5070".parse().unwrap()));
        assert!(config.trusts(account, read("127.0.2.3")) && config.trusts(account, read("::ffff:127.0.2.3")));
        assert!(!config.trusts(account, read("192.168.0.3")));
        assert_eq!(account.acl.rules[0].network, Network::host(read("127.0.2.3")));
    }

    #[tokio::test]
    async fn a_name_is_an_address_only_once_it_was_looked_up() {
        let mut config = Config::default();
        let mut account = Account::new("trunk", "Shai3ohn");
        account.address = Address::Fixed("LocalHost".parse().unwrap());
        config.accounts.push(account);
        let host: HostPort = "localhost".parse().unwrap();
        assert_eq!(config.socket(&host, 5060), None);
        config.resolve().await;
        assert!(config.socket(&host, 5060).is_some_and(|socket| socket.ip().is_loopback() && socket.port() == 5060));
    }
}
