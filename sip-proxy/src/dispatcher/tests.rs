//! Spreading, draining and the rest, on a clock of its own.

use std::collections::HashMap;

use super::*;
use crate::tests::epoch;

const SECRET: [u8; 32] = [42; 32];

fn destination(number: u16) -> Destination {
    Destination::new(format!("node-{number}"), Transport::Udp, ([10, 0, 0, number as u8], 5060).into())
}

fn list(destinations: Vec<Destination>, algorithm: Algorithm) -> List {
    List::new(vec![Set::new("all", destinations).with_algorithm(algorithm)]).unwrap()
}

fn hashing(numbers: impl IntoIterator<Item = u16>) -> List {
    list(numbers.into_iter().map(destination).collect(), Algorithm::Hash)
}

fn dispatcher(now: Instant, list: List) -> Dispatcher {
    let config = Config { probe: ProbeConfig { enabled: false, ..ProbeConfig::default() }, ..Config::default() };
    let mut dispatcher = Dispatcher::new(now, config, Secret::from_seed(SECRET), [1; 32]);
    dispatcher.load(now, list);
    dispatcher
}

fn call_id(number: u32) -> String {
    format!("{:08x}-{number}@pc{}.example.com", number.wrapping_mul(0x9e37_79b9), number % 97)
}

/// Where each of so many Call-IDs goes, without recording anything.
fn placed(dispatcher: &mut Dispatcher, calls: u32) -> Vec<String> {
    (0..calls)
        .map(|number| {
            let choice = dispatcher.choose(0, call_id(number).as_bytes()).unwrap();
            dispatcher.name(choice.node).unwrap().to_owned()
        })
        .collect()
}

fn counted(placed: &[String]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for name in placed {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

fn invite(dispatcher: &mut Dispatcher, now: Instant, id: &str) -> String {
    ask(dispatcher, now, id, Asked::Invite).unwrap()
}

fn ask(dispatcher: &mut Dispatcher, now: Instant, id: &str, asked: Asked) -> Result<String, Nowhere> {
    let call = dispatcher.call_key(id.as_bytes());
    let choice = dispatcher.route(now, call, asked, 0, id.as_bytes(), None)?;
    Ok(dispatcher.name(choice.node).unwrap().to_owned())
}

fn answer(dispatcher: &mut Dispatcher, now: Instant, id: &str, status: u16) {
    let call = dispatcher.call_key(id.as_bytes());
    dispatcher.note_response(now, call, true, false, StatusCode::new(status).unwrap());
}

const CALLS: u32 = 100_000;

#[test]
fn when_one_of_ten_dies_no_surviving_key_moves_and_none_is_hot() {
    let mut dispatcher = dispatcher(epoch(), hashing(0..10));
    let before = placed(&mut dispatcher, CALLS);
    for (name, count) in counted(&before) {
        let share = count as f64 / (f64::from(CALLS) / 10.0);
        assert!((0.95..=1.05).contains(&share), "{name} has {share} of its fair share");
    }
    dispatcher.set_alive("node-3", false);
    let after = placed(&mut dispatcher, CALLS);
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after && *before != "node-3").count();
    assert_eq!(moved, 0);
    let hottest = counted(&after).into_values().max().unwrap() as f64 / (f64::from(CALLS) / 9.0);
    assert!(hottest <= 1.05, "the hottest has {hottest} of its fair share");
    eprintln!("one of ten dies: 0 surviving keys move, the hottest has {hottest:.3} of its fair share");
}

#[test]
fn when_one_is_added_to_ten_only_its_share_moves_and_only_to_it() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..10));
    let before = placed(&mut dispatcher, CALLS);
    dispatcher.load(now, hashing(0..11));
    let after = placed(&mut dispatcher, CALLS);
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || after == "node-10"));
    let part = moved as f64 / f64::from(CALLS);
    assert!(part <= 1.0 / 11.0 + 0.01, "{part} of all keys move");
    eprintln!("one is added to ten: {:.2} % of the keys move", part * 100.0);
}

#[test]
fn weights_are_kept_within_two_percent() {
    let weights = [50, 100, 100, 200, 550];
    let destinations = weights.iter().zip(0..).map(|(weight, number)| destination(number).with_weight(*weight));
    let destinations: Vec<Destination> = destinations.collect();
    for algorithm in [Algorithm::Hash, Algorithm::Weighted, Algorithm::Random] {
        let mut dispatcher = dispatcher(epoch(), list(destinations.clone(), algorithm));
        // Chance alone is off by more in fewer.
        let calls = if algorithm == Algorithm::Random { 10 * CALLS } else { CALLS };
        let placed = placed(&mut dispatcher, calls);
        let counts = counted(&placed);
        for (number, weight) in weights.iter().enumerate() {
            let share = counts[format!("node-{number}").as_str()] as f64 / f64::from(calls);
            let error = (share - f64::from(*weight) / 1_000.0).abs();
            assert!(error <= 0.02 * share.max(0.1), "{algorithm:?}: weight {weight} got {share}");
        }
    }
}

#[test]
fn a_change_of_one_weight_moves_no_key_between_the_others() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..10));
    let before = placed(&mut dispatcher, 20_000);
    let mut heavier: Vec<Destination> = (0..10).map(destination).collect();
    heavier[4].weight = 150;
    dispatcher.load(now, list(heavier, Algorithm::Hash));
    let after = placed(&mut dispatcher, 20_000);
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || after == "node-4"));
}

#[test]
fn a_hundred_thousand_call_ids_chosen_to_collide_under_another_key_spread_evenly() {
    // The attacker has the program but not the secret: he picks Call-IDs that all go to one node under a secret of his own.
    let now = epoch();
    let mut his = Dispatcher::new(now, Config::default(), Secret::from_seed([0; 32]), [1; 32]);
    his.load(now, hashing(0..10));
    let mut ours = dispatcher(now, hashing(0..10));
    let chosen: Vec<String> = (0..)
        .map(call_id)
        .filter(|id| his.choose(0, id.as_bytes()).is_ok_and(|choice| his.name(choice.node) == Some("node-0")))
        .take(100_000)
        .collect();
    let mut counts = HashMap::new();
    for id in &chosen {
        let choice = ours.choose(0, id.as_bytes()).unwrap();
        *counts.entry(choice.node).or_insert(0_usize) += 1;
    }
    assert!(counts.values().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
}

#[test]
fn every_dispatcher_with_the_secret_chooses_alike_whatever_the_order_of_the_list() {
    let now = epoch();
    let mut one = dispatcher(now, hashing(0..10));
    let mut other = dispatcher(now, hashing((0..10).rev()));
    assert_eq!(placed(&mut one, 5_000), placed(&mut other, 5_000));
}

#[test]
fn a_draining_node_keeps_its_calls_and_gets_no_new_ones() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..5));
    let before: Vec<(String, String)> =
        (0..1_000).map(call_id).map(|id| (invite(&mut dispatcher, now, &id), id)).collect();
    assert!(dispatcher.drain(now, "node-2", Some(Duration::from_secs(600))));
    for (node, id) in &before {
        for asked in [Asked::Invite, Asked::Belongs, Asked::Ends] {
            assert_eq!(&ask(&mut dispatcher, now, id, asked).unwrap(), node, "{asked:?}");
        }
    }
    for number in 1_000..3_000 {
        assert_ne!(invite(&mut dispatcher, now, &call_id(number)), "node-2");
    }
}

#[test]
fn a_drain_tells_its_progress_and_ends_with_the_last_call() {
    let mut now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..2));
    let mine: Vec<String> = (0..100).map(call_id).filter(|id| invite(&mut dispatcher, now, id) == "node-1").collect();
    mine.iter().for_each(|id| answer(&mut dispatcher, now, id, 200));
    dispatcher.drain(now, "node-1", None);
    let progress = |dispatcher: &Dispatcher, now| {
        let snapshot = dispatcher.snapshot(now);
        let node = snapshot.nodes.into_iter().find(|node| &*node.name == "node-1").unwrap();
        (node.drain.map(|drain| (drain.calls, drain.left, drain.is_over)), node.state)
    };
    assert_eq!(progress(&dispatcher, now), (Some((mine.len(), mine.len(), false)), State::Draining));
    for (ended, id) in mine.iter().enumerate() {
        now += Duration::from_secs(1);
        dispatcher.handle_timeout(now);
        assert_eq!(progress(&dispatcher, now), (Some((mine.len(), mine.len() - ended, false)), State::Draining));
        assert_eq!(ask(&mut dispatcher, now, id, Asked::Ends).unwrap(), "node-1");
    }
    dispatcher.handle_timeout(now);
    assert_eq!(progress(&dispatcher, now), (Some((mine.len(), 0, true)), State::Disabled));
    let events: Vec<Event> = std::iter::from_fn(|| dispatcher.poll_event()).collect();
    assert!(events.iter().any(|event| matches!(event, Event::Emptied { left: 0, .. })), "{events:?}");
    // How long it took stays told.
    let snapshot = dispatcher.snapshot(now + Duration::from_secs(1_000));
    let drain = snapshot.nodes.into_iter().find_map(|node| node.drain).unwrap();
    assert_eq!(drain.since, Duration::from_secs(mine.len() as u64));
    // Its retransmissions still come for a while.
    assert_eq!(ask(&mut dispatcher, now, &mine[0], Asked::Ends).unwrap(), "node-1");
}

#[test]
fn a_drain_ends_at_its_deadline_and_what_belongs_to_its_calls_still_goes_there() {
    let mut now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..2));
    let id = (0..).map(call_id).find(|id| invite(&mut dispatcher, now, id) == "node-1").unwrap();
    answer(&mut dispatcher, now, &id, 200);
    dispatcher.drain(now, "node-1", Some(Duration::from_secs(30)));
    now += Duration::from_secs(30);
    assert!(dispatcher.poll_timeout().is_some_and(|at| at <= now));
    dispatcher.handle_timeout(now);
    let node = dispatcher.snapshot(now).nodes.into_iter().find(|node| &*node.name == "node-1").unwrap();
    assert_eq!(node.state, State::Disabled);
    assert_eq!(ask(&mut dispatcher, now, &id, Asked::Belongs).unwrap(), "node-1");
}

#[test]
fn the_calls_of_a_dead_node_move_once_and_stay_where_they_went() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..5));
    let id = (0..).map(call_id).find(|id| invite(&mut dispatcher, now, id) == "node-1").unwrap();
    dispatcher.set_alive("node-1", false);
    let elsewhere = ask(&mut dispatcher, now, &id, Asked::Belongs).unwrap();
    assert_ne!(elsewhere, "node-1");
    dispatcher.set_alive("node-1", true);
    assert_eq!(ask(&mut dispatcher, now, &id, Asked::Ends).unwrap(), elsewhere);
    let moved = std::iter::from_fn(|| dispatcher.poll_event()).filter(|event| matches!(event, Event::CallMoved { .. }));
    assert_eq!(moved.count(), 1);
}

#[test]
fn a_node_that_left_the_list_keeps_its_calls_until_they_are_over() {
    let mut now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..5));
    let id = (0..).map(call_id).find(|id| invite(&mut dispatcher, now, id) == "node-4").unwrap();
    answer(&mut dispatcher, now, &id, 200);
    dispatcher.load(now, hashing(0..4));
    assert_eq!(ask(&mut dispatcher, now, &id, Asked::Belongs).unwrap(), "node-4");
    assert!((500..1_500).all(|number| invite(&mut dispatcher, now, &call_id(number)) != "node-4"));
    assert_eq!(dispatcher.snapshot(now).nodes.len(), 5);
    ask(&mut dispatcher, now, &id, Asked::Ends).unwrap();
    for _ in 0..400 {
        now += Duration::from_secs(1);
        dispatcher.handle_timeout(now);
    }
    assert_eq!(dispatcher.snapshot(now).nodes.len(), 4);
    assert_eq!(dispatcher.snapshot(now).record, [0; 4]);
}

#[test]
fn a_reload_keeps_states_and_calls() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..5));
    (0..100).for_each(|number| drop(invite(&mut dispatcher, now, &call_id(number))));
    dispatcher.set_alive("node-1", false);
    dispatcher.drain(now, "node-2", None);
    dispatcher.disable("node-3");
    let strip = |dispatcher: &Dispatcher| Snapshot { version: 0, ..dispatcher.snapshot(now) };
    let before = strip(&dispatcher);
    (0..1_000).for_each(|_| dispatcher.load(now, hashing(0..5)));
    assert_eq!(strip(&dispatcher), before);
}

#[test]
fn a_call_answered_with_credentials_wanted_begins_again_at_the_same_node() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, list((0..5).map(destination).collect(), Algorithm::RoundRobin));
    let node = invite(&mut dispatcher, now, "a");
    answer(&mut dispatcher, now, "a", 407);
    assert_eq!(dispatcher.snapshot(now).record, [0, 0, 1, 0]);
    dispatcher.drain(now, &node, None);
    assert_eq!(invite(&mut dispatcher, now, "a"), node);
    assert_eq!(dispatcher.snapshot(now).record, [1, 0, 0, 0]);
}

#[test]
fn full_nodes_get_no_new_calls_and_when_all_are_full_the_caller_is_told() {
    let now = epoch();
    for algorithm in Algorithm::ALL {
        let full = (0..3).map(|number| destination(number).with_capacity(10)).collect();
        let mut dispatcher = dispatcher(now, list(full, algorithm));
        (0..30).for_each(|number| drop(invite(&mut dispatcher, now, &call_id(number))));
        assert!(dispatcher.snapshot(now).nodes.iter().all(|node| node.setup == 10), "{algorithm:?}");
        assert_eq!(ask(&mut dispatcher, now, "more", Asked::Invite), Err(Nowhere::AllFull));
        answer(&mut dispatcher, now, &call_id(7), 486);
        assert!(ask(&mut dispatcher, now, "more", Asked::Invite).is_ok());
    }
}

#[test]
fn least_calls_and_latency_look_at_what_they_say() {
    let now = epoch();
    let mut least = dispatcher(now, list((0..3).map(destination).collect(), Algorithm::LeastCalls));
    let first: Vec<String> = (0..3).map(|number| invite(&mut least, now, &call_id(number))).collect();
    answer(&mut least, now, &call_id(1), 600);
    assert_eq!(invite(&mut least, now, "next"), first[1]);

    let mut latency = dispatcher(now, list((0..3).map(destination).collect(), Algorithm::Latency));
    for (number, millis) in [(0, 30), (1, 3), (2, 300)] {
        let node = invite(&mut latency, now, &call_id(number));
        assert_eq!(node, format!("node-{number}"), "those that nothing is known of come first");
        answer(&mut latency, now + Duration::from_millis(millis), &call_id(number), 486);
    }
    assert_eq!(invite(&mut latency, now, "next"), "node-1");
}

#[test]
fn the_others_serve_only_when_the_best_priority_is_gone() {
    let now = epoch();
    for algorithm in Algorithm::ALL {
        let ranked = (0..4).map(|number| destination(number).with_priority(number / 2)).collect();
        let mut dispatcher = dispatcher(now, list(ranked, algorithm));
        let serving = |dispatcher: &mut Dispatcher| {
            let placed = placed(dispatcher, 200);
            let mut names: Vec<String> = counted(&placed).into_keys().map(str::to_owned).collect();
            names.sort();
            names
        };
        assert!(serving(&mut dispatcher).iter().all(|name| ["node-0", "node-1"].contains(&name.as_str())));
        dispatcher.set_alive("node-0", false);
        assert_eq!(serving(&mut dispatcher), ["node-1"]);
        dispatcher.disable("node-1");
        assert!(serving(&mut dispatcher).iter().all(|name| ["node-2", "node-3"].contains(&name.as_str())));
        dispatcher.drain(now, "node-2", None);
        dispatcher.drain(now, "node-3", None);
        assert_eq!(dispatcher.choose(0, b"x"), Err(Nowhere::NoneUp));
    }
}

#[test]
fn explain_names_the_choice_and_who_would_be_next() {
    let now = epoch();
    let mut dispatcher = dispatcher(now, hashing(0..10));
    for number in 0..200 {
        let id = call_id(number);
        let explained = dispatcher.explain(now, "all", id.as_bytes()).unwrap();
        let (first, second) = (&explained.candidates[0].name, &explained.candidates[1].name);
        assert_eq!(explained.chosen.as_ref(), Some(first));
        assert_eq!(invite(&mut dispatcher, now, &id), **first);
        dispatcher.set_alive(first, false);
        let next = dispatcher.explain(now, "all", id.as_bytes()).unwrap();
        assert_eq!(next.chosen.as_ref(), Some(second));
        assert_eq!(next.candidates[0].closed, Some("it does not answer"));
        dispatcher.set_alive(first, true);
        let recorded = dispatcher.explain(now, "all", id.as_bytes()).unwrap();
        assert!(recorded.why.contains("the record has the call"), "{}", recorded.why);
        assert_eq!(recorded.recorded.map(|(name, phase, _)| (name, phase)), Some((first.clone(), Phase::Setup)));
    }
    assert_eq!(dispatcher.explain(now, "none", b"x"), None);
}

#[test]
fn probes_take_a_node_out_and_bring_it_back() {
    let mut now = epoch();
    let mut dispatcher = Dispatcher::new(now, Config::default(), Secret::from_seed(SECRET), [1; 32]);
    dispatcher.load(now, hashing(0..3));
    let mut dead = true;
    let mut changes = Vec::new();
    for step in 0..400 {
        now += Duration::from_millis(50);
        dead = if step == 200 { false } else { dead };
        dispatcher.handle_timeout(now);
        while let Some(probe) = dispatcher.poll_probe(now) {
            let is_dead = dead && dispatcher.name(probe.node) == Some("node-1");
            if !is_dead {
                let status = if step % 2 == 0 { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
                dispatcher.handle_probe(now, probe.id, Some(status));
                // A second answer says nothing.
                dispatcher.handle_probe(now, probe.id, Some(StatusCode::SERVICE_UNAVAILABLE));
            }
        }
        while let Some(event) = dispatcher.poll_event() {
            if let Event::Changed { name, to, moved, .. } = event {
                changes.push((name, to, moved.is_some()));
            }
        }
    }
    let expected = [(State::Trying, false), (State::Probing, true), (State::Active, true)];
    let seen: Vec<(State, bool)> = changes.iter().map(|(_, to, moved)| (*to, *moved)).collect();
    assert_eq!(seen, expected, "{changes:?}");
    assert!(changes.iter().all(|(name, ..)| &**name == "node-1"));
}

#[test]
fn an_answer_to_a_probe_from_before_the_reload_says_nothing_of_a_new_node() {
    let now = epoch();
    let mut dispatcher = Dispatcher::new(now, Config::default(), Secret::from_seed(SECRET), [1; 32]);
    dispatcher.load(now, hashing(0..1));
    let later = now + Duration::from_secs(1);
    let probe = dispatcher.poll_probe(later).unwrap();
    dispatcher.load(later, hashing(1..2));
    dispatcher.load(later, hashing(0..1));
    dispatcher.set_alive("node-0", false);
    (0..5).for_each(|_| dispatcher.handle_probe(later, probe.id, Some(StatusCode::OK)));
    assert_eq!(dispatcher.snapshot(later).nodes[0].state, State::Probing);
}

#[test]
fn what_one_dispatcher_began_another_goes_on_with() {
    let now = epoch();
    let balanced = || list((0..5).map(destination).collect(), Algorithm::RoundRobin);
    let (mut one, mut two) = (dispatcher(now, balanced()), dispatcher(now, balanced()));
    let tell = |from: &mut Dispatcher, to: &mut Dispatcher| {
        std::iter::from_fn(|| from.poll_shared()).collect::<Vec<_>>().into_iter().for_each(|it| to.learn(now, it));
    };
    for number in 0..100 {
        let id = call_id(number);
        let node = invite(&mut one, now, &id);
        tell(&mut one, &mut two);
        assert_eq!(ask(&mut two, now, &id, Asked::Belongs).unwrap(), node);
        assert_eq!(invite(&mut two, now, &id), node, "a retransmission");
        answer(&mut one, now, &id, 200);
        tell(&mut one, &mut two);
        assert_eq!(ask(&mut two, now, &id, Asked::Ends).unwrap(), node);
        tell(&mut two, &mut one);
    }
    for dispatcher in [&one, &two] {
        let snapshot = dispatcher.snapshot(now);
        assert_eq!(snapshot.record, [0, 0, 100, 0]);
        assert!(snapshot.nodes.iter().all(|node| node.setup + node.talking == 0));
    }
}
