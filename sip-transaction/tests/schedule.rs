//! Retransmissions happen when RFC 3261 says, to the millisecond.

mod support;

use std::time::Duration;

use netsim::{Conditions, Node, Simulation};
use sip_transaction::{Config, Ended, Endpoint, Event, Failure, Target};
use support::{MS, Nobody, Peer, alice, bob, request, response};

fn offsets(simulation: &Simulation, start: std::time::Instant, prefix: &[u8]) -> Vec<Duration> {
    let sent = simulation.network.sent().iter();
    sent.filter(|sent| sent.payload.starts_with(prefix)).map(|sent| sent.at - start).collect()
}

fn recorded() -> Simulation {
    let mut simulation = Simulation::new(1, Conditions::PERFECT);
    simulation.network.is_recording = true;
    simulation
}

#[test]
fn an_invite_that_nobody_answers_is_sent_seven_times_and_times_out_after_32_seconds() {
    let mut simulation = recorded();
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    let id = alice.endpoint.send_request(start, request("INVITE", 1), Target::udp(bob())).unwrap();
    simulation.run_for(&mut [&mut alice], MS(31_999));
    assert_eq!(offsets(&simulation, start, b"INVITE"), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(MS));
    assert!(alice.events.is_empty());
    simulation.run_for(&mut [&mut alice], MS(1));
    assert!(matches!(alice.events[..], [Event::ClientFailed { id: failed, reason: Failure::Timeout }] if failed == id));
    assert!(alice.endpoint.snapshot().is_idle());
    assert_eq!(alice.endpoint.snapshot().timers, 0);
    assert!(simulation.run_until_quiet(&mut [&mut alice], MS(600_000)));
    assert_eq!(simulation.network.sent().len(), 7);
}

#[test]
fn another_request_that_nobody_answers_is_sent_every_four_seconds_at_last_and_times_out_after_32() {
    let mut simulation = recorded();
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    alice.endpoint.send_request(start, request("OPTIONS", 1), Target::udp(bob())).unwrap();
    simulation.run_for(&mut [&mut alice], MS(40_000));
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(MS);
    assert_eq!(offsets(&simulation, start, b"OPTIONS"), expected);
    assert!(matches!(alice.events[..], [Event::ClientFailed { reason: Failure::Timeout, .. }]));
    assert!(alice.endpoint.snapshot().is_idle());
}

#[test]
fn the_rejection_of_an_invite_is_repeated_until_its_ack_and_given_up_after_32_seconds() {
    let mut simulation = recorded();
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    let mut bob = Peer::new(bob(), Config::default(), |endpoint: &mut Endpoint, now, event: &Event| {
        if let Event::Request { id, request, .. } = event {
            // Ringing first: without it, a stranger would get no repetitions.
            endpoint.respond(now, *id, response(request, 180)).unwrap();
            endpoint.respond(now, *id, response(request, 486)).unwrap();
        }
    });
    alice.endpoint.send_request(start, request("INVITE", 1), Target::udp(support::bob())).unwrap();
    alice.flush(start, &mut simulation.network);
    // Alice is not there any more.
    simulation.run_for(&mut [&mut bob], MS(40_000));
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(MS);
    assert_eq!(offsets(&simulation, start, b"SIP/2.0 486"), expected);
    assert!(matches!(bob.events.last(), Some(Event::ServerEnded { ended: Ended::Timeout, .. })));
    assert!(bob.endpoint.snapshot().is_idle());
    assert_eq!(bob.endpoint.snapshot().counters.server_timeouts, 1);
}

#[test]
fn an_invite_that_the_user_does_not_answer_draws_a_100_after_200_milliseconds() {
    let mut simulation = recorded();
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    let mut bob = Peer::new(bob(), Config::default(), Nobody);
    bob.endpoint.trust(support::alice().ip());
    alice.endpoint.send_request(start, request("INVITE", 1), Target::udp(support::bob())).unwrap();
    simulation.run_for(&mut [&mut alice, &mut bob], MS(10_000));
    assert_eq!(offsets(&simulation, start, b"SIP/2.0 100"), [MS(200)]);
    assert_eq!(offsets(&simulation, start, b"INVITE"), [MS(0)], "the 100 ends the retransmissions");
    assert_eq!(alice.statuses(), [100]);
    assert!(bob.requests()[0].1.headers().contains(&sip_core::header::HeaderName::VIA));
}

#[test]
fn another_request_that_the_user_does_not_answer_draws_a_100_after_three_and_a_half_seconds_and_never_a_408() {
    let mut simulation = recorded();
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    let mut bob = Peer::new(bob(), Config::default(), Nobody);
    bob.endpoint.trust(support::alice().ip());
    alice.endpoint.send_request(start, request("OPTIONS", 1), Target::udp(support::bob())).unwrap();
    simulation.run_for(&mut [&mut alice, &mut bob], MS(3_499));
    assert_eq!(offsets(&simulation, start, b"SIP/2.0 "), []);
    simulation.run_for(&mut [&mut alice, &mut bob], MS(40_000));
    assert_eq!(offsets(&simulation, start, b"SIP/2.0 100").first(), Some(&MS(3_500)));
    assert_eq!(offsets(&simulation, start, b"SIP/2.0 408"), []);
    assert!(matches!(alice.events.last(), Some(Event::ClientFailed { .. })));
    assert!(matches!(bob.events.last(), Some(Event::ServerEnded { ended: Ended::Timeout, .. })));
    assert!(bob.endpoint.snapshot().is_idle());
    assert_eq!(bob.endpoint.snapshot().unanswered, 0);
}

#[test]
fn a_retransmitted_request_is_told_once_and_draws_the_same_answer() {
    let mut simulation = recorded();
    let mut bob = Peer::new(bob(), Config::default(), |endpoint: &mut Endpoint, now, event: &Event| {
        if let Event::Request { id, request, .. } = event {
            endpoint.respond(now, *id, response(request, 200)).unwrap();
        }
    });
    let options = support::arriving("OPTIONS", 1, "192.0.2.1", "z9hG4bKone");
    for _ in 0..3 {
        simulation.network.send(simulation.now(), alice(), support::bob(), options.to_vec());
        simulation.run_for(&mut [&mut bob], MS(500));
    }
    assert_eq!(bob.requests().len(), 1);
    let answers: Vec<_> = simulation.network.sent().iter().filter(|sent| sent.from == support::bob()).collect();
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|answer| answer.payload == answers[0].payload));
    // Timer J is over: the same bytes are a new request.
    simulation.run_for(&mut [&mut bob], MS(32_000));
    assert!(bob.endpoint.snapshot().is_idle());
}
