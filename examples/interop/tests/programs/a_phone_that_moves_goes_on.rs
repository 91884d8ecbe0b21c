//! A phone moves to another address within a call, by re-INVITE: both go on hearing each other.

use interop::couple::{Couple, anywhere};
use interop::media::{Line, Talk, talk_for};
use interop::pbx::Pbx;
use interop::phone::sdp;
use std::time::Duration;

#[test]
fn a_phone_that_moves_by_reinvite_is_heard_and_hears() {
    let pbx = Pbx::start("moves");
    let mut couple = Couple::new(&pbx);
    let (mut here, mut of_bob) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let mut talking = couple.call(&mut here, &mut of_bob);
    let mut lines = talk_for(vec![here, of_bob], Duration::from_secs(2));
    assert!(lines[0].heard.duration_of(620.0) >= Duration::from_secs(1), "{}", lines[0].heard);
    assert!(lines[1].heard.duration_of(440.0) >= Duration::from_secs(1), "{}", lines[1].heard);

    // Bob talks on while alice moves; what the PBX asks of him in between is answered by a thread of its own.
    let of_bob = lines.pop().expect("bob's line");
    let mut here = lines.pop().expect("alice's line");
    let address = of_bob.address;
    let mut there = Line::new(anywhere(), 760.0);
    let offer = sdp(there.address, "sendrecv");
    let talk = Talk::start(vec![of_bob]);
    let answer = std::thread::scope(|scope| {
        let (bob, incoming) = (&mut couple.bob, &talking.incoming);
        let answering = scope.spawn(move || {
            // A relay need not ask the other side, but may.
            if let Some(invite) = bob.request_within(incoming, "INVITE", Duration::from_secs(2)) {
                let contact = format!("Contact: <sip:1002@{}>\r\n", bob.address);
                bob.reply(&invite, "200 OK", None, &contact, &sdp(address, "sendrecv"));
                bob.request(incoming, "ACK");
            }
        });
        let answer = couple.alice.reinvite(&mut talking.outgoing, &offer);
        answering.join().expect("bob");
        answer
    });
    assert_eq!(answer.status(), Some(200), "{}", answer.start);
    there.remote = answer.media();
    here.remote = None;
    let there = talk_for(vec![there], Duration::from_secs(3)).remove(0);
    let of_bob = talk.stop().remove(0);
    assert!(there.heard.duration_of(620.0) >= Duration::from_secs(2), "{}", there.heard);
    assert!(of_bob.heard.duration_of(760.0) >= Duration::from_secs(2), "{}", of_bob.heard);
    couple.hang_up(&mut talking);
    pbx.wait_for_empty_tables();
    pbx.stop();
}
