//! The order of lines that came in another than the RFC's.

use core::hash::{Hash, Hasher};

use bytes::BufMut;

/// The order that RFC 8866 §5 gives to the lines of a session or of a stream; unknown types come last.
const SESSION: &[u8] = b"vosiuepcbtrzka";
const MEDIA: &[u8] = b"micbka";

/// The letters of the lines of a section as they came, when that is not the RFC's order.
///
/// It is about how a value is written, not about what it means, so all orders are equal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Order(Vec<u8>);

impl Order {
    /// Remembers the letters of a session's lines, or of a stream's.
    pub(crate) fn of_session(letters: Vec<u8>) -> Self {
        Self::unless_canonical(letters, SESSION)
    }

    pub(crate) fn of_media(letters: Vec<u8>) -> Self {
        Self::unless_canonical(letters, MEDIA)
    }

    fn unless_canonical(letters: Vec<u8>, order: &[u8]) -> Self {
        let ranks = letters.iter().map(|letter| rank(*letter, order));
        // `r=` goes with its `t=`, so that the two alternate.
        if ranks.is_sorted() { Self(Vec::new()) } else { Self(letters) }
    }

    /// Whether lines are written in the RFC's order.
    pub(crate) fn is_canonical(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes lines, which are in the RFC's order, in this one. Lines that were not there when it was remembered stand
    /// after those that they follow in the RFC's order.
    pub(crate) fn write(&self, lines: &[u8], out: &mut impl BufMut) {
        let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        let letter = |line: &[u8]| line.first().copied().unwrap_or_default();
        let mut is_placed = vec![false; lines.len()];
        let mut placed: Vec<&[u8]> = Vec::with_capacity(lines.len());
        // Where to look for the next line of each letter, so that many lines take no longer than that.
        let mut next = [0usize; 256];
        for wanted in &self.0 {
            let Some(from) = next.get_mut(usize::from(*wanted)) else { continue };
            let found = lines.iter().enumerate().skip(*from).find(|(_, line)| letter(line) == *wanted);
            *from = found.map_or(lines.len(), |(index, _)| index + 1);
            if let Some((index, line)) = found {
                placed.push(line);
                if let Some(is_placed) = is_placed.get_mut(index) {
                    *is_placed = true;
                }
            }
        }
        let order = if self.0.first() == Some(&b'm') { MEDIA } else { SESSION };
        for (line, _) in lines.iter().zip(&is_placed).filter(|(_, is_placed)| !**is_placed) {
            let own = rank(letter(line), order);
            let place = placed.iter().rposition(|other| rank(letter(other), order) <= own).map_or(0, |index| index + 1);
            placed.insert(place, line);
        }
        for line in placed {
            out.put_slice(line);
        }
    }
}

fn rank(letter: u8, order: &[u8]) -> usize {
    let letter = if letter == b'r' { b't' } else { letter };
    order.iter().position(|other| *other == letter).unwrap_or(order.len())
}

impl PartialEq for Order {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Order {}

impl Hash for Order {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
mod tests {
    use crate::sdp::{Attribute, Session};

    const ODD: &str = "v=0\r\no=- 1 1 IN IP4 a\r\nx=first\r\ns=-\r\na=one\r\nt=0 0\r\nr=1 2 0\r\na=two\r\nt=3 4\r\nc=IN IP4 192.0.2.1\r\n\
        m=audio 1 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nb=AS:64\r\nc=IN IP4 192.0.2.2\r\nQ=2\r\na=sendonly\r\n";

    #[test]
    fn lines_that_came_out_of_order_go_out_as_they_came() {
        let session: Session = ODD.parse().unwrap();
        assert_eq!(session.to_string(), ODD);
        let mut relayed = session.clone();
        relayed.set_relay_address("198.51.100.1".parse().unwrap());
        relayed.set_relay(0, "198.51.100.1:20000".parse().unwrap());
        let expected = ODD
            .replace("o=- 1 1 IN IP4 a", "o=- 1 1 IN IP4 198.51.100.1")
            .replace("192.0.2.1", "198.51.100.1")
            .replace("192.0.2.2", "198.51.100.1")
            .replace("audio 1 ", "audio 20000 ");
        assert_eq!(relayed.to_string(), expected);
    }

    #[test]
    fn lines_that_are_new_or_gone_find_their_place() {
        let mut session: Session = ODD.parse().unwrap();
        session.information = Some("new".into());
        session.attributes.remove(0);
        session.attributes.push(Attribute::flag("three"));
        session.unknown.clear();
        session.media[0].key = Some("prompt".into());
        let expected = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\ni=new\r\na=two\r\nt=0 0\r\nr=1 2 0\r\na=three\r\nt=3 4\r\n\
            c=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nb=AS:64\r\nc=IN IP4 192.0.2.2\r\nk=prompt\r\nQ=2\r\n\
            a=sendonly\r\n";
        assert_eq!(session.to_string(), expected);
        assert_eq!(expected.parse::<Session>().unwrap(), session);
    }

    #[test]
    fn the_order_is_no_part_of_what_a_description_says() {
        let odd: Session = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nc=IN IP4 a\r\n".parse().unwrap();
        let even: Session = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 a\r\nt=0 0\r\n".parse().unwrap();
        assert_eq!(odd, even);
    }
}
