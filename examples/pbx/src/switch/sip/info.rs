//! Requests inside a call: INFO brings digits (`application/dtmf-relay`, `application/dtmf`) and takes them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{
    Method, Request, Response, StatusCode,
    header::{ContentType, HeaderName},
};
use sip_transaction::{ServerId, agent::SessionId};

use super::super::{
    Switch,
    leg::{LegKey, Told},
};

/// How long a key is down when nothing is said.
const PRESS: Duration = Duration::from_millis(160);

impl Switch {
    pub(super) fn on_inside(&mut self, now: Instant, key: LegKey, id: ServerId, request: &Request) {
        let status = match request.method() {
            Method::Info if request.body().is_empty() => StatusCode::OK,
            Method::Info => match digit_of(request) {
                Some(_) => StatusCode::OK,
                None => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            },
            Method::Options => StatusCode::OK,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let mut response = Response::to(request, status);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response = response.raw(&HeaderName::ALLOW, super::outside::ALLOW);
        }
        // It may be over already.
        let _ = self.agent.respond(now, id, response.build());
        if let Some((digit, duration)) = digit_of(request).filter(|_| *request.method() == Method::Info) {
            self.on_leg(now, key, Told::Digit { digit, duration, passed: false });
        }
    }

    pub(super) fn send_info(&mut self, now: Instant, session: SessionId, digit: char, duration: Duration) {
        let body = format!("Signal={digit}\r\nDuration={}\r\n", duration.as_millis().clamp(40, 5_000));
        let body = Some(("application/dtmf-relay", Bytes::from(body)));
        // A digit that cannot be sent is not missed as a call would be.
        let _ = self.agent.request(now, session, Method::Info, &[], body);
    }
}

/// The key that an INFO tells of, and how long it was down.
fn digit_of(request: &Request) -> Option<(char, Duration)> {
    let kind = request.headers().typed::<ContentType>().ok()??;
    let text = std::str::from_utf8(request.body()).ok()?;
    if kind.is("application", "dtmf") {
        return Some((key(text.trim())?, PRESS));
    }
    if !kind.is("application", "dtmf-relay") {
        return None;
    }
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(['=', ':'])?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let duration = value("Duration").and_then(|value| value.parse().ok()).map_or(PRESS, Duration::from_millis);
    Some((key(value("Signal")?)?, duration.min(Duration::from_secs(5))))
}

/// A key as it is written: itself, or the number of its event (`10` is `*`, `11` is `#`).
fn key(text: &str) -> Option<char> {
    match text {
        "10" => return Some('*'),
        "11" => return Some('#'),
        "12" => return Some('A'),
        "13" => return Some('B'),
        "14" => return Some('C'),
        "15" => return Some('D'),
        _ => {}
    }
    let mut characters = text.chars();
    let first = characters.next()?.to_ascii_uppercase();
    (characters.next().is_none() && matches!(first, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(first)
}

#[cfg(test)]
mod tests {
    use sip_core::{Limits, Message};

    use super::*;

    fn read(kind: &str, body: &str) -> Option<(char, u128)> {
        let text =
            format!("INFO sip:1@h SIP/2.0\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let Message::Request(request) = Message::parse(text.into(), &Limits::default()).unwrap() else { panic!() };
        digit_of(&request).map(|(digit, duration)| (digit, duration.as_millis()))
    }

    #[test]
    fn digits_are_read_as_phones_write_them() {
        for (kind, body, read_as) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=250\r\n", Some(('5', 250))),
            ("application/dtmf-relay", "Signal= #\nDuration= 100", Some(('#', 100))),
            ("Application/DTMF-Relay", "signal=10", Some(('*', 160))),
            ("application/dtmf-relay", "Signal=11\r\nDuration=99999999", Some(('#', 5_000))),
            ("application/dtmf-relay; charset=utf-8", "Signal=d\r\nDuration=x", Some(('D', 160))),
            ("application/dtmf", "7", Some(('7', 160))),
            ("application/dtmf", " *\r\n", Some(('*', 160))),
            ("application/dtmf", "17", None),
            ("application/dtmf", "", None),
            ("application/dtmf-relay", "Duration=250", None),
            ("application/media_control+xml", "<a/>", None),
        ] {
            assert_eq!(read(kind, body), read_as, "{kind} {body:?}");
        }
    }
}
