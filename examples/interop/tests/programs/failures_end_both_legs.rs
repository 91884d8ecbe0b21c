//! Calls between phones that do not come about: each side is told what the RFC says, both legs end, and a record says so.

use interop::media::Line;
use interop::pbx::Pbx;
use interop::phone::{Phone, sdp};
use interop::records;
use interop::wait::{PATIENCE, until};

struct Scene {
    pbx: Pbx,
    alice: Phone,
    bob: Phone,
    offer: String,
}

fn scene(name: &str) -> Scene {
    let pbx = Pbx::start_with(name, "[calls]\nring_time = \"3s\"\n");
    let alice = Phone::new(pbx.ports.address(), pbx.sip, "1001", "1234");
    let mut bob = Phone::new(pbx.ports.address(), pbx.sip, "1002", "1234");
    assert_eq!(bob.register(600), 200);
    let offer = sdp(Line::new(pbx.ports.address(), 440.0).address, "sendrecv");
    Scene { pbx, alice, bob, offer }
}

impl Scene {
    /// Nothing is left, and the record of the one call says how it ended.
    fn end(self, disposition: &str) {
        self.pbx.wait_for_empty_tables();
        let records = until("the record", PATIENCE, || {
            let path = self.pbx.records();
            path.exists().then(|| records::read(&path)).filter(|records| !records.is_empty())
        });
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0].disposition, disposition, "{records:?}");
        assert_eq!((records[0].src.as_str(), records[0].dst.as_str()), ("1001", "1002"));
        assert_eq!((records[0].billsec, records[0].answer.as_str()), (0, ""));
        self.pbx.stop();
    }
}

#[test]
fn nobody_answers() {
    let mut scene = scene("no-answer");
    let mut outgoing = scene.alice.invite("1002", &scene.offer);
    let incoming = scene.bob.incoming();
    scene.bob.respond(&incoming, "180 Ringing", "");
    assert_eq!(scene.alice.progress(&outgoing).status(), Some(180));
    // The ring time passes: the callee is cancelled, the caller told that nobody is there.
    scene.bob.request(&incoming, "CANCEL");
    scene.bob.respond(&incoming, "487 Request Terminated", "");
    scene.bob.request(&incoming, "ACK");
    assert_eq!(scene.alice.outcome(&mut outgoing).status(), Some(480));
    scene.end("NO ANSWER");
}

#[test]
fn the_callee_is_busy() {
    let mut scene = scene("busy");
    let mut outgoing = scene.alice.invite("1002", &scene.offer);
    let incoming = scene.bob.incoming();
    scene.bob.respond(&incoming, "486 Busy Here", "");
    scene.bob.request(&incoming, "ACK");
    assert_eq!(scene.alice.outcome(&mut outgoing).status(), Some(486));
    scene.end("BUSY");
}

#[test]
fn the_callee_declines() {
    let mut scene = scene("decline");
    let mut outgoing = scene.alice.invite("1002", &scene.offer);
    let incoming = scene.bob.incoming();
    scene.bob.respond(&incoming, "180 Ringing", "");
    scene.bob.respond(&incoming, "603 Decline", "");
    scene.bob.request(&incoming, "ACK");
    assert_eq!(scene.alice.outcome(&mut outgoing).status(), Some(603));
    let wanted = |disposition: &str| ["BUSY", "NO ANSWER", "FAILED"].contains(&disposition);
    scene.pbx.wait_for_empty_tables();
    assert!(records::read(&scene.pbx.records()).iter().all(|it| wanted(&it.disposition) && it.billsec == 0));
    scene.pbx.stop();
}

#[test]
fn the_caller_gives_up_while_it_rings() {
    let mut scene = scene("give-up");
    let mut outgoing = scene.alice.invite("1002", &scene.offer);
    let incoming = scene.bob.incoming();
    scene.bob.respond(&incoming, "180 Ringing", "");
    assert_eq!(scene.alice.progress(&outgoing).status(), Some(180));
    assert_eq!(scene.alice.cancel(&outgoing), 200);
    assert_eq!(scene.alice.outcome(&mut outgoing).status(), Some(487));
    scene.bob.request(&incoming, "CANCEL");
    scene.bob.respond(&incoming, "487 Request Terminated", "");
    scene.bob.request(&incoming, "ACK");
    scene.end("NO ANSWER");
}

#[test]
fn a_registered_phone_that_is_gone_is_unavailable() {
    let mut scene = scene("gone");
    // Its socket closes; the registration stays.
    drop(std::mem::replace(&mut scene.bob, Phone::new(scene.pbx.ports.address(), scene.pbx.sip, "1003", "1234")));
    let mut outgoing = scene.alice.invite("1002", &scene.offer);
    let status = scene.alice.outcome(&mut outgoing).status();
    assert!(matches!(status, Some(408 | 480)), "{status:?}");
    scene.pbx.wait_for_empty_tables();
    let records = records::read(&scene.pbx.records());
    assert_eq!((records.len(), records[0].billsec), (1, 0));
    scene.pbx.stop();
}

#[test]
fn the_first_of_two_phones_to_answer_wins_and_the_other_is_cancelled() {
    let mut scene = scene("parallel");
    let mut second = Phone::new(scene.pbx.ports.address(), scene.pbx.sip, "1002", "1234");
    assert_eq!(second.register(600), 200);
    scene.pbx.wait_for_registration("1002", 2);
    let mut outgoing = scene.alice.invite("1002", &scene.offer);
    let (one, two) = (scene.bob.incoming(), second.incoming());
    scene.bob.respond(&one, "180 Ringing", "");
    second.respond(&two, "180 Ringing", "");
    let line = Line::new(scene.pbx.ports.address(), 440.0);
    second.respond(&two, "200 OK", &sdp(line.address, "sendrecv"));
    assert_eq!(scene.alice.outcome(&mut outgoing).status(), Some(200));
    second.request(&two, "ACK");
    scene.bob.request(&one, "CANCEL");
    scene.bob.respond(&one, "487 Request Terminated", "");
    scene.bob.request(&one, "ACK");
    assert_eq!(scene.alice.bye(&mut outgoing), 200);
    second.wait_for_bye(&two);
    scene.pbx.wait_for_empty_tables();
    let records = records::read(&scene.pbx.records());
    assert_eq!((records.len(), records[0].disposition.as_str()), (1, "ANSWERED"));
    scene.pbx.stop();
}

#[test]
fn what_one_side_is_called_the_other_does_not_see() {
    let mut scene = scene("hiding");
    let outgoing = scene.alice.invite("1002", &scene.offer);
    let incoming = scene.bob.incoming();
    let invite = &incoming.invite;
    assert_ne!(invite.header("Call-ID"), Some(outgoing.id.as_str()));
    let text = format!("{:?} {}", invite.headers, invite.body);
    let address = scene.alice.address.to_string();
    assert!(!text.contains(&address) && !text.contains(&outgoing.id), "{text}");
    let media = outgoing_media(&scene.offer);
    assert_ne!(invite.media(), Some(media), "media goes through the PBX");
    assert!(!invite.headers.iter().any(|(name, _)| name.to_ascii_lowercase().contains("authorization")));
    // A CANCEL may only follow a provisional response.
    scene.bob.respond(&incoming, "180 Ringing", "");
    assert_eq!(scene.alice.progress(&outgoing).status(), Some(180));
    assert_eq!(scene.alice.cancel(&outgoing), 200);
    scene.bob.request(&incoming, "CANCEL");
    scene.bob.respond(&incoming, "487 Request Terminated", "");
    scene.pbx.wait_for_empty_tables();
    scene.pbx.stop();
}

fn outgoing_media(offer: &str) -> std::net::SocketAddr {
    let port = offer.lines().find_map(|line| line.strip_prefix("m=audio ")).and_then(|it| it.split(' ').next());
    interop::ports::local(port.and_then(|port| port.parse().ok()).unwrap_or(0))
}
