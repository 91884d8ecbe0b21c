//! Bodies that hold more than one thing: multipart (RFC 5621, RFC 2046) and fragments of SIP messages (RFC 3420).
//!
//! ```
//! use bytes::Bytes;
//! use sip_core::body::{Bounds, Multipart};
//!
//! let body = Bytes::from_static(
//!     b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x\r\n\r\nplain\r\n--x--\r\n",
//! );
//! let multipart = Multipart::parse(&body, b"x", &Bounds::default())?;
//! let sdp = multipart.find("application", "sdp").unwrap();
//! assert_eq!(sdp.body(), &b"v=0\r\n"[..]);
//! # Ok::<(), sip_core::ParseError>(())
//! ```

mod bounds;
mod multipart;
mod part;
mod sipfrag;

pub use bounds::Bounds;
pub use multipart::Multipart;
pub use part::BodyPart;
pub use sipfrag::{FragmentStart, SipFragment};
