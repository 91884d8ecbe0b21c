//! What an offer and its answer come to.

use core::net::SocketAddr;

use super::{Connection, Media, RtpMap, Session};

/// What flows in a stream, seen from one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Whether we may send: neither side has put the stream on hold, in any style.
    pub sends: bool,
    /// Whether media may come.
    pub receives: bool,
    /// Where we send, when that is an address and not a name.
    pub remote: Option<SocketAddr>,
    /// Where we send RTCP.
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether RTCP goes over RTP's port: both sides said `a=rtcp-mux` (RFC 5761 §5.1.1).
    pub rtcp_mux: bool,
    /// The codec that the other side prefers, by the payload type that it wants to receive.
    pub codec: Option<RtpMap>,
    /// The telephone events that the other side takes at that codec's clock rate.
    pub telephone_event: Option<RtpMap>,
    /// The milliseconds of audio in a packet that the other side wants.
    pub ptime: Option<u32>,
}

/// What flows in the stream at `index`, seen from the side that sent `local` and received `remote`, whichever of them
/// was the offer. `None` when either side does not have the stream or rejects it.
#[must_use]
pub fn flow(local: &Session, remote: &Session, index: usize) -> Option<Flow> {
    let (ours, theirs) = (local.media.get(index)?, remote.media.get(index)?);
    if ours.is_rejected() || theirs.is_rejected() {
        return None;
    }
    let direction = local.direction_of(ours).and(remote.direction_of(theirs).reversed());
    let is_null = |session: &Session, media: &Media| session.connection_of(media).is_some_and(Connection::is_null);
    let rtcp_mux = ours.has_rtcp_mux() && theirs.has_rtcp_mux();
    let address = remote.address_of(theirs);
    // What both list, in the other side's order.
    let is_common = |map: &RtpMap| ours.codecs().any(|own| is_same(&own, map));
    let codec = theirs.codecs().find(|map| !map.is_auxiliary() && is_common(map));
    let telephone_event = theirs.codecs().find(|map| {
        map.is_telephone_event()
            && is_common(map)
            && codec.as_ref().is_none_or(|codec| codec.clock_rate == map.clock_rate)
    });
    Some(Flow {
        sends: direction.sends() && !is_null(remote, theirs),
        receives: direction.receives() && !is_null(local, ours),
        remote: address,
        remote_rtcp: if rtcp_mux { address } else { remote.rtcp_address_of(theirs) },
        rtcp_mux,
        codec,
        telephone_event,
        ptime: theirs.ptime(),
    })
}

fn is_same(one: &RtpMap, other: &RtpMap) -> bool {
    one.encoding.eq_ignore_ascii_case(&other.encoding)
        && one.clock_rate == other.clock_rate
        && one.channels == other.channels
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MismatchError {
    /// It has not as many streams as the offer.
    #[error("answer has another number of streams than the offer")]
    Count,
    /// A stream is of another kind than the offer's.
    #[error("stream {0} is of another kind than offered")]
    Kind(usize),
    /// A stream has another transport than the offer's.
    #[error("stream {0} has another transport than offered")]
    Proto(usize),
    /// A stream is open that the offer closed.
    #[error("stream {0} is open but was offered closed")]
    Closed(usize),
    /// A stream sends or receives what the offer does not allow.
    #[error("stream {0} has a direction that the offer does not allow")]
    Direction(usize),
}

/// Checks that an answer fits its offer (RFC 3264 §6): as many streams, each of the same kind and transport, closed
/// where it was offered closed, and with a direction that the offer allows.
///
/// # Errors
/// What does not fit first.
pub fn check_answer(offer: &Session, answer: &Session) -> Result<(), MismatchError> {
    if offer.media.len() != answer.media.len() {
        return Err(MismatchError::Count);
    }
    for (index, (offered, answered)) in offer.media.iter().zip(&answer.media).enumerate() {
        if !offered.kind.eq_ignore_ascii_case(&answered.kind) {
            return Err(MismatchError::Kind(index));
        }
        if answered.is_rejected() {
            continue;
        }
        if offered.is_rejected() {
            return Err(MismatchError::Closed(index));
        }
        if !offered.proto.eq_ignore_ascii_case(&answered.proto) {
            return Err(MismatchError::Proto(index));
        }
        let allowed = offer.direction_of(offered).reversed();
        let direction = answer.direction_of(answered);
        if direction.and(allowed) != direction {
            return Err(MismatchError::Direction(index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(streams: &str) -> Session {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{streams}").parse().unwrap()
    }

    #[test]
    fn a_flow_says_what_to_send_and_where() {
        let local =
            session("m=audio 10 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\nm=video 12 RTP/AVP 31\r\n");
        let remote = session(
            "m=audio 20 RTP/AVP 18 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\na=rtcp:99\r\nm=video 0 RTP/AVP 31\r\n",
        );
        let flow = flow(&local, &remote, 0).unwrap();
        assert!(flow.sends && flow.receives && !flow.rtcp_mux);
        assert_eq!(flow.remote, Some("192.0.2.1:20".parse().unwrap()));
        assert_eq!(flow.remote_rtcp, Some("192.0.2.1:99".parse().unwrap()));
        assert_eq!(flow.codec.unwrap().encoding, "PCMA");
        assert_eq!(flow.telephone_event.unwrap().payload, 96);
        assert_eq!(flow.ptime, Some(30));
        assert_eq!(super::flow(&local, &remote, 1), None);
        assert_eq!(super::flow(&local, &remote, 2), None);
    }

    #[test]
    fn rtcp_shares_the_port_only_when_both_say_so() {
        let with = session("m=audio 10 RTP/AVP 0\r\na=rtcp-mux\r\n");
        let without = session("m=audio 10 RTP/AVP 0\r\n");
        let ports = |local, remote| flow(local, remote, 0).unwrap().remote_rtcp.unwrap().port();
        assert_eq!((ports(&with, &with), ports(&with, &without), ports(&without, &with)), (10, 11, 11));
    }

    #[test]
    fn answers_that_do_not_fit_are_told_apart() {
        let check = |offer: &str, answer: &str| check_answer(&session(offer), &session(answer));
        let audio = "m=audio 1 RTP/AVP 0\r\n";
        assert_eq!(check(audio, audio), Ok(()));
        assert_eq!(check(audio, ""), Err(MismatchError::Count));
        assert_eq!(check(audio, "m=video 1 RTP/AVP 0\r\n"), Err(MismatchError::Kind(0)));
        assert_eq!(check(audio, "m=audio 1 RTP/SAVP 0\r\n"), Err(MismatchError::Proto(0)));
        assert_eq!(check("m=audio 0 RTP/AVP 0\r\n", audio), Err(MismatchError::Closed(0)));
        assert_eq!(check("m=audio 1 RTP/AVP 0\r\na=sendonly\r\n", audio), Err(MismatchError::Direction(0)));
        assert_eq!(check("m=audio 1 RTP/AVP 0\r\na=sendonly\r\n", "m=audio 1 RTP/AVP 0\r\na=inactive\r\n"), Ok(()));
        assert_eq!(check(audio, "m=audio 0 RTP/AVP 0\r\n"), Ok(()));
    }
}
