//! Messages, as `rsipstack` reads them.

use rsipstack::sip as other;
use sip_core::header::HeaderName;

use super::message::{Found, found};
use super::quiet::quietly;

pub fn read(bytes: &[u8]) -> Option<Found> {
    quietly(|| found!(other, ::rsipstack::sip::message::HeadersExt, ::rsipstack::sip::ToTypedHeader, bytes))
}
