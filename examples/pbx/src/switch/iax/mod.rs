//! IAX2 in the switch.

use std::time::{Duration, Instant};

use super::{
    Switch,
    cause::Cause,
    leg::{Leg, LegKey},
};
use crate::dialplan::IaxPeerRef;

/// The IAX2 side of a leg.
#[derive(Debug)]
pub(super) struct IaxLeg {}

impl Switch {
    /// Calls a peer: makes the leg and enters it into the call's legs under `number`, dialled by `runner`.
    pub(super) fn iax_dial(
        &mut self,
        _now: Instant,
        _key: LegKey,
        _runner: u32,
        _peer: &IaxPeerRef,
        _extension: Option<&str>,
        _context: Option<&str>,
    ) -> Result<(), Cause> {
        Err(Cause::ABSENT)
    }

    /// A call that came in has its place: its events are told of this leg.
    pub(super) fn iax_note(&mut self, _iax: &IaxLeg, _key: LegKey) {}

    pub(super) fn iax_ring(&mut self, _now: Instant, _key: LegKey) {}

    pub(super) fn iax_progress(&mut self, _now: Instant, _key: LegKey) -> bool {
        false
    }

    pub(super) fn iax_answer(&mut self, _now: Instant, _key: LegKey) -> bool {
        false
    }

    pub(super) fn iax_hold(&mut self, _now: Instant, _key: LegKey, _on: bool) {}

    pub(super) fn iax_digit(&mut self, _now: Instant, _key: LegKey, _digit: char, _duration: Duration) {}

    pub(super) fn iax_hang_up(&mut self, _now: Instant, _leg: &Leg, _iax: &IaxLeg, _cause: Cause) {}

    pub(super) fn iax_forget(&mut self, _iax: &IaxLeg) {}
}
