//! The other PBX dies without a word, as by a bug or the lack of memory: its peer is not told, and has not asked yet.

use interop::couple::anywhere;
use interop::media::Line;
use interop::phone::{Phone, sdp};
use interop::thesis::Cluster;
use interop::wait::{PATIENCE, until};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_call_right_after_the_kill_is_answered_locally_within_a_second() {
    let mut cluster = Cluster::start("killed");
    let (mut alice, _other, mut carol) = (cluster.phone("1001"), cluster.phone("1002"), cluster.phone("1003"));
    let home = cluster.home_of("1001");
    assert_eq!((cluster.home_of("1002"), cluster.home_of("1003")), (1 - home, home));
    let (of_alice, of_carol) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));

    cluster.members[1 - home].kill();
    let peers = cluster.members[home].console("iax2 show peers");
    assert!(peers.contains("OK ("), "nobody has noticed yet:\n{peers}");
    let began = Instant::now();
    let mut outgoing = alice.invite("1003", &sdp(of_alice.address, "sendrecv"));
    let incoming = carol.incoming();
    carol.respond(&incoming, "200 OK", &sdp(of_carol.address, "sendrecv"));
    assert_eq!(alice.outcome(&mut outgoing).status(), Some(200));
    let took = began.elapsed();
    println!("called after the kill: answered locally after {took:?}");
    assert!(took < SECOND, "{took:?}");
    carol.request(&incoming, "ACK");
    assert_eq!(alice.bye(&mut outgoing), 200);
    carol.wait_for_bye(&incoming);
    let records = cluster.members[home].wait_for_records(1);
    assert_eq!(records[0].lastdata, "SIP/1003,15,r", "{records:?}");
    cluster.stop();
}

#[test]
fn a_call_that_rings_there_when_it_is_killed_goes_on_locally_within_a_second() {
    let mut cluster = Cluster::start("killed-ringing");
    let (mut alice, mut bob) = (cluster.phone("1001"), cluster.phone("1002"));
    let home = cluster.home_of("1001");
    assert_eq!(cluster.home_of("1002"), 1 - home);
    let of_alice = Line::new(anywhere(), 440.0);
    let mut outgoing = alice.invite("1002", &sdp(of_alice.address, "sendrecv"));
    let incoming = bob.incoming();
    bob.respond(&incoming, "180 Ringing", "");
    until("the other side of the trunk", PATIENCE, || {
        cluster.members[home].execute("core show channels").contains("Ringing").then_some(())
    });

    let began = Instant::now();
    cluster.members[1 - home].kill();
    // 1002 is registered nowhere else: the dialplan goes on to a phone that is not there, and the caller is told.
    let status = alice.outcome(&mut outgoing).status();
    let took = began.elapsed();
    println!("killed while it rang there: the dialplan went on and ended after {took:?} with {status:?}");
    assert!(status.is_some_and(|status| status >= 400), "{status:?}");
    assert!(took < SECOND, "{took:?}");
    let records = cluster.members[home].wait_for_records(1);
    assert_eq!(records[0].lastdata, "SIP/1002,15,r", "{records:?}");
    cluster.stop();
}
