#![doc = include_str!("../README.md")]
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod authenticator;
pub mod b2bua;
pub mod dispatcher;
pub mod location;
pub mod registrar;
pub mod stateless;

/// The layers below, so that one dependency is enough.
pub use {sip_core, sip_transaction};

#[cfg(test)]
mod tests {
    //! What the tests of several modules share.

    /// A moment for clocks to begin with.
    #[expect(clippy::disallowed_methods, reason = "an instant has no other beginning; nothing waits")]
    pub(crate) fn epoch() -> std::time::Instant {
        std::time::Instant::now()
    }
}
