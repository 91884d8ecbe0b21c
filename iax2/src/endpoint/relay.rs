//! Two joined calls: what comes on one goes out on the other.

use super::{Endpoint, Leg, Slot};
use crate::event::{CallId, Event, Output};
use crate::frame::Control;

impl Endpoint {
    /// Relays what a joined call brought since `before`.
    pub(super) fn relay(&mut self, number: u16, before: usize, full: bool) {
        let Some(Slot { leg: Leg::Call(call), .. }) = self.slot(number) else { return };
        let Some(other) = call.bridged else { return };
        if self.out.len() <= before {
            return;
        }
        let id = call.id;
        let new: Vec<Output> = self.out.drain(before..).collect();
        for output in new {
            match output {
                Output::Event(event) => {
                    if let Some(event) = self.relay_event(id, other, event, full) {
                        self.out.push_back(Output::Event(event));
                    }
                }
                datagram => self.out.push_back(datagram),
            }
        }
    }

    /// Sends an event on; gives it back when it is the program's.
    fn relay_event(&mut self, from: CallId, to: CallId, event: Event, full: bool) -> Option<Event> {
        let now = self.now;
        // A frame that cannot be sent on is lost, as on any network.
        let _sent = match event {
            Event::Voice { call, format, timestamp, payload } if call == from => {
                self.voice(now, to, Some(format), Some(timestamp), &payload, full)
            }
            Event::Video { call, format, timestamp, mark, payload } if call == from => {
                self.send_video(now, to, format, timestamp, mark, &payload)
            }
            Event::Dtmf { call, digit, phase } if call == from => self.send_dtmf(now, to, digit, phase),
            Event::Text { call, text } if call == from => match std::str::from_utf8(&text) {
                Ok(text) => self.send_text(now, to, text),
                Err(_) => return None,
            },
            Event::Html { call, html, data } if call == from => self.send_html(now, to, html, &data),
            Event::ComfortNoise { call, level } if call == from => self.send_comfort_noise(now, to, level),
            Event::Flash(call) if call == from => self.control(now, to, Control::Flash, &[]),
            Event::Hold { call, class } if call == from => self.control(now, to, Control::Hold, &class),
            Event::Unhold(call) if call == from => self.control(now, to, Control::Unhold, &[]),
            Event::Ringing(call) if call == from => self.control(now, to, Control::Ringing, &[]),
            Event::Progress(call) if call == from => self.control(now, to, Control::Progress, &[]),
            Event::Proceeding(call) if call == from => self.control(now, to, Control::Proceeding, &[]),
            event => return Some(event),
        };
        None
    }
}
