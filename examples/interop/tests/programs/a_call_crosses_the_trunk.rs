//! 1001 on one PBX calls 1002 on the other: two baresips behind HAProxy, the trunk between their PBXs.

use interop::baresip::{Baresip, Setup};
use interop::thesis::Cluster;
use interop::wait::{PATIENCE, until};
use std::time::Duration;

const ALICE: f64 = 440.0;
const BOB: f64 = 620.0;
const ENOUGH: Duration = Duration::from_secs(2);

#[test]
fn both_sides_hear_each_other_and_each_pbx_writes_its_record() {
    let cluster = Cluster::start("across");
    let start = |user, tone, answers| {
        let setup = Setup { user, transport: "tcp", tone, answers };
        let phone = Baresip::start_at(&cluster.ports, &cluster.folder, cluster.front, &setup);
        (phone, cluster.home_of(user))
    };
    let (mut alice, of_alice) = start("1001", ALICE, false);
    let (mut bob, of_bob) = start("1002", BOB, true);
    assert_ne!(of_alice, of_bob, "HAProxy takes turns");
    let (near, far) = (&cluster.members[of_alice], &cluster.members[of_bob]);

    alice.command("dial", &format!("sip:1002@{};transport=tcp", cluster.front));
    alice.wait_for("CALL_ESTABLISHED");
    bob.wait_for("CALL_ESTABLISHED");
    alice.wait_to_hear(BOB, ENOUGH);
    bob.wait_to_hear(ALICE, ENOUGH);

    // As an operator looks at it on each side.
    for (member, phone) in [(near, "SIP/1001-"), (far, "SIP/1002-")] {
        let trunk = format!("IAX2/{}-", member.other);
        let channels = until("the picture with both channels", PATIENCE, || {
            Some(member.execute("core show channels")).filter(|channels| channels.contains("2 active channels"))
        });
        assert!(channels.contains(&trunk) && channels.contains(phone), "{channels}");
        let channels = member.execute("iax2 show channels");
        assert!(channels.contains(member.other) && channels.contains("1 active IAX channel"), "{channels}");
    }
    bob.command("hangup", "");
    alice.wait_for("CALL_CLOSED");

    let record = &near.wait_for_records(1)[0];
    assert_eq!((record.src.as_str(), record.dst.as_str(), record.dcontext.as_str()), ("1001", "1002", "admin"));
    assert!(record.channel.starts_with("SIP/1001-"), "{record:?}");
    assert!(record.dstchannel.starts_with(&format!("IAX2/{}-", near.other)), "{record:?}");
    assert_eq!(record.lastapp, "Dial");
    assert_eq!(record.lastdata, format!("IAX2/{}/1002@admin,30,r", near.other));
    assert_eq!(record.disposition, "ANSWERED");
    let record = &far.wait_for_records(1)[0];
    assert_eq!((record.src.as_str(), record.dst.as_str(), record.dcontext.as_str()), ("1001", "1002", "admin"));
    assert!(record.channel.starts_with(&format!("IAX2/{}-", far.other)), "{record:?}");
    assert!(record.dstchannel.starts_with("SIP/1002-"), "{record:?}");
    assert_eq!((record.lastapp.as_str(), record.lastdata.as_str()), ("Dial", "SIP/1002,15,r"));
    assert_eq!(record.disposition, "ANSWERED");

    let (of_alice, of_bob) = (alice.heard(), bob.heard());
    assert!((of_alice.frequency() - BOB).abs() < 1.0, "{of_alice}");
    assert!((of_bob.frequency() - ALICE).abs() < 1.0, "{of_bob}");
    alice.quit();
    bob.quit();
    near.wait_for_empty_tables();
    far.wait_for_empty_tables();
    assert_eq!((near.records().len(), far.records().len()), (1, 1), "one call, one record a PBX");
    cluster.stop();
}
