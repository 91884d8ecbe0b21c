//! Reading and forwarding SIP messages, beside other parsers.

pub mod allocations;
pub mod rsip_peer;
pub mod rsipstack_peer;
pub mod tandem;

use bytes::Bytes;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// The messages that are measured.
pub const MESSAGES: [(&str, &[u8]); 4] = [
    ("INVITE, 631 bytes", include_bytes!("../messages/invite.sip")),
    ("REGISTER with digest", include_bytes!("../messages/register.sip")),
    ("200 with 5 Vias", include_bytes!("../messages/ok.sip")),
    ("INVITE, 60 headers, 4 kB", include_bytes!("../messages/large.sip")),
];

/// Something to do with a message, and who does it.
pub struct Work {
    pub peer: &'static str,
    pub name: &'static str,
    pub run: fn(&Bytes),
}

/// Everything that is measured; the first is what forwarding cannot be faster than.
pub const WORKS: [Work; 13] = [
    Work { peer: "tandem", name: "copy", run: tandem::copy },
    Work { peer: "tandem", name: "index", run: tandem::index },
    Work { peer: "tandem", name: "index, 4 typed", run: tandem::typed },
    Work { peer: "tandem", name: "index, forward", run: tandem::forward },
    Work { peer: "tandem", name: "index, copy", run: tandem::index_and_copy },
    Work { peer: "tandem", name: "index, borrowed", run: tandem::index_borrowed },
    Work { peer: "tandem", name: "index, 4 typed, borrowed", run: tandem::typed_borrowed },
    Work { peer: "rsipstack", name: "index", run: rsipstack_peer::index },
    Work { peer: "rsipstack", name: "index, 4 typed", run: rsipstack_peer::typed },
    Work { peer: "rsipstack", name: "index, write", run: rsipstack_peer::write },
    Work { peer: "rsip", name: "index", run: rsip_peer::index },
    Work { peer: "rsip", name: "index, 4 typed", run: rsip_peer::typed },
    Work { peer: "rsip", name: "index, write", run: rsip_peer::write },
];

/// The message as a socket would give it: on the heap, and shared already.
#[must_use]
pub fn shared(text: &[u8]) -> Bytes {
    let bytes = Bytes::from(text.to_vec());
    drop(bytes.clone());
    bytes
}
