//! Session descriptions: reading, writing, changing, offering and answering (RFC 8866, RFC 4566, RFC 3264, RFC 6337).
//!
//! A [`Session`] owns its values and keeps what it does not understand: unknown attributes and lines stay, in their
//! order. Fields are public, so a description is built and changed as plain data; what a line means is asked of views
//! such as [`Media::rtpmap`] and [`Media::direction`].
//!
//! ```
//! use sip_core::sdp::{self, Capabilities, Codec, Direction, Origin, Session, Stream};
//!
//! let offer = Session::parse(
//!     b"v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
//!       m=audio 49170 RTP/AVP 18 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n\
//!       m=video 51372 RTP/AVP 31\r\n",
//! )?;
//!
//! let address = "198.51.100.7".parse()?;
//! let capabilities = Capabilities::new(Origin::new("-", 7, 1, address)).with_stream(
//!     Stream::audio(10_000).with_codec(Codec::pcmu()).with_codec(Codec::pcma()).with_telephone_event("0-16"),
//! );
//! let answer = sdp::answer(&offer, &capabilities)?;
//!
//! let [audio, video] = &answer.media[..] else { panic!("as many streams as offered") };
//! assert_eq!(audio.formats, ["8", "0", "101"]); // the offer's order, less what we do not have
//! assert_eq!(audio.direction(), Some(Direction::RecvOnly)); // we are on hold
//! assert!(video.is_rejected());
//!
//! // What it means for the sender of media:
//! let flow = sdp::flow(&answer, &offer, 0).expect("the stream is in both");
//! assert!(flow.receives && !flow.sends);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod attribute;
mod capabilities;
mod codec;
mod connection;
mod direction;
mod flow;
mod limits;
mod media;
mod order;
mod origin;
mod parse;
mod relay;
mod rtcp;
mod session;
mod text;
mod time;
mod typed;

pub use answer::{AnswerError, answer, offer};
pub use attribute::{Attribute, Bandwidth, TypedAttribute, UnknownLine};
pub use capabilities::{Capabilities, Preference, Stream};
pub use codec::{Codec, Fmtp, RtpMap};
pub use connection::Connection;
pub use direction::Direction;
pub use flow::{Flow, MismatchError, check_answer, flow};
pub use limits::Limits;
pub use media::Media;
pub use origin::Origin;
pub use rtcp::Rtcp;
pub use session::Session;
pub use time::{Repeat, Time, ZoneAdjustment};
pub use typed::{
    Candidate, CandidateType, Crypto, CryptoKey, ExtMap, Fingerprint, Group, IceOptions, IcePwd, IceUfrag, Key,
    MasterKey, Mid, RtcpFb, Setup, Ssrc, SsrcGroup, T38, T38ErrorCorrection,
};
