//! DPSTATUS (RFC 5456 §8.6.19).

bitflags::bitflags! {
    /// What a dialplan says of a number (RFC 5456 §8.6.19).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct DialplanStatus: u16 {
        /// The number exists.
        const EXISTS = 1;
        /// More digits could make it one that exists.
        const CAN_EXIST = 2;
        /// No number begins like this.
        const NON_EXISTENT = 4;
        /// Keep the dial tone.
        const RETAIN_DIALTONE = 0x4000;
        /// More digits may match too.
        const MATCH_MORE = 0x8000;
        const _ = !0;
    }
}
