//! Offers and answers after the first: one at a time, whoever makes them (RFC 3261 §14, RFC 3311 §5, RFC 6337 §4).
//!
//! ```text
//!                     re-INVITE or UPDATE goes out
//!            ┌────────────────────────────────────────▶ Local ──2xx with an offer──▶ Owing
//!            │ ◀──final response──────────────────────────┘ │ ◀──ACK with answer─────┘
//!   Idle ◀───┤                                              └─491─▶ Idle, tried again after a random time
//!            │        re-INVITE or UPDATE comes in
//!            ├────────────────────────────────────────▶ Remote ──2xx to re-INVITE──▶ Unacknowledged
//!            │ ◀──other final response, 2xx to UPDATE─────┘                              │
//!            └◀──ACK─────────────────────────────────────────────────────────────────────┘
//!
//!   what comes in at the wrong time:  Local, Owing: 491    Remote: 500 with Retry-After
//!                                     Unacknowledged: taken as the missing ACK, or 491 when that ACK owes an answer
//! ```

/// The two requests that can carry an offer inside a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Invite,
    Update,
}

/// Why an offer of the peer is refused now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 491: this side's own offer is under way.
    Pending,
    /// 500 with Retry-After: the peer's previous one is not answered yet.
    Overlap,
}

/// Which offer is under way in a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Local(Kind),
    Owing,
    Remote(Kind),
    Unacknowledged { owed: bool },
}

impl Exchange {
    /// A session whose first INVITE was sent by this side, or came from the other.
    pub(crate) const fn new(local: bool) -> Self {
        Self { state: if local { State::Local(Kind::Invite) } else { State::Remote(Kind::Invite) } }
    }

    /// Whether this side may begin an offer: a re-INVITE or UPDATE.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether the application owes the answer to an offer that came in a 2xx.
    pub(crate) fn is_owing(&self) -> bool {
        self.state == State::Owing
    }

    /// This side's re-INVITE or UPDATE goes out; only when [`Exchange::is_idle`].
    pub(crate) fn on_sent(&mut self, kind: Kind) {
        self.state = match self.state {
            State::Idle => State::Local(kind),
            state => state,
        };
    }

    /// The final response to it came; `owing`: a 2xx with an offer, which the ACK must answer.
    pub(crate) fn on_response(&mut self, owing: bool) {
        self.state = match self.state {
            State::Local(_) if owing => State::Owing,
            State::Local(_) => State::Idle,
            // A retransmission.
            state => state,
        };
    }

    /// The ACK with the owed answer went out.
    pub(crate) fn on_answered(&mut self) {
        self.state = match self.state {
            State::Owing => State::Idle,
            state => state,
        };
    }

    /// A re-INVITE, or an UPDATE with an offer, came in.
    pub(crate) fn on_received(&mut self, kind: Kind) -> Result<(), Refusal> {
        match self.state {
            State::Local(_) | State::Owing | State::Unacknowledged { owed: true } => Err(Refusal::Pending),
            State::Remote(_) => Err(Refusal::Overlap),
            State::Idle | State::Unacknowledged { owed: false } => {
                self.state = State::Remote(kind);
                Ok(())
            }
        }
    }

    /// The peer's request was answered with a 2xx; `owed`: the 2xx to an INVITE holds the offer, its ACK the answer.
    pub(crate) fn on_accepted(&mut self, owed: bool) {
        self.state = match self.state {
            State::Remote(Kind::Invite) => State::Unacknowledged { owed },
            State::Remote(Kind::Update) => State::Idle,
            state => state,
        };
    }

    /// The peer's request was refused or withdrawn.
    pub(crate) fn on_refused(&mut self) {
        self.state = match self.state {
            State::Remote(_) => State::Idle,
            state => state,
        };
    }

    /// The ACK to a 2xx came in.
    pub(crate) fn on_acknowledged(&mut self) {
        self.state = match self.state {
            State::Unacknowledged { .. } => State::Idle,
            state => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> Exchange {
        let mut exchange = Exchange::new(true);
        exchange.on_response(false);
        assert!(exchange.is_idle());
        exchange
    }

    #[test]
    fn offers_that_cross_are_refused_with_491() {
        let mut exchange = idle();
        exchange.on_sent(Kind::Invite);
        assert_eq!(exchange.on_received(Kind::Invite), Err(Refusal::Pending));
        assert_eq!(exchange.on_received(Kind::Update), Err(Refusal::Pending));
        exchange.on_response(false);
        assert_eq!(exchange.on_received(Kind::Invite), Ok(()));
    }

    #[test]
    fn a_second_offer_before_the_first_is_answered_overlaps() {
        let mut exchange = idle();
        assert_eq!(exchange.on_received(Kind::Update), Ok(()));
        assert_eq!(exchange.on_received(Kind::Invite), Err(Refusal::Overlap));
        exchange.on_accepted(false);
        assert!(exchange.is_idle());
    }

    #[test]
    fn a_re_invite_before_the_ack_is_taken_unless_the_ack_owes_an_answer() {
        let mut exchange = Exchange::new(false);
        exchange.on_accepted(false);
        assert!(!exchange.is_idle(), "no offer of ours before the ACK");
        assert_eq!(exchange.on_received(Kind::Invite), Ok(()));

        let mut exchange = Exchange::new(false);
        exchange.on_accepted(true);
        assert_eq!(exchange.on_received(Kind::Invite), Err(Refusal::Pending));
        exchange.on_acknowledged();
        assert_eq!(exchange.on_received(Kind::Invite), Ok(()));
    }

    #[test]
    fn an_offer_in_a_2xx_is_owed_an_answer() {
        let mut exchange = idle();
        exchange.on_sent(Kind::Invite);
        exchange.on_response(true);
        assert!(exchange.is_owing());
        assert_eq!(exchange.on_received(Kind::Invite), Err(Refusal::Pending));
        exchange.on_answered();
        assert!(exchange.is_idle());
    }

    #[test]
    fn a_refused_offer_leaves_the_session_as_it_was() {
        let mut exchange = idle();
        assert_eq!(exchange.on_received(Kind::Invite), Ok(()));
        exchange.on_refused();
        assert!(exchange.is_idle());
    }
}
