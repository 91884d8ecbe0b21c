//! The other PBX is gone: the trunk that the dialplan tries first leads nowhere, and the local phone is called at once.

use interop::couple::anywhere;
use interop::media::Line;
use interop::phone::{Phone, sdp};
use interop::thesis::Cluster;
use interop::wait::{PATIENCE, until};
use std::time::{Duration, Instant};

#[test]
fn a_local_call_is_answered_within_a_second() {
    let mut cluster = Cluster::start("stopped");
    let (mut alice, mut other, mut carol) = (cluster.phone("1001"), cluster.phone("1002"), cluster.phone("1003"));
    let home = cluster.home_of("1001");
    assert_eq!((cluster.home_of("1002"), cluster.home_of("1003")), (1 - home, home));
    let mut call = |when: &str| {
        let (of_alice, of_carol) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
        let began = Instant::now();
        let mut outgoing = alice.invite("1003", &sdp(of_alice.address, "sendrecv"));
        let incoming = carol.incoming();
        carol.respond(&incoming, "200 OK", &sdp(of_carol.address, "sendrecv"));
        assert_eq!(alice.outcome(&mut outgoing).status(), Some(200));
        let took = began.elapsed();
        println!("{when}: answered after {took:?}");
        assert!(took < Duration::from_secs(1), "{when}: {took:?}");
        carol.request(&incoming, "ACK");
        assert_eq!(alice.bye(&mut outgoing), 200);
        carol.wait_for_bye(&incoming);
    };

    call("with both");
    cluster.members[1 - home].stop();
    until("the phone of the stopped PBX loses its connection", PATIENCE, || other.is_cut_off().then_some(()));
    call("stopped");
    let near = &cluster.members[home];
    until("the operator sees that the other PBX is gone", PATIENCE, || {
        (!near.execute("iax2 show peers").contains("OK (")).then_some(())
    });
    let records = near.wait_for_records(2);
    let last = records.last().map(|record| record.lastdata.as_str());
    assert_eq!(last, Some("SIP/1003,15,r"), "{records:?}");
    cluster.stop();
}
