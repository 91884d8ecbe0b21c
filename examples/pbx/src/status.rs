//! What the program is doing, as one value: the page, `/metrics` and the console are views of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Application;

/// A picture of the whole program at one moment. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Status {
    /// When the picture was taken.
    pub at: u64,
    /// When the program started.
    pub started: u64,
    /// Whether new calls are refused because the program is about to end.
    pub draining: bool,
    /// Where it listens, such as `udp 127.0.0.1:5060`.
    pub listeners: Vec<String>,
    /// Numbers that play something.
    pub extensions: Vec<Extension>,
    /// Everybody who may register, registered or not.
    pub accounts: Vec<Account>,
    /// The name of this system.
    pub name: Option<String>,
    /// The lines of `dialplan show`, by context.
    #[serde(skip)]
    pub dialplan: std::sync::Arc<crate::dialplan::Dialplan>,
    /// Where this program is registered itself, by SIP.
    pub registrations: Vec<SipRegistration>,
    /// Other exchanges on IAX2, unless that is off.
    pub iax: Option<Iax>,
    /// Calls that are being set up or run, oldest first.
    pub calls: Vec<Call>,
    /// The size of every table.
    pub tables: Vec<Table>,
    /// What happened since the start.
    pub totals: Totals,
}

/// A number that plays something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extension {
    /// The number.
    pub number: String,
    /// What it does, for a person.
    pub teaches: &'static str,
}

impl Extension {
    /// The row of a number.
    #[must_use]
    pub fn new(number: &str, application: Application) -> Self {
        Self { number: number.to_owned(), teaches: application.teaches() }
    }
}

/// Somebody who may register.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// User name and number.
    pub name: String,
    /// Shown to those called.
    pub caller_id: Option<String>,
    /// Where in the dialplan its calls begin.
    pub context: String,
    /// Where it always is; it registers when absent.
    pub fixed: Option<String>,
    /// Calls that it is in.
    pub calls: usize,
    /// How it is reached, when that is watched.
    pub qualify: Option<Qualify>,
    /// The phones registered.
    pub bindings: Vec<Binding>,
    /// What only the console shows.
    #[serde(skip)]
    pub settings: Settings,
}

/// How an account is configured, for the console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The number that others see, when it is not the account's name.
    pub number: Option<String>,
    /// The user name with which it proves who it is; none when it cannot.
    pub user: Option<String>,
    /// The user name that we show it, when it has a password for us.
    pub remote_user: Option<String>,
    /// Phones that may be registered at once; none for an address that is fixed.
    pub contacts: usize,
    /// Calls that it may have at once.
    pub calls: Option<usize>,
    /// How it is reached, when that is said: `UDP` or `TCP`.
    pub transport: Option<&'static str>,
    /// The addresses whose calls are taken as its own.
    pub networks: Vec<String>,
    /// Whether it may come from some addresses only.
    pub has_rules: bool,
}

/// A registration of ours at another SIP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SipRegistration {
    /// The server.
    pub host: String,
    /// Who registers there.
    pub user: String,
    /// How long the registration lasts, in seconds.
    pub refresh: u64,
    /// How far it is, in Asterisk's words.
    pub state: &'static str,
    /// When it was last granted.
    pub since: Option<u64>,
}

/// How a watched account is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Qualify {
    /// Whether it answered at all.
    pub reachable: bool,
    /// Whether that took too long.
    pub lagged: bool,
    /// How long the last answer took.
    pub milliseconds: Option<u64>,
}

/// A registered phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Binding {
    /// The URI it gave.
    pub contact: String,
    /// `UDP` or `TCP`.
    pub transport: &'static str,
    /// Where its registration came from.
    pub address: String,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// Since when it is registered.
    pub since: u64,
    /// Seconds until it must have registered again.
    pub expires: u64,
    /// Whether it can be reached: the connection it came by is open.
    pub reachable: bool,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The other side was asked and has said nothing yet.
    #[default]
    Calling,
    /// The other side rings.
    Ringing,
    /// It is answered.
    Up,
}

impl State {
    /// The word on the page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Up => "up",
        }
    }
}

/// A call.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Call {
    /// Its name in this program.
    pub id: u64,
    /// How far it is.
    pub state: State,
    /// The number dialled.
    pub dialled: String,
    /// Where the dialplan is.
    pub step: Step,
    /// What is done with it: `Dial`, `Echo`, `Milliwatt`.
    pub application: String,
    /// To whom, for `Dial`.
    pub data: String,
    /// When it began.
    pub started: u64,
    /// When it was answered.
    pub answered: Option<u64>,
    /// The codec, such as `PCMU`, once it is agreed.
    pub codec: Option<String>,
    /// Who called.
    pub caller: Side,
    /// Who was called: who answered, or the first that is called.
    pub callee: Option<Side>,
    /// The others that are called at once.
    pub others: Vec<Side>,
}

/// A place in the dialplan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The context.
    pub context: String,
    /// The extension.
    pub extension: String,
    /// The priority.
    pub priority: u32,
}

/// One side of a call: a channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Side {
    /// Asterisk's name of it, `SIP/1001-00000001`.
    pub channel: String,
    /// Its identity, `1700000000.12`.
    pub unique: String,
    /// Its number.
    pub number: String,
    /// Its name.
    pub name: Option<String>,
    /// The account or peer.
    pub peer: Option<String>,
    /// Where its signalling comes from.
    pub address: String,
    /// In Asterisk's words: `Down`, `Ring`, `Ringing`, `Up`.
    pub state: &'static str,
    /// Since when it talks; before the answer, since when it is there.
    pub since: u64,
    /// Since when it is there.
    #[serde(skip)]
    pub began: u64,
    /// Its codec.
    pub codec: Option<String>,
    /// Whether it put the other on hold.
    pub held: bool,
    /// What is heard from it.
    pub media: Option<Stream>,
}

/// What is heard from one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stream {
    /// Packets that came.
    pub packets: u64,
    /// Packets that the sequence numbers say are missing (RFC 3550 A.3).
    pub lost: u64,
    /// Packets that came from somebody else and were dropped.
    pub refused: u64,
    /// Packets that were sent to it.
    pub sent: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 A.8).
    pub jitter: f64,
}

/// Other exchanges on IAX2.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Iax {
    /// Who may call us, and whom we call.
    pub peers: Vec<IaxPeer>,
    /// Where we are registered.
    pub registrations: Vec<IaxRegistration>,
    /// The calls. Only the console shows them: there may be thousands.
    #[serde(skip)]
    pub channels: Vec<IaxChannel>,
    /// All datagrams that went out.
    pub sent: Flow,
    /// All that came in.
    pub received: Flow,
    /// What happened to them.
    pub counters: BTreeMap<&'static str, u64>,
}

/// An exchange on IAX2.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IaxPeer {
    /// Its name.
    pub name: String,
    /// The user name that we show it.
    pub username: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// Whether it tells us that by registering.
    pub dynamic: bool,
    /// Whether voice goes by trunk.
    pub trunk: bool,
    /// Whether its calls may be encrypted.
    pub encrypted: bool,
    /// Where in the dialplan its calls begin.
    pub context: String,
    /// How it is reached: `OK`, `LAGGED`, `UNREACHABLE`, `UNKNOWN`, `Unmonitored`.
    pub state: &'static str,
    /// Milliseconds that its last answer took.
    pub delay: Option<f64>,
    /// Calls with it.
    pub calls: usize,
    /// What went to it.
    pub sent: Flow,
    /// What came from it.
    pub received: Flow,
}

/// A registration of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IaxRegistration {
    /// The registrar.
    pub host: String,
    /// The name that we have there.
    pub username: String,
    /// How it sees us.
    pub perceived: Option<String>,
    /// Seconds that it lasts.
    pub refresh: u64,
    /// `Registered`, or in Asterisk's words why not.
    pub state: &'static str,
    /// Since when it is there.
    pub since: Option<u64>,
}

/// A call on IAX2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IaxChannel {
    /// Its name.
    pub channel: String,
    /// With whom.
    pub peer: String,
    /// Where that is.
    pub address: String,
    /// Our number of it and the peer's.
    pub numbers: (u16, u16),
    /// Sequence numbers, of what we send and of what comes.
    pub sequence: (u8, u8),
    /// The round trip in milliseconds.
    pub lag: Option<u64>,
    /// Jitter of what comes, in milliseconds.
    pub jitter: u32,
    /// Frames of voice that did not come.
    pub lost: u32,
    /// The codec.
    pub format: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Datagrams one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// How many.
    pub datagrams: u64,
    /// Their bytes, with the headers of IP and UDP.
    pub bytes: u64,
    /// How many were trunk frames: voice of many calls in one.
    pub trunk_frames: u64,
    /// Bits a second, lately.
    pub rate: u64,
}

/// The size of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How many entries it has.
    pub size: usize,
    /// How many it may have.
    pub limit: Option<usize>,
    /// Whether calls alone fill it, so that it must be empty when there are none.
    pub per_call: bool,
}

/// What happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Calls that ended, by how.
    pub calls: BTreeMap<&'static str, u64>,
    /// Refusals of any request, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Events of the SIP layers.
    pub sip: BTreeMap<&'static str, u64>,
    /// Media, all calls.
    pub rtp: BTreeMap<&'static str, u64>,
    /// Call records that could not be written.
    pub cdr_errors: u64,
}

impl Call {
    /// All channels of the call.
    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        std::iter::once(&self.caller).chain(&self.callee).chain(&self.others)
    }
}

impl Status {
    /// Phones registered.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.accounts.iter().map(|account| account.bindings.len()).sum()
    }

    /// Calls in that state.
    #[must_use]
    pub fn calls_in(&self, state: State) -> usize {
        self.calls.iter().filter(|call| call.state == state).count()
    }

    /// Calls that ended.
    #[must_use]
    pub fn calls_ended(&self) -> u64 {
        self.totals.calls.values().sum()
    }
}
