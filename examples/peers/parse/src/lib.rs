//! Reading and forwarding SIP messages, beside other parsers.

pub mod allocations;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// The messages that are measured.
pub const MESSAGES: [(&str, &[u8]); 4] = [
    ("INVITE, 631 bytes", include_bytes!("../messages/invite.sip")),
    ("REGISTER with digest", include_bytes!("../messages/register.sip")),
    ("200 with 5 Vias", include_bytes!("../messages/ok.sip")),
    ("INVITE, 60 headers", include_bytes!("../messages/large.sip")),
];
