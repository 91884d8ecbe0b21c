//! Asterisk's configuration files.

mod check;
pub mod file;
mod iax;
mod load;
mod pjsip;
mod same_place;
mod settings;
#[cfg(test)]
mod silence;
mod sip;

pub(crate) use load::open;
pub use load::{Loaded, Report, load, load_from};
pub(crate) use settings::{read_host, read_yes};
pub(crate) use sip::is_name;
