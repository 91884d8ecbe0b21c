//! What a dialplan may know of the channel that runs it.

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallerId {
    /// The number, `1001`.
    pub number: String,
    /// The name, `Alice`.
    pub name: String,
}

impl std::fmt::Display for CallerId {
    /// As Asterisk writes both: `"Alice" <1001>`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.name.is_empty(), self.number.is_empty()) {
            (false, false) => write!(f, "\"{}\" <{}>", self.name, self.number),
            (false, true) => write!(f, "\"{}\"", self.name),
            (true, false) => write!(f, "<{}>", self.number),
            (true, true) => Ok(()),
        }
    }
}

/// The channel that runs a dialplan, as far as it concerns the dialplan. The switch keeps it up to date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The channel's name, `SIP/1001-00000001`.
    pub name: String,
    /// `SIP`, `PJSIP`, `IAX2` or `Local`.
    pub technology: &'static str,
    /// The account or peer that it belongs to.
    pub peer: Option<String>,
    /// Unique among all channels, `asterisk-1700000000.17`.
    pub unique_id: String,
    /// Who calls. The dialplan may change it.
    pub caller: CallerId,
    /// The language of what is played, `en`.
    pub language: String,
    /// Whether the channel is answered. The thread itself sets it once an answer was done.
    pub answered: bool,
    /// Why the last thing ended, as a Q.850 number; 0 when nothing did.
    pub hangup_cause: u8,
    /// What else `${CHANNEL(item)}` tells, by the item's name in lower case: `peerip`, `recvip`, `useragent`, …
    pub items: Vec<(String, String)>,
}
