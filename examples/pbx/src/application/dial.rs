//! `Dial(technology/resource[&…][,seconds[,options[,URL]]])`.

use std::time::Duration;

use super::{Application, Flow, is_open, seconds};
use crate::{
    config::Secret,
    dialplan::{Action, Check, Dial, DialStatus, End, Gosub, IaxPeerRef, Pending, Run, Target, leading_integer, split},
};

pub(super) const DIAL: Application = Application { name: "Dial", check, run };

/// How many are called at once at most.
const MAX_TARGETS: usize = 64;

/// Options that Asterisk has and this PBX has not.
const UNSUPPORTED: &str = "AaBbCcDdEeFGjKklMNnOPpQsuvWwXxyz";
/// Options that ask for what is so anyhow.
const AS_IT_IS: &str = "iIoR";

/// What is wrong with arguments.
enum Fault {
    /// The option is left out.
    Warning(String),
    Error(String),
}

fn check(check: &mut Check<'_>, arguments: &str) {
    let written = arguments;
    let arguments = split(arguments);
    let part = |place: usize| arguments.get(place).map_or("", |part| part.trim());
    if part(0).is_empty() {
        check.error("expected technology/resource, such as SIP/1001");
        return;
    }
    if arguments.len() == 1 && written.contains('|') && !is_open(written) {
        check.warning("arguments are separated by `,`: the `|` is part of what is dialled");
    }
    let targets: Vec<&str> = pieces(part(0)).collect();
    if targets.len() > MAX_TARGETS {
        check.error(format!("calls {} at once: expected at most {MAX_TARGETS}", targets.len()));
    }
    for text in targets {
        match target(text) {
            // What a variable holds is seen when it runs.
            _ if text.split('/').next().is_some_and(is_open) => {}
            Ok(Target::Unknown { technology, .. }) => {
                check.warning(format!(
                    "there is no technology `{technology}` here, `{text}` is never reached: expected SIP, PJSIP, IAX2 or Local"
                ));
            }
            Ok(Target::Local { context, .. }) if !is_open(&context) && !check.plan.has_context(&context) => {
                check.warning(format!("there is no context `{context}` for `{text}`"));
            }
            Err(message) if !is_open(text) => check.error(message),
            Ok(_) | Err(_) => {}
        }
    }
    let time = part(1);
    if !time.is_empty() && !is_open(time) && seconds(time).is_none() {
        check.error(format!("expected seconds after the first comma, found `{time}`"));
    }
    if !is_open(part(2)) {
        let mut dial = Dial::default();
        for fault in options(part(2), "", &mut dial) {
            match fault {
                Fault::Warning(message) => check.warning(message),
                Fault::Error(message) => check.error(message),
            }
        }
        if let Some(gosub) = dial.callee_gosub
            && !check.plan.is_reachable(&gosub.context, &gosub.extension)
        {
            check.warning(format!("there is no extension `s` in context `{}` for option U", gosub.context));
        }
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let arguments = split(arguments);
    let part = |place: usize| arguments.get(place).map_or("", |part| part.trim());
    let mut dial = Dial { timeout: seconds(part(1)).filter(|time| !time.is_zero()), ..Dial::default() };
    for text in pieces(part(0)).take(MAX_TARGETS) {
        match target(text) {
            Ok(target) => {
                let host = match &target {
                    Target::Sip { peer, .. } => Some(peer.clone()),
                    Target::Iax { peer, .. } => Some(peer.host()),
                    Target::Local { .. } | Target::Unknown { .. } => None,
                };
                dial.hosts.extend(host.filter(|host| run.thread.names_host(host)));
                dial.targets.push(target);
            }
            Err(message) => tracing::warn!(channel = run.thread.facts().name, "Dial: {message}"),
        }
    }
    for fault in options(part(2), run.thread.extension(), &mut dial) {
        let (Fault::Warning(message) | Fault::Error(message)) = fault;
        tracing::debug!(channel = run.thread.facts().name, "Dial: {message}");
    }
    if dial.targets.is_empty() {
        run.thread.set_variable("DIALSTATUS", DialStatus::InvalidArgs.as_str());
        return Flow::End(End::Error);
    }
    let go_on = dial.go_on;
    Flow::Act(Action::Dial(Box::new(dial)), Pending::Dial { go_on })
}

/// What stands between the `&`.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split('&').map(str::trim).filter(|piece| !piece.is_empty())
}

/// `SIP/1001`, `IAX2/peer/1001@context`, `Local/1001@context`.
fn target(text: &str) -> Result<Target, String> {
    let fault = || format!("expected technology/resource, such as SIP/1001, found `{text}`");
    let (technology, resource) = text.split_once('/').ok_or_else(fault)?;
    if technology.is_empty() || resource.is_empty() {
        return Err(fault());
    }
    match technology.to_ascii_uppercase().as_str() {
        "SIP" => sip("SIP", resource),
        "PJSIP" => sip("PJSIP", resource),
        "IAX2" | "IAX" => iax(resource),
        "LOCAL" => {
            // What follows the second slash are options, which do not matter here.
            let place = resource.split('/').next().unwrap_or_default();
            let (extension, context) = place.split_once('@').unwrap_or((place, "default"));
            if extension.is_empty() || context.is_empty() {
                return Err(format!("expected Local/extension@context, found `{text}`"));
            }
            Ok(Target::Local { extension: extension.to_owned(), context: context.to_owned() })
        }
        _ => Ok(Target::Unknown { technology: technology.to_owned(), resource: resource.to_owned() }),
    }
}

/// `peer`, `peer/extension`, `extension@peer`.
fn sip(technology: &'static str, resource: &str) -> Result<Target, String> {
    let (peer, extension) = match resource.split_once('/') {
        Some((peer, extension)) => (peer, Some(extension)),
        None => match resource.rsplit_once('@') {
            // A password behind the user is not used: that of the account is.
            Some((user, peer)) => (peer, Some(user.split(':').next().unwrap_or_default())),
            None => (resource, None),
        },
    };
    if peer.is_empty() || extension.is_some_and(str::is_empty) {
        return Err(format!("expected peer, peer/extension or extension@peer after {technology}/, found `{resource}`"));
    }
    Ok(Target::Sip { technology, peer: peer.to_owned(), extension: extension.map(str::to_owned) })
}

/// `[user[:secret]@]peer[:port][/extension[@context]][/options]`.
fn iax(resource: &str) -> Result<Target, String> {
    // The message must not show a secret.
    let fault = || "expected [user[:secret]@]peer[:port][/extension[@context]] after IAX2/".to_owned();
    let mut parts = resource.split('/');
    let (who, place) = (parts.next().unwrap_or_default(), parts.next());
    let (login, host) = match who.rsplit_once('@') {
        Some((login, host)) => (Some(login), host),
        None => (None, who),
    };
    let (name, port) = match host.rsplit_once(':') {
        // An address of version 6 in brackets has colons of its own.
        Some((name, port)) if !port.contains(']') => (name, Some(port.parse().map_err(|_| fault())?)),
        _ => (host, None),
    };
    let (user, secret) = match login {
        None => (None, None),
        Some(login) => {
            let mut login = login.split(':');
            (login.next().map(str::to_owned), login.next().map(Secret::new))
        }
    };
    let (extension, context) = match place {
        None => (None, None),
        Some(place) => {
            let (extension, context) = place.split_once('@').map_or((place, None), |(a, b)| (a, Some(b)));
            (Some(extension).filter(|extension| !extension.is_empty()), context.filter(|context| !context.is_empty()))
        }
    };
    if name.is_empty() || user.as_deref() == Some("") {
        return Err(fault());
    }
    let peer = IaxPeerRef { name: name.to_owned(), user, secret, port };
    Ok(Target::Iax { peer, extension: extension.map(str::to_owned), context: context.map(str::to_owned) })
}

/// Reads options into a dial. `extension` is the one that runs.
fn options(text: &str, extension: &str, dial: &mut Dial) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(option) = rest.chars().next() {
        rest = rest.get(option.len_utf8()..).unwrap_or_default();
        let argument = match parenthesized(rest) {
            Ok(Some((argument, after))) => {
                rest = after;
                Some(argument)
            }
            Ok(None) => None,
            Err(()) => {
                faults.push(Fault::Error(format!("expected `)` after the argument of option `{option}`")));
                return faults;
            }
        };
        if let Err(fault) = self::option(option, argument, extension, dial) {
            faults.push(fault);
        }
    }
    faults
}

/// `(argument)` at the beginning of a text, and what follows.
fn parenthesized(text: &str) -> Result<Option<(&str, &str)>, ()> {
    let Some(inside) = text.strip_prefix('(') else { return Ok(None) };
    let mut depth = 1_usize;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(inside.get(..at).zip(inside.get(at + 1..)));
        }
    }
    Err(())
}

fn option(option: char, argument: Option<&str>, extension: &str, dial: &mut Dial) -> Result<(), Fault> {
    let argument = argument.map(str::trim);
    match option {
        'r' => {
            dial.ring = true;
            if argument.is_some_and(|tone| !tone.is_empty()) {
                return Err(Fault::Warning("option r: another tone than ringing is not supported".to_owned()));
            }
        }
        'm' => dial.music = Some(argument.unwrap_or_default().to_owned()),
        't' => dial.callee_may_transfer = true,
        'T' => dial.caller_may_transfer = true,
        'h' => dial.callee_may_hang_up = true,
        'H' => dial.caller_may_hang_up = true,
        'g' => dial.go_on = true,
        'U' => {
            let mut parts = argument.unwrap_or_default().split('^').map(str::to_owned);
            let context = parts.next().filter(|context| !context.is_empty());
            let context =
                context.ok_or_else(|| Fault::Error("option U: expected U(context[^argument…])".to_owned()))?;
            let (extension, priority) = ("s".to_owned(), "1".to_owned());
            dial.callee_gosub = Some(Gosub { context, extension, priority, arguments: parts.collect() });
        }
        'L' => {
            let argument = argument.unwrap_or_default();
            let (time, more) = argument.split_once(':').unwrap_or((argument, ""));
            let millis = time.parse().map_err(|_| {
                Fault::Error(format!("option L: expected milliseconds in parentheses, found `{argument}`"))
            })?;
            dial.talk_time = shorter(dial.talk_time, Duration::from_millis(millis));
            if !more.is_empty() {
                return Err(Fault::Warning("option L: warnings before the end are not played".to_owned()));
            }
        }
        'S' => {
            let argument = argument.unwrap_or_default();
            let time = leading_integer(argument).and_then(|(seconds, _)| u64::try_from(seconds).ok());
            let time = time.filter(|_| seconds(argument).is_some());
            let time = time.ok_or_else(|| {
                Fault::Error(format!("option S: expected seconds in parentheses, found `{argument}`"))
            })?;
            dial.talk_time = shorter(dial.talk_time, Duration::from_secs(time));
        }
        'f' => {
            let number = argument.filter(|number| !number.is_empty()).unwrap_or(extension);
            dial.caller_number = Some(number.to_owned());
        }
        _ if AS_IT_IS.contains(option) => {}
        _ if UNSUPPORTED.contains(option) => {
            return Err(Fault::Warning(format!("option `{option}` is not supported and left out")));
        }
        // People write blanks; Asterisk passes over them, too.
        ' ' => {}
        _ => {
            let message = format!("unknown option `{option}`: expected some of r m t T h H g U L S f");
            return Err(Fault::Error(message));
        }
    }
    Ok(())
}

fn shorter(known: Option<Duration>, time: Duration) -> Option<Duration> {
    // A limit of nothing is none.
    if time.is_zero() { known } else { Some(known.map_or(time, |known| known.min(time))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(peer: &str, extension: Option<&str>) -> Target {
        Target::Sip { technology: "SIP", peer: peer.to_owned(), extension: extension.map(str::to_owned) }
    }

    fn iax(
        name: &str,
        user: Option<&str>,
        secret: Option<&str>,
        port: Option<u16>,
        place: [Option<&str>; 2],
    ) -> Target {
        let peer =
            IaxPeerRef { name: name.to_owned(), user: user.map(str::to_owned), secret: secret.map(Secret::new), port };
        Target::Iax { peer, extension: place[0].map(str::to_owned), context: place[1].map(str::to_owned) }
    }

    #[test]
    fn targets_are_read_in_all_their_forms() {
        let cases = [
            ("SIP/1001", sip("1001", None)),
            ("sip/1001", sip("1001", None)),
            ("SIP/trunk/0049", sip("trunk", Some("0049"))),
            ("SIP/0049@trunk", sip("trunk", Some("0049"))),
            ("SIP/user:secret@example.org:5070", sip("example.org:5070", Some("user"))),
            ("IAX2/zone2/1001@admin", iax("zone2", None, None, None, [Some("1001"), Some("admin")])),
            ("IAX2/zone2", iax("zone2", None, None, None, [None, None])),
            ("IAX2/zone2/1001", iax("zone2", None, None, None, [Some("1001"), None])),
            (
                "IAX2/me:hush@192.0.2.1:4570/s@in/a",
                iax("192.0.2.1", Some("me"), Some("hush"), Some(4570), [Some("s"), Some("in")]),
            ),
            ("IAX2/[2001:db8::1]/5", iax("[2001:db8::1]", None, None, None, [Some("5"), None])),
            ("IAX2/[2001:db8::1]:4569/5", iax("[2001:db8::1]", None, None, Some(4569), [Some("5"), None])),
            ("Local/1001@home/n", Target::Local { extension: "1001".to_owned(), context: "home".to_owned() }),
            ("Local/1001", Target::Local { extension: "1001".to_owned(), context: "default".to_owned() }),
            ("DAHDI/g1/5", Target::Unknown { technology: "DAHDI".to_owned(), resource: "g1/5".to_owned() }),
        ];
        for (text, expected) in cases {
            assert_eq!(target(text), Ok(expected), "{text}");
        }
        for text in ["1001", "SIP/", "/1001", "SIP/@peer", "SIP/peer/", "IAX2/@x", "IAX2/x:y", "Local/@home"] {
            assert!(target(text).is_err(), "{text}");
        }
        let message = target("IAX2/me:hush@:1").unwrap_err();
        assert!(!message.contains("hush"), "{message}");
    }

    #[test]
    fn options_say_how_it_is_dialled() {
        let mut dial = Dial::default();
        let faults = options("rtTghHm(jazz)U(sub^a^b)L(60000)S(30)f(100)i", "600", &mut dial);
        assert!(faults.is_empty());
        let expected = Dial {
            ring: true,
            music: Some("jazz".to_owned()),
            callee_may_transfer: true,
            caller_may_transfer: true,
            callee_may_hang_up: true,
            caller_may_hang_up: true,
            go_on: true,
            callee_gosub: Some(Gosub {
                context: "sub".to_owned(),
                extension: "s".to_owned(),
                priority: "1".to_owned(),
                arguments: vec!["a".to_owned(), "b".to_owned()],
            }),
            talk_time: Some(Duration::from_secs(30)),
            caller_number: Some("100".to_owned()),
            ..Dial::default()
        };
        assert_eq!(dial, expected);
    }
}
