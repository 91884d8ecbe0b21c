//! Which demonstration phone calls whom, and when.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    phone::{Command, Phase},
    picture::Phone,
};

/// How long after one call the next is made.
const PAUSE: Duration = Duration::from_secs(6);

/// The calls that are made by themselves.
#[derive(Debug)]
pub struct Demo {
    talk: Duration,
    next: Instant,
    turn: usize,
    /// By the caller's place: since when each call of ours is up.
    made: HashMap<usize, Option<Instant>>,
}

impl Demo {
    /// Calls that last so long each, the first one soon.
    #[must_use]
    pub fn new(now: Instant, talk: Duration) -> Self {
        Self { talk, next: now + Duration::from_secs(1), turn: 0, made: HashMap::new() }
    }

    /// What the phones are to do now. Without `calling`, running calls only come to their end.
    pub fn step(&mut self, now: Instant, phones: &[Phone], calling: bool) -> Vec<(usize, Command)> {
        let mut orders = Vec::new();
        self.made.retain(|place, since| {
            let call = phones.get(*place).and_then(|phone| phone.state.call.as_ref());
            match call {
                Some(call) if call.phase == Phase::Up && since.is_none() => *since = Some(now),
                Some(_) => {}
                // Called just now, or over.
                None => return false,
            }
            let over = since.is_some_and(|since| now >= since + self.talk);
            if over {
                orders.push((*place, Command::HangUp));
            }
            !over
        });
        if calling
            && now >= self.next
            && let Some((caller, callee)) = self.pair(phones)
            && let Some(number) = phones.get(callee).map(|phone| phone.state.account.clone())
        {
            self.next = now + PAUSE;
            self.turn += 1;
            orders.push((caller, Command::Call(number)));
        }
        orders
    }

    /// Remembers a call that was begun.
    pub fn made(&mut self, caller: usize) {
        self.made.insert(caller, None);
    }

    /// Two phones that are free: across the trunk if there are two such, each pair in its turn.
    fn pair(&self, phones: &[Phone]) -> Option<(usize, usize)> {
        let free = |phone: &Phone| phone.node.is_some() && phone.state.registered && phone.state.call.is_none();
        let free: Vec<_> = (0..).zip(phones).filter(|(_, phone)| free(phone)).collect();
        let pairs = free.iter().flat_map(|(a, first)| {
            let others = free.iter().filter(move |(b, _)| a != b);
            others.map(move |(b, second)| ((*a, *b), first.node != second.node))
        });
        let pairs: Vec<((usize, usize), bool)> = pairs.collect();
        let across: Vec<_> = pairs.iter().filter(|(_, across)| *across).collect();
        let among = if across.is_empty() { pairs.iter().collect() } else { across };
        let place = self.turn.checked_rem(among.len())?;
        among.get(place).map(|(pair, _)| *pair)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock begins somewhere")]
mod tests {
    use super::*;
    use crate::phone::{Call, State};

    fn phones(nodes: &[Option<&'static str>]) -> Vec<Phone> {
        let phone = |(index, node): (usize, &Option<&'static str>)| Phone {
            state: State { account: (1001 + index).to_string(), registered: node.is_some(), ..State::default() },
            node: *node,
        };
        nodes.iter().enumerate().map(phone).collect()
    }

    fn call(order: &(usize, Command), phones: &[Phone]) -> (String, String) {
        let Command::Call(number) = &order.1 else { panic!("{order:?}") };
        (phones[order.0].state.account.clone(), number.clone())
    }

    #[test]
    fn calls_go_across_the_trunk_when_they_can_and_all_pairs_take_their_turn() {
        let start = Instant::now();
        let mut demo = Demo::new(start, Duration::from_secs(5));
        let phones = phones(&[Some("pbx"), Some("zone"), Some("pbx")]);
        assert_eq!(demo.step(start, &phones, true), []);
        let mut seen = std::collections::HashSet::new();
        for step in 1..20 {
            let orders = demo.step(start + PAUSE * step, &phones, true);
            let (from, to) = call(&orders[0], &phones);
            assert!((from == "1002") != (to == "1002"), "{from} to {to} is not across");
            seen.insert((from, to));
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
    }

    #[test]
    fn a_call_is_ended_when_its_time_is_over_but_a_persons_call_is_not() {
        let start = Instant::now();
        let mut demo = Demo::new(start, Duration::from_secs(5));
        let mut phones = phones(&[Some("pbx"), Some("zone")]);
        let orders = demo.step(start + PAUSE, &phones, true);
        let caller = orders[0].0;
        demo.made(caller);
        let up = Call { phase: Phase::Up, outgoing: true, ..Call::default() };
        for phone in &mut phones {
            phone.state.call = Some(up.clone());
        }
        assert_eq!(demo.step(start + PAUSE * 2, &phones, true), []);
        assert_eq!(demo.step(start + PAUSE * 2 + Duration::from_secs(5), &phones, true), [(caller, Command::HangUp)]);
        assert_eq!(demo.step(start + PAUSE * 9, &phones, true), []);
    }

    #[test]
    fn nobody_calls_when_fewer_than_two_are_registered_or_calls_are_off() {
        let start = Instant::now();
        let mut demo = Demo::new(start, Duration::from_secs(5));
        assert_eq!(demo.step(start + PAUSE, &phones(&[Some("pbx"), None]), true), []);
        assert_eq!(demo.step(start + PAUSE, &phones(&[Some("pbx"), Some("zone")]), false), []);
    }

    #[test]
    fn phones_at_one_pbx_call_each_other() {
        let start = Instant::now();
        let mut demo = Demo::new(start, Duration::from_secs(5));
        let phones = phones(&[Some("zone"), Some("zone")]);
        assert_eq!(demo.step(start + PAUSE, &phones, true).len(), 1);
    }
}
