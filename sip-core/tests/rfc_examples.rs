//! Every SIP message that is printed in an RFC: read, and written as it came.

mod rfc;

use sip_core::{Limits, Message};

/// A Content-Length that a page break follows, which makes a fold of the page's next line: whoever guessed the body's
/// length there could be led to guess wrong. What else is misprinted matters only to who reads those headers.
const MISPRINTED: &str = "rfc4916/006";

/// The names of the messages that are refused.
fn refused(messages: &[rfc::Example]) -> Vec<&str> {
    let mut refused = Vec::new();
    for (name, bytes) in messages {
        let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) else {
            refused.push(name.as_str());
            continue;
        };
        assert_eq!(message.to_bytes(), bytes, "{name}");
        let finished = match &message {
            Message::Request(request) => request.edit().finish().to_bytes(),
            Message::Response(response) => response.edit().finish().to_bytes(),
        };
        assert_eq!(finished, bytes, "{name}");
        let text = message.headers().get(&sip_core::header::HeaderName::CONTENT_LENGTH);
        if let Some(length) = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<usize>().ok()) {
            assert_eq!(message.body().len(), length, "{name}");
        }
    }
    refused
}

#[test]
fn every_message_that_is_carried_here_is_read_and_written_as_it_came() {
    let messages = rfc::carried();
    assert_eq!(messages.len(), 68);
    assert_eq!(refused(&messages), [] as [&str; 0]);
}

#[test]
fn every_complete_message_printed_in_an_rfc_is_read_and_written_as_it_came() {
    let Some(messages) = rfc::shared() else { return };
    assert_eq!(refused(&messages), [MISPRINTED]);
}
