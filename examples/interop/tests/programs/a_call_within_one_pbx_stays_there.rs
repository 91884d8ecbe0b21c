//! Two phones with the same PBX, whose dialplan asks the other PBX first.
//!
//! `exten=>_1XXX,1,Dial(IAX2/…)` comes before `Dial(SIP/…)`, so the other PBX *is* asked. It has no such phone, and its own
//! dialplan would ask back: it must not, since the call came from there. So it refuses at once, and the phone rings where
//! it is. What must be seen: the answer within a second; no channel on the trunk once the call is up; one record of the
//! call, `SIP/…` to `SIP/…`; and on the other PBX one record of the question, not answered, with no channel beyond.

use interop::couple::anywhere;
use interop::media::{Line, talk_for};
use interop::phone::{Phone, sdp};
use interop::thesis::Cluster;
use std::time::{Duration, Instant};

#[test]
fn the_other_pbx_is_asked_once_and_the_phone_rings_at_once() {
    let cluster = Cluster::start("within");
    let [mut alice, _bob, mut carol] = ["1001", "1002", "1003"].map(|account| cluster.phone(account));
    let home = cluster.home_of("1001");
    assert_eq!((cluster.home_of("1002"), cluster.home_of("1003")), (1 - home, home));
    let (near, far) = (&cluster.members[home], &cluster.members[1 - home]);

    let (mut of_alice, mut of_carol) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let began = Instant::now();
    let mut outgoing = alice.invite("1003", &sdp(of_alice.address, "sendrecv"));
    let incoming = carol.incoming();
    of_carol.remote = incoming.invite.media();
    carol.respond(&incoming, "200 OK", &sdp(of_carol.address, "sendrecv"));
    let answer = alice.outcome(&mut outgoing);
    let took = began.elapsed();
    println!("answered after {took:?}");
    assert_eq!(answer.status(), Some(200), "{}", answer.start);
    assert!(took < Duration::from_secs(1), "{took:?}");
    carol.request(&incoming, "ACK");
    of_alice.remote = answer.media();

    let lines = talk_for(vec![of_alice, of_carol], Duration::from_secs(2));
    assert!(lines[0].heard.duration_of(620.0) > Duration::from_millis(1_500), "{}", lines[0].heard);
    assert!(lines[1].heard.duration_of(440.0) > Duration::from_millis(1_500), "{}", lines[1].heard);
    for member in [near, far] {
        let channels = member.execute("iax2 show channels");
        assert!(channels.contains("0 active IAX channels"), "{channels}");
    }
    assert_eq!(alice.bye(&mut outgoing), 200);
    carol.wait_for_bye(&incoming);

    let record = &near.wait_for_records(1)[0];
    assert!(record.channel.starts_with("SIP/1001-") && record.dstchannel.starts_with("SIP/1003-"), "{record:?}");
    assert_eq!((record.lastdata.as_str(), record.disposition.as_str()), ("SIP/1003,15,r", "ANSWERED"));
    let record = &far.wait_for_records(1)[0];
    assert!(record.channel.starts_with(&format!("IAX2/{}-", far.other)), "{record:?}");
    assert_eq!(record.dstchannel, "", "nobody was called there: {record:?}");
    assert_ne!(record.disposition, "ANSWERED", "{record:?}");
    near.wait_for_empty_tables();
    far.wait_for_empty_tables();
    assert_eq!((near.records().len(), far.records().len()), (1, 1), "the call went round in a loop");
    cluster.stop();
}
