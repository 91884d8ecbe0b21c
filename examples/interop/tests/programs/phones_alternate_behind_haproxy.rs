//! Phones know one address, HAProxy's; it spreads them over the PBXs, and each PBX knows who is with it.

use interop::baresip::{Baresip, Setup};
use interop::sipp::{self, Sipp};
use interop::thesis::Cluster;
use std::time::Duration;

#[test]
fn baresip_and_sipp_register_over_tcp_and_alternate_between_the_pbxs() {
    let cluster = Cluster::start("alternate");
    let baresip = |user| {
        let setup = Setup { user, transport: "tcp", tone: 440.0, answers: true };
        let phone = Baresip::start_at(&cluster.ports, &cluster.folder, cluster.front, &setup);
        (phone, cluster.home_of(user))
    };
    let sipp = |user| {
        let setup = sipp::Setup {
            scenario: "register_and_stay",
            local: cluster.ports.address(),
            server: cluster.front,
            service: user,
            user,
            length: Duration::from_secs(120),
            tcp: true,
            ..sipp::Setup::default()
        };
        (Sipp::start(&cluster.folder, &setup), cluster.home_of(user))
    };
    let (mut first, home) = baresip("1001");
    let (mut second, of_second) = baresip("1002");
    let (third, of_third) = sipp("1003");
    let (fourth, of_fourth) = sipp("1004");
    assert_eq!([home, of_second, of_third, of_fourth], [0, 1, 0, 1]);

    for (index, member) in cluster.members.iter().enumerate() {
        let peers = member.execute("sip show peers");
        for (account, place) in [("1001", home), ("1002", of_second), ("1003", of_third), ("1004", of_fourth)] {
            let mut lines = peers.lines().filter(|line| line.starts_with(account));
            let line = lines.next().unwrap_or_else(|| panic!("no {account} in\n{peers}"));
            // What a PBX behind a balancer sees is the balancer; what is not with it, it does not see at all.
            let here = line.split_whitespace().any(|word| word.starts_with("127."));
            assert_eq!(here, place == index, "{line}");
            assert_ne!(line.contains("(Unspecified)"), here, "{line}");
            assert_eq!(lines.next(), None, "{peers}");
        }
    }
    first.quit();
    second.quit();
    // They say goodbye; SIPp just goes.
    drop((third, fourth));
    for account in ["1001", "1002", "1003", "1004"] {
        interop::wait::until(&format!("the end of {account}"), interop::wait::PATIENCE, || {
            cluster.members.iter().all(|member| !member.is_registered(account)).then_some(())
        });
    }
    cluster.stop();
}
