//! A hierarchical timer wheel: starting and stopping a timer costs the same however many run.
//!
//! Seven levels of 64 places each, a millisecond a place on the lowest: every level covers 64 times the span of the
//! one below. A timer lies on the level of the highest digit (to base 64) in which its time differs from the time
//! that the wheel has reached, and moves down as the wheel turns, so that nothing is ever searched.

use std::time::{Duration, Instant};

const LEVELS: usize = 7;
const PLACES: usize = 64;
const NONE: u32 = u32::MAX;
/// The list of timers that are due and not yet handed out.
const DUE: u16 = (LEVELS * PLACES) as u16;
/// Not in any list.
const FREE: u16 = DUE + 1;
/// The last tick that fits: 139 years.
const LAST_TICK: u64 = (1 << (6 * LEVELS)) - 1;

/// Nanoseconds a tick.
const NANOS: u32 = 1_000_000;

/// The ticks of the whole seconds of a span, and some more.
fn ticks(span: Duration, more: u32) -> u64 {
    span.as_secs().saturating_mul(1_000).saturating_add(u64::from(more)).min(LAST_TICK)
}

/// A running timer. Stopping one that has fired does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Entry<T> {
    tick: u64,
    previous: u32,
    next: u32,
    generation: u32,
    list: u16,
    what: Option<T>,
}

/// A doubly linked list through the entries.
#[derive(Debug, Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// Timers that carry a `T`.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    origin: Option<Instant>,
    /// Ticks that are over.
    reached: u64,
    entries: Vec<Entry<T>>,
    free: u32,
    lists: Box<[List]>,
    occupied: [u64; LEVELS],
    running: usize,
}

impl<T> Wheel<T> {
    /// A wheel that starts to turn with the first timer.
    pub(crate) fn new() -> Self {
        Self {
            origin: None,
            reached: 0,
            entries: Vec::new(),
            free: NONE,
            lists: vec![List { first: NONE, last: NONE }; LEVELS * PLACES + 1].into_boxed_slice(),
            occupied: [0; LEVELS],
            running: 0,
        }
    }

    /// Starts a timer. It fires at the first whole millisecond (since the first timer ever) that is not before `at`.
    pub(crate) fn start(&mut self, now: Instant, at: Instant, what: T) -> Handle {
        let origin = *self.origin.get_or_insert(now);
        let since = at.saturating_duration_since(origin);
        let tick = ticks(since, since.subsec_nanos().div_ceil(NANOS));
        let index = if let Some(entry) = self.entries.get_mut(self.free as usize) {
            let index = self.free;
            self.free = entry.next;
            entry.tick = tick;
            entry.what = Some(what);
            index
        } else {
            // Tables are bounded far below: this many entries never exist.
            let index = u32::try_from(self.entries.len()).unwrap_or(NONE);
            self.entries.push(Entry { tick, previous: NONE, next: NONE, generation: 0, list: FREE, what: Some(what) });
            index
        };
        self.running += 1;
        let list = self.list_for(tick);
        self.link(index, list);
        let generation = self.entries.get(index as usize).map_or(0, |entry| entry.generation);
        Handle { index, generation }
    }

    /// Stops a timer.
    pub(crate) fn stop(&mut self, handle: Handle) {
        let is_running = self
            .entries
            .get(handle.index as usize)
            .is_some_and(|entry| entry.generation == handle.generation && entry.list != FREE);
        if is_running {
            self.unlink(handle.index);
            self.release(handle.index);
        }
    }

    /// Takes one timer that is due, those that are due first before others.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<T> {
        let origin = self.origin?;
        let since = now.saturating_duration_since(origin);
        let target = ticks(since, since.subsec_nanos() / NANOS);
        loop {
            let due = self.lists.get(usize::from(DUE)).map_or(NONE, |list| list.first);
            if due != NONE {
                self.unlink(due);
                return self.release(due);
            }
            let Some((level, place, start)) = self.next_place() else {
                self.reached = self.reached.max(target);
                return None;
            };
            if start > target {
                self.reached = self.reached.max(target);
                return None;
            }
            self.reached = self.reached.max(start);
            self.turn(level, place);
        }
    }

    /// When [`expire`](Self::expire) has something to do: never later than the first timer, and sometimes earlier, when
    /// the wheel must move timers down a level.
    pub(crate) fn next(&self) -> Option<Instant> {
        let origin = self.origin?;
        let tick = if self.lists.get(usize::from(DUE)).is_some_and(|list| list.first != NONE) {
            self.reached
        } else {
            self.next_place()?.2
        };
        Some(origin + Duration::from_millis(tick))
    }

    /// How many timers run.
    pub(crate) const fn len(&self) -> usize {
        self.running
    }

    /// The list that a tick belongs in now.
    fn list_for(&self, tick: u64) -> u16 {
        if tick <= self.reached {
            return DUE;
        }
        let level = (63 - (tick ^ self.reached).leading_zeros() as usize) / 6;
        let place = (tick >> (6 * level)) as usize % PLACES;
        (level * PLACES + place) as u16
    }

    /// The first occupied place: its level, its number there and the tick at which it begins.
    fn next_place(&self) -> Option<(usize, usize, u64)> {
        for (level, occupied) in self.occupied.iter().enumerate() {
            // On a level, everything lies ahead of the place that the wheel has reached, without wrapping around.
            if *occupied != 0 {
                let place = occupied.trailing_zeros() as usize;
                let shift = 6 * level;
                let above = self.reached >> (shift + 6) << (shift + 6);
                return Some((level, place, above | (place as u64) << shift));
            }
        }
        None
    }

    /// Empties a place: its timers are due, or move down.
    fn turn(&mut self, level: usize, place: usize) {
        let number = level * PLACES + place;
        while let Some(index) = self.lists.get(number).map(|list| list.first).filter(|first| *first != NONE) {
            self.unlink(index);
            let Some(tick) = self.entries.get(index as usize).map(|entry| entry.tick) else { return };
            let list = self.list_for(tick);
            self.link(index, list);
        }
    }

    /// Puts an entry at the end of a list.
    fn link(&mut self, index: u32, number: u16) {
        let Some(list) = self.lists.get_mut(usize::from(number)) else { return };
        let last = std::mem::replace(&mut list.last, index);
        if last == NONE {
            list.first = index;
        }
        if let Some(entry) = self.entries.get_mut(last as usize) {
            entry.next = index;
        }
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.previous = last;
            entry.next = NONE;
            entry.list = number;
        }
        if let Some(occupied) = self.occupied.get_mut(usize::from(number) / PLACES) {
            *occupied |= 1 << (usize::from(number) % PLACES);
        }
    }

    /// Takes an entry out of its list.
    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.entries.get_mut(index as usize) else { return };
        let (previous, next, number) = (entry.previous, entry.next, entry.list);
        entry.list = FREE;
        let Some(list) = self.lists.get_mut(usize::from(number)) else { return };
        if list.first == index {
            list.first = next;
        }
        if list.last == index {
            list.last = previous;
        }
        let is_empty = list.first == NONE;
        if let Some(entry) = self.entries.get_mut(previous as usize) {
            entry.next = next;
        }
        if let Some(entry) = self.entries.get_mut(next as usize) {
            entry.previous = previous;
        }
        if is_empty && let Some(occupied) = self.occupied.get_mut(usize::from(number) / PLACES) {
            *occupied &= !(1 << (usize::from(number) % PLACES));
        }
    }

    /// Frees an entry that is in no list.
    fn release(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(index as usize)?;
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = index;
        self.running -= 1;
        entry.what.take()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[expect(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn timers_fire_at_their_millisecond_and_not_before() {
        let start = origin();
        let mut wheel = Wheel::new();
        for delay in [0_u64, 1, 63, 64, 65, 500, 4_095, 4_096, 32_000, 3_600_000] {
            wheel.start(start, start + MS(delay), delay);
        }
        for delay in [0_u64, 1, 63, 64, 65, 500, 4_095, 4_096, 32_000, 3_600_000] {
            if delay > 0 {
                assert_eq!(wheel.expire(start + MS(delay) - Duration::from_nanos(1)), None, "before {delay}");
            }
            assert!(wheel.next().unwrap() <= start + MS(delay));
            assert_eq!(wheel.expire(start + MS(delay)), Some(delay));
        }
        assert_eq!(wheel.len(), 0);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_stopped_timer_never_fires_and_its_handle_stops_no_other() {
        let start = origin();
        let mut wheel = Wheel::new();
        let first = wheel.start(start, start + MS(10), 'a');
        wheel.stop(first);
        let second = wheel.start(start, start + MS(20), 'b');
        wheel.stop(first);
        assert_eq!(wheel.expire(start + MS(100)), Some('b'));
        assert_eq!(wheel.expire(start + MS(100)), None);
        wheel.stop(second);
        assert_eq!(wheel.len(), 0);
    }

    #[test]
    fn parts_of_a_millisecond_are_rounded_up() {
        let start = origin();
        let mut wheel = Wheel::new();
        wheel.start(start, start + Duration::from_micros(1_200), ());
        assert_eq!(wheel.expire(start + Duration::from_micros(1_900)), None);
        assert_eq!(wheel.next(), Some(start + MS(2)));
        assert_eq!(wheel.expire(start + MS(2)), Some(()));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Start(u64),
        Stop(usize),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let delays = prop_oneof![0..100_u64, 0..5_000_u64, 0..40_000_000_u64];
        let step = prop_oneof![
            4 => delays.clone().prop_map(Step::Start),
            2 => any::<prop::sample::Index>().prop_map(|index| Step::Stop(index.index(1 << 20))),
            3 => delays.prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn the_wheel_agrees_with_a_sorted_map(steps in steps()) {
            let start = origin();
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<(u64, usize), Handle> = BTreeMap::new();
            let mut now = 0;
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Start(delay) => {
                        let handle = wheel.start(start, start + MS(now + delay), number);
                        // The model's origin is the first timer's `now`, which is always zero here.
                        model.insert((now + delay, number), handle);
                    }
                    Step::Stop(choice) => {
                        if !model.is_empty() {
                            let key = *model.keys().nth(choice % model.len()).unwrap();
                            wheel.stop(model.remove(&key).unwrap());
                        }
                    }
                    Step::Pass(span) => {
                        now += span;
                        let mut fired = Vec::new();
                        while let Some(what) = wheel.expire(start + MS(now)) {
                            fired.push(what);
                        }
                        let mut expected: Vec<usize> =
                            model.keys().filter(|(due, _)| *due <= now).map(|(_, number)| *number).collect();
                        model.retain(|(due, _), _| *due > now);
                        fired.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(fired, expected);
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
                let first = model.keys().next().map(|(due, _)| start + MS(*due));
                prop_assert_eq!(wheel.next().is_some(), first.is_some());
                if let (Some(next), Some(first)) = (wheel.next(), first) {
                    prop_assert!(next <= first);
                }
            }
        }
    }
}
