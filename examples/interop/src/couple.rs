//! Two phones of our own in calls with each other.

use crate::media::Line;
use crate::pbx::Pbx;
use crate::phone::{Call, Phone, sdp};
use std::net::SocketAddr;

/// A caller and a callee who is registered.
#[derive(Debug)]
pub struct Couple {
    /// Who calls, as 1001.
    pub alice: Phone,
    /// Who is called, as 1002.
    pub bob: Phone,
}

/// One call of theirs, and where their lines send to.
#[derive(Debug, Clone)]
pub struct Talking {
    /// The caller's side.
    pub outgoing: Call,
    /// The callee's side.
    pub incoming: Call,
}

impl Couple {
    /// Two phones; the second registers.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub fn new(pbx: &Pbx) -> Self {
        let alice = Phone::new(pbx.ports.address(), pbx.sip, "1001", "1234");
        let mut bob = Phone::new(pbx.ports.address(), pbx.sip, "1002", "1234");
        assert_eq!(bob.register(600), 200);
        Self { alice, bob }
    }

    /// Sets a call up; the lines then know where to send.
    ///
    /// # Panics
    ///
    /// When the call does not come about.
    pub fn call(&mut self, of_alice: &mut Line, of_bob: &mut Line) -> Talking {
        let mut outgoing = self.alice.invite("1002", &sdp(of_alice.address, "sendrecv"));
        let incoming = self.bob.incoming();
        of_bob.remote = incoming.invite.media();
        self.bob.respond(&incoming, "200 OK", &sdp(of_bob.address, "sendrecv"));
        let answer = self.alice.outcome(&mut outgoing);
        assert_eq!(answer.status(), Some(200), "{}", answer.start);
        self.bob.request(&incoming, "ACK");
        of_alice.remote = answer.media();
        let remote = (of_alice.remote, of_bob.remote);
        assert!(remote.0.is_some() && remote.1.is_some() && remote.0 != remote.1, "{remote:?}");
        assert!(![of_alice.remote, of_bob.remote].contains(&Some(of_alice.address)), "media goes through the PBX");
        Talking { outgoing, incoming }
    }

    /// The caller hangs up.
    ///
    /// # Panics
    ///
    /// When the other side is not told.
    pub fn hang_up(&mut self, talking: &mut Talking) {
        assert_eq!(self.alice.bye(&mut talking.outgoing), 200);
        self.bob.wait_for_bye(&talking.incoming);
    }
}

/// An address of loopback with a port of the system's choice.
pub fn anywhere() -> SocketAddr {
    crate::ports::local(0)
}
