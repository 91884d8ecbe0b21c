//! The applications of the dialplan, one a file.

mod answer;
mod background;
mod busy;
mod dial;
mod echo;
mod exec_if;
mod gosub;
mod goto;
mod goto_if;
mod goto_if_time;
mod hangup;
mod milliwatt;
mod music;
mod noop;
mod playback;
mod progress;
mod read;
mod r#return;
mod ringing;
mod set;
mod verbose;
mod wait;
mod wait_exten;
mod r#while;

pub(crate) use read::{Progress, Reading};

use crate::dialplan::{Action, Check, End, Pending, Run};

/// What an application makes the dialplan do.
#[derive(Debug)]
pub(crate) enum Flow {
    /// Go on with the next step.
    Next,
    /// Go on where the position was put.
    Jumped,
    /// Ask for something, and go on as told once it is done.
    Act(Action, Pending),
    /// End.
    End(End),
}

/// An application.
#[derive(Debug)]
pub struct Application {
    name: &'static str,
    /// Looks at the arguments as they are written.
    check: fn(&mut Check<'_>, &str),
    /// Runs with arguments in which all variables are replaced.
    run: fn(&mut Run<'_>, &str) -> Flow,
}

impl Application {
    /// The name, as Asterisk writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn check(&self, check: &mut Check<'_>, arguments: &str) {
        (self.check)(check, arguments);
    }

    pub(crate) fn run(&self, run: &mut Run<'_>, arguments: &str) -> Flow {
        (self.run)(run, arguments)
    }
}

/// All of them, by name.
const APPLICATIONS: [Application; 38] = [
    answer::ANSWER,
    background::BACKGROUND,
    busy::BUSY,
    busy::CONGESTION,
    r#while::CONTINUE_WHILE,
    dial::DIAL,
    echo::ECHO,
    r#while::END_WHILE,
    exec_if::EXEC_IF,
    r#while::EXIT_WHILE,
    gosub::GOSUB,
    gosub::GOSUB_IF,
    goto::GOTO,
    goto_if::GOTO_IF,
    goto_if_time::GOTO_IF_TIME,
    hangup::HANGUP,
    music::SET_MUSIC_ON_HOLD,
    milliwatt::MILLIWATT,
    set::MSET,
    music::MUSIC_ON_HOLD,
    noop::NO_OP,
    playback::PLAYBACK,
    progress::PROCEEDING,
    progress::PROGRESS,
    read::READ,
    r#return::RETURN,
    ringing::RINGING,
    set::SET,
    goto::STACK_POP,
    music::START_MUSIC_ON_HOLD,
    music::STOP_MUSIC_ON_HOLD,
    verbose::LOG,
    verbose::VERBOSE,
    wait::WAIT,
    wait_exten::WAIT_EXTEN,
    r#while::WHILE,
    noop::SET_AMA_FLAGS,
    noop::RESET_CDR,
];

/// An application by its name; case does not matter.
#[must_use]
pub fn find(name: &str) -> Option<&'static Application> {
    APPLICATIONS.iter().find(|application| application.name.eq_ignore_ascii_case(name))
}

/// Runs an application that replaces variables in its arguments by itself; `None` when it is none of these.
pub(crate) fn run_written(run: &mut Run<'_>, name: &str, written: &str) -> Option<Flow> {
    name.eq_ignore_ascii_case(exec_if::EXEC_IF.name).then(|| exec_if::run_written(run, written)).flatten()
}

/// The names of all applications.
pub fn names() -> impl Iterator<Item = &'static str> {
    APPLICATIONS.iter().map(|application| application.name)
}

/// Applications that Asterisk has and this PBX has not.
const ELSEWHERE: &[&str] = &[
    "AddQueueMember",
    "ADSIProg",
    "AELSub",
    "AgentLogin",
    "AgentRequest",
    "AGI",
    "AlarmReceiver",
    "AMD",
    "Authenticate",
    "BackgroundDetect",
    "Bridge",
    "BridgeAdd",
    "BridgeWait",
    "CELGenUserEvent",
    "ChangeMonitor",
    "ChanIsAvail",
    "ChannelRedirect",
    "ChanSpy",
    "ClearHash",
    "ConfBridge",
    "ConfKick",
    "ControlPlayback",
    "DateTime",
    "DAHDIScan",
    "DBdel",
    "DBdeltree",
    "DeadAGI",
    "Dictate",
    "Directory",
    "DISA",
    "DumpChan",
    "EAGI",
    "Exec",
    "ExternalIVR",
    "ExtenSpy",
    "Festival",
    "Flash",
    "FollowMe",
    "ForkCDR",
    "GetCPEID",
    "ICES",
    "ImportVar",
    "Incomplete",
    "JabberSend",
    "Macro",
    "MacroExclusive",
    "MacroExit",
    "MacroIf",
    "MailboxExists",
    "MeetMe",
    "MessageSend",
    "MinivmRecord",
    "MixMonitor",
    "Monitor",
    "Morsecode",
    "MP3Player",
    "NoCDR",
    "Originate",
    "Page",
    "Park",
    "ParkAndAnnounce",
    "ParkedCall",
    "PauseMonitor",
    "PauseQueueMember",
    "Pickup",
    "PickupChan",
    "PlayTones",
    "PrivacyManager",
    "Queue",
    "QueueLog",
    "RaiseException",
    "ReadExten",
    "ReceiveFAX",
    "Record",
    "RemoveQueueMember",
    "RetryDial",
    "SayAlpha",
    "SayCountedNoun",
    "SayDigits",
    "SayNumber",
    "SayPhonetic",
    "SayUnixTime",
    "SendDTMF",
    "SendFAX",
    "SendImage",
    "SendText",
    "SendURL",
    "SIPAddHeader",
    "SIPDtmfMode",
    "SIPRemoveHeader",
    "SLAStation",
    "SLATrunk",
    "SMS",
    "SoftHangup",
    "SpeechBackground",
    "Stasis",
    "StopMixMonitor",
    "StopMonitor",
    "StopPlayTones",
    "StreamEcho",
    "System",
    "TestClient",
    "TestServer",
    "Transfer",
    "TryExec",
    "TrySystem",
    "UnpauseMonitor",
    "UnpauseQueueMember",
    "UserEvent",
    "VMAuthenticate",
    "VoiceMail",
    "VoiceMailMain",
    "WaitForNoise",
    "WaitForRing",
    "WaitForSilence",
    "WaitUntil",
    "Zapateller",
];

/// Looks at an application that is not known: one of Asterisk's is left out with a warning, as calls may never come to it,
/// any other name is a mistake.
pub(crate) fn check_unknown(check: &mut Check<'_>, name: &str) {
    if ELSEWHERE.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        check.say(false, format!("application `{name}` is not supported: a call that comes to it ends"));
        return;
    }
    let near = names().chain(ELSEWHERE.iter().copied()).map(|known| (distance(name, known), known)).min();
    let expected = match near {
        Some((distance, known)) if distance <= 2 => format!("did you mean {known}?"),
        _ => format!("expected one of {}", names().collect::<Vec<_>>().join(" ")),
    };
    check.say(true, format!("unknown application `{name}`: {expected}"));
}

/// How many letters differ, whatever their case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, left) in a.iter().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(b) {
            let changed = diagonal + usize::from(!left.eq_ignore_ascii_case(right));
            diagonal = *cell;
            *cell = changed.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// Any arguments will do.
fn anything(_: &mut Check<'_>, _: &str) {}

/// A time in seconds, `2.5`; at most a day.
fn seconds(text: &str) -> Option<std::time::Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).ok()
}

/// Whether arguments say nothing yet, because of a variable.
fn is_open(text: &str) -> bool {
    text.contains("${") || text.contains("$[")
}

/// Checks a time that may be left out.
fn check_seconds(check: &mut Check<'_>, text: &str) {
    if !text.trim().is_empty() && !is_open(text) && seconds(text).is_none() {
        check.error(format!("expected seconds, found `{}`", text.trim()));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn applications_are_found_whatever_the_case_and_no_two_have_one_name() {
        assert_eq!(super::find("dial").unwrap().name(), "Dial");
        assert_eq!(super::find("GOTOIF").unwrap().name(), "GotoIf");
        assert!(super::ELSEWHERE.iter().all(|name| super::find(name).is_none()));
        let mut names: Vec<String> = super::names().map(str::to_ascii_lowercase).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_distance_of_names_counts_letters() {
        for (a, b, expected) in [
            ("Dial", "dial", 0),
            ("Dail", "Dial", 2),
            ("Dia", "Dial", 1),
            ("Gotto", "Goto", 1),
            ("x", "Dial", usize::MAX),
        ] {
            assert_eq!(super::distance(a, b), expected, "{a} {b}");
        }
    }
}
