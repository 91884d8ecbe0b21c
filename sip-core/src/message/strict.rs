//! Parsing every header that has a type, for whoever wants to know it all at once.

use super::Headers;
use crate::error::ParseError;
use crate::header::canonical;

impl Headers {
    /// What is wrong with the header lines whose name has a type in [`crate::header`], in their order, one error a
    /// line; empty when every one of them parses. Headers without a type are not looked at.
    #[must_use]
    pub fn malformed(&self) -> Vec<ParseError> {
        let lines = self.entries().iter().filter(|entry| entry.known.is_some());
        let errors = lines.filter_map(|entry| {
            let error = canonical(&self.name(entry), &self.value(entry))?.err()?;
            let origin = if entry.folded { 0 } else { entry.value().start };
            Some(ParseError { offset: error.offset + origin, ..error })
        });
        errors.collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::error::{ErrorKind, Part};
    use crate::header::HeaderName;
    use crate::message::{Limits, Message};

    #[test]
    fn every_malformed_line_is_reported_with_its_place() {
        let text = "OPTIONS sip:a SIP/2.0\r\nVia: ?\r\nMax-Forwards: 70\r\nX-Any: <\r\nCSeq: 1\r\n\r\n";
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let found = message.headers().malformed();
        let places = found.iter().map(|error| (error.part.clone(), error.offset)).collect::<Vec<_>>();
        let via = (Part::Header(HeaderName::VIA), text.find('?').unwrap());
        let cseq = (Part::Header(HeaderName::CSEQ), text.find("1\r\n\r\n").unwrap() + 1);
        assert_eq!(places, [via, cseq]);
        assert_eq!(found[0].kind, ErrorKind::Syntax);
    }
}
