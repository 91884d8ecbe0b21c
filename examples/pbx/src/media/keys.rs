//! Key presses: those heard as telephone events (RFC 4733), and those that we send.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rtp::{
    dtmf::{Presses, TelephoneEvent},
    tone::Tone,
};

use super::{
    Press,
    outgoing::{PACKET, PER_MILLISECOND},
};

/// A press whose end was lost has ended when nothing was heard of it for so long.
const LOST_END: Duration = Duration::from_millis(500);

/// Presses that wait to be sent; more are dropped.
const QUEUE: usize = 32;

/// The shortest press that others hear, and the longest that we make.
const SHORTEST: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_secs(6);

/// Packets between two presses.
const PAUSE: u8 = 3;

/// -10 dBm0, as phones send it.
const VOLUME: u8 = 10;

/// What a received packet tells.
pub(super) type Told = [Option<(char, Press)>; 2];

/// Finds presses in received packets: each begins once and ends once, whatever is repeated or lost.
#[derive(Debug, Default)]
pub(super) struct Heard {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    timestamp: u32,
    event: u8,
    key: char,
    /// Of the segments before this one.
    before: u32,
    duration: u32,
    ended: bool,
    at: Instant,
}

impl Current {
    fn end(&mut self) -> Option<(char, Press)> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let milliseconds = (self.before + self.duration) / PER_MILLISECOND;
        Some((self.key, Press::End(Duration::from_millis(milliseconds.into()))))
    }
}

impl Heard {
    /// Takes in a packet: what ended, what began or ended.
    pub(super) fn receive(&mut self, now: Instant, timestamp: u32, event: TelephoneEvent) -> Told {
        let duration = u32::from(event.duration);
        let Some(key) = event.key() else { return [None, None] };
        let mut before = 0;
        if let Some(current) = &mut self.current {
            let later = timestamp.wrapping_sub(current.timestamp);
            if later == 0 && current.event == event.event {
                current.duration = current.duration.max(duration);
                current.at = now;
                return [if event.end { current.end() } else { None }, None];
            }
            if later >= 1 << 31 {
                // A late repetition of a press before.
                return [None, None];
            }
            if later == u32::from(u16::MAX) && current.event == event.event && !current.ended {
                // A press longer than the field holds goes on (§2.5.1.3).
                before = current.before + later;
            }
        }
        if before > 0
            && let Some(current) = &mut self.current
        {
            (current.timestamp, current.before, current.duration, current.at) = (timestamp, before, duration, now);
            return [if event.end { current.end() } else { None }, None];
        }
        let ended = self.current.as_mut().and_then(Current::end);
        let mut current = Current { timestamp, event: event.event, key, before, duration, ended: false, at: now };
        let began = Some((key, Press::Begin));
        // The beginning may have been lost, so that the first that is heard is the end: that is told next, by its repetition or
        // by the clock.
        current.at = now;
        self.current = Some(current);
        if ended.is_none() && event.end {
            let end = self.current.as_mut().and_then(Current::end);
            return [began, end];
        }
        [ended, began]
    }

    /// A press whose end was lost.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<(char, Press)> {
        let current = self.current.as_mut()?;
        if now.saturating_duration_since(current.at) < LOST_END { None } else { current.end() }
    }
}

/// What goes out instead of voice.
#[derive(Debug)]
pub(super) enum Step {
    /// A packet of a telephone event: its first, the segment, the payload.
    Event(bool, u32, TelephoneEvent),
    /// The samples of a key's two tones.
    Samples,
    /// Nothing: between two presses.
    Pause,
}

/// Presses that are being sent to a side.
#[derive(Debug, Default)]
pub(super) struct Sending {
    queue: VecDeque<(u8, Duration)>,
    current: Option<Kind>,
    pause: u8,
}

#[derive(Debug)]
enum Kind {
    Events(Presses),
    Tones { low: Tone, high: Tone, packets: u32 },
}

impl Sending {
    /// Puts a press at the end; `false`: no such key, or too many wait.
    pub(super) fn push(&mut self, key: char, duration: Duration) -> bool {
        let Some(event) = TelephoneEvent::from_key(key).filter(|_| self.queue.len() < QUEUE) else { return false };
        self.queue.push_back((event, duration.clamp(SHORTEST, LONGEST)));
        true
    }

    /// Whether voice has to wait.
    pub(super) fn is_busy(&self) -> bool {
        self.current.is_some() || !self.queue.is_empty()
    }

    /// What goes out in these 20 ms, as telephone events or as tones into `samples`.
    pub(super) fn next(&mut self, events: bool, samples: &mut [i16]) -> Step {
        if self.pause > 0 {
            self.pause -= 1;
            return Step::Pause;
        }
        if self.current.is_none() {
            let Some((event, duration)) = self.queue.pop_front() else { return Step::Pause };
            let milliseconds = u32::try_from(duration.as_millis()).unwrap_or(100);
            self.current = Some(if events {
                Kind::Events(Presses::new(event, VOLUME, milliseconds * PER_MILLISECOND, 160))
            } else {
                let [low, high] = tones(event).map(|hertz| Tone::new(hertz, -9.0, 8_000));
                Kind::Tones { low, high, packets: (milliseconds * PER_MILLISECOND).div_ceil(PACKET) }
            });
        }
        match &mut self.current {
            Some(Kind::Events(presses)) => {
                if let Some(press) = presses.next() {
                    return Step::Event(press.marker, press.segment, press.event);
                }
            }
            Some(Kind::Tones { low, high, packets }) if *packets > 0 => {
                *packets -= 1;
                for sample in samples {
                    let (low, high) = (low.next().unwrap_or(0), high.next().unwrap_or(0));
                    *sample = low.saturating_add(high);
                }
                return Step::Samples;
            }
            _ => {}
        }
        self.current = None;
        self.pause = if self.queue.is_empty() { 0 } else { PAUSE };
        Step::Pause
    }
}

/// The two frequencies of a key (ITU-T Q.23).
fn tones(event: u8) -> [f64; 2] {
    let (row, column) = match event {
        1..=9 => ((event - 1) / 3, (event - 1) % 3),
        10 => (3, 0),
        0 => (3, 1),
        11 => (3, 2),
        letter => (letter.saturating_sub(12), 3),
    };
    let low = match row {
        0 => 697.0,
        1 => 770.0,
        2 => 852.0,
        _ => 941.0,
    };
    let high = match column {
        0 => 1_209.0,
        1 => 1_336.0,
        2 => 1_477.0,
        _ => 1_633.0,
    };
    [low, high]
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin somewhere")]
mod tests {
    use super::*;

    fn listen(packets: impl IntoIterator<Item = (u32, TelephoneEvent)>) -> Vec<(char, Press)> {
        let now = Instant::now();
        let mut heard = Heard::default();
        packets.into_iter().flat_map(|(timestamp, event)| heard.receive(now, timestamp, event)).flatten().collect()
    }

    fn press(key: char, at: u32, duration: u32) -> Vec<(u32, TelephoneEvent)> {
        let event = TelephoneEvent::from_key(key).unwrap();
        Presses::new(event, 10, duration, 160).map(|press| (at + press.segment, press.event)).collect()
    }

    const fn end(milliseconds: u64) -> Press {
        Press::End(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_press_begins_once_and_ends_once() {
        assert_eq!(listen(press('5', 1_000, 800)), [('5', Press::Begin), ('5', end(100))]);
        let twice: Vec<_> = press('5', 1_000, 800).into_iter().chain(press('5', 4_000, 1_600)).collect();
        assert_eq!(listen(twice), [('5', Press::Begin), ('5', end(100)), ('5', Press::Begin), ('5', end(200))]);
    }

    #[test]
    fn what_is_lost_of_a_press_loses_nothing_of_its_meaning() {
        let whole = press('#', 1_000, 800);
        let ends: Vec<_> = whole.iter().copied().skip(5).take(1).collect();
        assert_eq!(listen(ends), [('#', Press::Begin), ('#', end(100))], "only an end came");
        let without: Vec<_> = whole.iter().copied().take(3).chain(press('1', 9_000, 800)).collect();
        assert_eq!(
            listen(without),
            [('#', Press::Begin), ('#', end(60)), ('1', Press::Begin), ('1', end(100))],
            "the next press ends it"
        );
        let mut heard = Heard::default();
        let now = Instant::now();
        let (timestamp, event) = whole[0];
        assert_eq!(heard.receive(now, timestamp, event)[1], Some(('#', Press::Begin)));
        assert_eq!(heard.overdue(now), None);
        assert_eq!(heard.overdue(now + LOST_END), Some(('#', end(20))));
        assert_eq!(heard.overdue(now + LOST_END), None);
    }

    #[test]
    fn a_press_of_minutes_is_one_press() {
        assert_eq!(listen(press('9', 1_000, 160_000)), [('9', Press::Begin), ('9', end(20_000))]);
    }

    #[test]
    fn presses_are_sent_one_after_the_other() {
        let mut sending = Sending::default();
        assert!(sending.push('1', Duration::from_millis(100)) && sending.push('2', Duration::ZERO));
        assert!(!sending.push('x', Duration::ZERO));
        let mut heard = Heard::default();
        let (now, mut at, mut told) = (Instant::now(), 0, Vec::new());
        for packet in 0..40 {
            if let Step::Event(begins, segment, event) = sending.next(true, &mut []) {
                if begins {
                    at = packet * 160;
                }
                told.extend(heard.receive(now, at + segment, event).into_iter().flatten());
            }
        }
        assert!(!sending.is_busy());
        assert_eq!(told, [('1', Press::Begin), ('1', end(100)), ('2', Press::Begin), ('2', end(60))]);
    }

    #[test]
    fn tones_are_those_of_the_key() {
        let mut sending = Sending::default();
        sending.push('0', Duration::from_secs(1));
        let mut heard = Vec::new();
        let mut samples = [0; 160];
        while matches!(sending.next(false, &mut samples), Step::Samples) {
            heard.extend(samples);
        }
        assert_eq!(heard.len(), 8_000);
        for hertz in [941.0, 1_336.0] {
            let level = rtp::tone::Detector::new(hertz, 8_000).measure(&heard);
            assert!((level + 9.0).abs() < 0.5, "{hertz}: {level}");
        }
        assert!(rtp::tone::Detector::new(697.0, 8_000).measure(&heard) < -40.0);
    }
}
