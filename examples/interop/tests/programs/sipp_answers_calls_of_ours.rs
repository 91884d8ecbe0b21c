//! Our client calls SIPp: answered, refused, cancelled, hung up on, answered twice; over UDP with loss, and over TCP.

use interop::capture::Capture;
use interop::folder::Folder;
use interop::ours::{Ours, Setup};
use interop::ports::Ports;
use interop::sipp::{self, Sipp};
use interop::wait::{PATIENCE, until};
use sip_core::StatusCode;
use sip_transaction::agent::{Cause, Event, SessionId};
use sip_transaction::{Target, Transport};
use std::net::{SocketAddr, TcpListener};

/// A SIPp that waits for calls, and where.
fn wait_for_calls(folder: &Folder, ports: &Ports, setup: &sipp::Setup<'_>) -> (Sipp, SocketAddr) {
    let local = ports.of_sipp();
    let mut sipp = Sipp::start(folder, &sipp::Setup { local, ..setup.clone() });
    if setup.tcp {
        until("SIPp's socket", PATIENCE, || TcpListener::bind(local).is_err().then_some(()));
    } else {
        sipp.wait_until_it_listens(local);
    }
    (sipp, local)
}

fn client(ports: &Ports) -> Ours {
    let own = ports.address();
    Ours::start(Setup { listen: vec![(Transport::Udp, own), (Transport::Tcp, own)], ..Setup::default() })
}

fn cause(ours: &mut Ours, call: SessionId) -> Cause {
    ours.wait("the end of a call", |event| match event {
        Event::Ended { session, cause, .. } if *session == call => Some(*cause),
        _ => None,
    })
}

fn answered(ours: &mut Ours, call: SessionId) {
    ours.wait("an answer", |event| match event {
        Event::Answered { session, .. } if *session == call => Some(()),
        _ => None,
    });
}

#[test]
fn calls_of_ours_are_answered_over_udp_with_loss_and_over_tcp() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipp-answers"));
    let lossy = sipp::Setup { scenario: "uas_loses", lost: 20, calls: 60, ..sipp::Setup::default() };
    let (lossy, udp) = wait_for_calls(&folder, &ports, &lossy);
    let reliable = sipp::Setup { scenario: "uas", built_in: true, tcp: true, calls: 60, ..sipp::Setup::default() };
    let (reliable, tcp) = wait_for_calls(&folder, &ports, &reliable);
    let capture = Capture::of_sip(&folder, &[udp, tcp], &[]);
    let mut clients = [
        (client(&ports), Target::udp(udp), format!("sip:600@{udp}")),
        (client(&ports), Target::tcp(tcp), format!("sip:600@{tcp};transport=tcp")),
    ];
    let mut calls = Vec::new();
    for (ours, target, uri) in &clients {
        calls.push((0..60).map(|_| ours.call(uri, *target)).collect::<Vec<_>>());
    }
    for ((ours, ..), calls) in clients.iter_mut().zip(calls) {
        for call in &calls {
            answered(ours, *call);
            ours.hangup(*call);
        }
        for call in calls {
            assert_eq!(cause(ours, call), Cause::Hangup);
        }
    }
    lossy.must_succeed(60, PATIENCE);
    reliable.must_succeed(60, PATIENCE);
    let [lossy, reliable] = clients.map(|(ours, ..)| ours.finish());
    for end in [lossy, reliable] {
        assert_eq!((end.counters.outgoing, end.counters.answered, end.counters.ended), (60, 60, 60), "{end:#?}");
    }
    assert!(lossy.endpoint.counters.retransmissions_sent > 5, "nothing was lost: {lossy:#?}");
    assert_eq!(lossy.endpoint.counters.client_failures, 0, "{lossy:#?}");
    let below = reliable.endpoint.counters;
    assert_eq!((below.client_failures, below.connections_opened, below.retransmissions_sent), (0, 1, 0));
    assert!(capture.finish().sip > 400);
}

#[test]
fn calls_of_ours_are_refused_cancelled_hung_up_on_and_answered_twice() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipp-refuses"));
    let mut ours = client(&ports);
    let mut addresses = Vec::new();
    let mut running = Vec::new();
    for tcp in [false, true] {
        for scenario in ["callee_busy", "callee_cancelled", "callee_hangs_up", "uas_forks"] {
            let setup = sipp::Setup { scenario, tcp, calls: 20, ..sipp::Setup::default() };
            let (sipp, address) = wait_for_calls(&folder, &ports, &setup);
            running.push(sipp);
            addresses.push((scenario, address, tcp));
        }
    }
    let all: Vec<SocketAddr> = addresses.iter().map(|(_, address, _)| *address).collect();
    let capture = Capture::of_sip(&folder, &all, &[]);
    let mut forked = 0;
    for _ in 0..20 {
        for (scenario, address, tcp) in &addresses {
            let (target, token) = if *tcp { (Target::tcp(*address), "tcp") } else { (Target::udp(*address), "udp") };
            let call = ours.call(&format!("sip:600@{address};transport={token}"), target);
            let expected = match *scenario {
                "callee_busy" => Cause::Rejected(StatusCode::BUSY_HERE),
                "callee_cancelled" => {
                    ours.wait("ringing", |event| match event {
                        Event::Progress { session, .. } if *session == call => Some(()),
                        _ => None,
                    });
                    ours.hangup(call);
                    Cause::Cancelled
                }
                "callee_hangs_up" => Cause::Bye,
                _ => {
                    answered(&mut ours, call);
                    // Of the two that answer, the second is hung up on by the agent itself.
                    forked += 1;
                    until("the second answer", PATIENCE, || {
                        (ours.snapshot().counters.surplus_answers == forked).then_some(())
                    });
                    ours.hangup(call);
                    Cause::Hangup
                }
            };
            assert_eq!(cause(&mut ours, call), expected, "{scenario}");
        }
    }
    for sipp in running {
        sipp.must_succeed(20, PATIENCE);
    }
    let end = ours.finish();
    assert_eq!((end.counters.outgoing, end.counters.surplus_answers), (160, 40), "{end:#?}");
    assert_eq!(end.endpoint.counters.client_failures, 0, "{end:#?}");
    assert!(capture.finish().sip > 800);
}
