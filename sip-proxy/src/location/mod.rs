//! Where users are: the bindings of addresses of record to contacts (RFC 3261 §10).

mod binding;
pub mod memory;

pub use binding::{Binding, Reachability};
