//! Rewriting addresses and ports, so that media goes through a relay.

use core::net::{IpAddr, SocketAddr};

use super::{Media, Rtcp, Session, TypedAttribute};

/// Attributes that lead media past a relay or tell where a peer is (RFC 8839, RFC 3605, RFC 6544).
const PATHS: [&str; 8] = [
    "candidate",
    "remote-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-lite",
    "ice-mismatch",
    "end-of-candidates",
];

impl Session {
    /// Leads the stream at `index` to a relay: its `c=`, its port, `a=rtcp` to the port after it. What would lead
    /// around the relay (ICE) is removed.
    ///
    /// A rejected stream stays rejected, and the null address that puts a peer on hold stays null (RFC 3264 §8.4).
    /// `false` when there is no such stream.
    pub fn set_relay(&mut self, index: usize, relay: SocketAddr) -> bool {
        let is_null =
            self.media.get(index).and_then(|media| self.connection_of(media)).is_some_and(super::Connection::is_null);
        let Some(media) = self.media.get_mut(index) else { return false };
        media.attributes.retain(|attribute| !PATHS.iter().any(|name| attribute.name == *name));
        if media.port != 0 {
            media.set_port(relay.port());
        }
        if is_null {
            media.remove_attribute("rtcp");
            return true;
        }
        media.set_address(relay.ip());
        relay_rtcp(media, relay);
        true
    }

    /// Leads all that the session itself says to a relay: `o=` and `c=`; ICE is removed. Streams are led by
    /// [`set_relay`](Self::set_relay), before or after.
    ///
    /// Streams that rely on a null `c=` of the session get their own, so that a hold stays a hold.
    pub fn set_relay_address(&mut self, address: IpAddr) {
        self.origin.connection = address.into();
        self.attributes.retain(|attribute| !PATHS.iter().any(|name| attribute.name == *name));
        let Some(connection) = &mut self.connection else { return };
        if connection.is_null() {
            for media in &mut self.media {
                media.connection.get_or_insert_with(|| connection.clone());
            }
        }
        *connection = address.into();
    }
}

/// Says where RTCP goes only where it was said before: most do not know the attribute.
fn relay_rtcp(media: &mut Media, relay: SocketAddr) {
    if !media.has("rtcp") {
        return;
    }
    let port = if media.has_rtcp_mux() { Some(relay.port()) } else { relay.port().checked_add(1) };
    match port {
        Some(port) => media.set_attribute(Rtcp { port, connection: Some(relay.ip().into()) }.to_attribute()),
        None => media.remove_attribute("rtcp"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=alice 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\na=ice-lite\r\na=x-kept:1\r\n\
        m=audio 4000/2 RTP/AVP 0\r\na=rtcp:4009 IN IP4 10.0.0.6\r\na=candidate:1 1 UDP 1 10.0.0.5 4000 typ host\r\na=sendonly\r\n\
        m=video 0 RTP/AVP 31\r\nm=video 4002 RTP/AVP 31\r\nc=IN IP4 10.0.0.7\r\n";

    fn relayed(offer: &str) -> String {
        let mut session: Session = offer.parse().unwrap();
        session.set_relay_address("198.51.100.1".parse().unwrap());
        for index in 0..session.media.len() {
            let port = 20_000 + 2 * u16::try_from(index).unwrap();
            assert!(session.set_relay(index, SocketAddr::new("198.51.100.1".parse().unwrap(), port)));
        }
        assert!(!session.set_relay(session.media.len(), "198.51.100.1:1".parse().unwrap()));
        session.to_string()
    }

    #[test]
    fn no_address_of_the_peer_is_left() {
        let text = relayed(OFFER);
        assert!(!text.contains("10.0.0."), "{text}");
        assert_eq!(
            text,
            "v=0\r\no=alice 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\na=x-kept:1\r\n\
             m=audio 20000 RTP/AVP 0\r\nc=IN IP4 198.51.100.1\r\na=rtcp:20001 IN IP4 198.51.100.1\r\na=sendonly\r\n\
             m=video 0 RTP/AVP 31\r\nc=IN IP4 198.51.100.1\r\nm=video 20004 RTP/AVP 31\r\nc=IN IP4 198.51.100.1\r\n"
        );
    }

    #[test]
    fn a_hold_by_the_null_address_stays_a_hold() {
        for offer in [
            OFFER.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0"),
            OFFER.replace("m=audio 4000/2 RTP/AVP 0\r\n", "m=audio 4000/2 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n"),
        ] {
            let text = relayed(&offer);
            let session: Session = text.parse().unwrap();
            assert!(session.connection_of(&session.media[0]).unwrap().is_null(), "{text}");
            assert!(!session.connection_of(&session.media[2]).unwrap().is_null(), "{text}");
            assert!(!text.contains("10.0.0."), "{text}");
        }
    }

    #[test]
    fn rtcp_over_the_port_of_rtp_stays_there() {
        let text = relayed(&OFFER.replace("a=sendonly", "a=rtcp-mux"));
        assert!(text.contains("a=rtcp:20000 IN IP4 198.51.100.1\r\n"), "{text}");
    }
}
