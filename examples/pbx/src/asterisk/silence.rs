//! No key is read and ignored without a word: of the values that are taken at least one changes the configuration, or is
//! warned of.

use std::io;

use super::{
    file::{Place, Problem},
    iax, load_from, pjsip, sip,
};
use crate::config::Config;

/// Values of all kinds; of those that a key takes one must matter.
const VALUES: &[&str] = &[
    "yes",
    "no",
    "17",
    "1500",
    "2.5",
    "mediaonly",
    "192.0.2.77",
    "192.0.2.77:5077",
    "192.0.2.64/26",
    "deny.example.com",
    "tcp",
    "alaw",
    "all",
    "info",
    "invite",
    "caller",
    "plaintext",
    "auto",
    "other",
    "peer",
    "ip",
    "\"Name\" <4711>",
    "user:secret@192.0.2.78",
    "sip:user@192.0.2.79",
    "0123456789abcdef0123456789abcdef",
];

const PLAN: &str = "[default]\nexten => 600,1,Echo()\n[other]\nexten => 600,1,Echo()\n";

/// A file whose last section is open for one more line.
struct Base {
    name: &'static str,
    text: &'static str,
    used: &'static str,
    known: &'static [(&'static str, &'static str)],
    /// Keys that are rightly silent here, with the reason.
    silent: &'static [(&'static str, &'static str)],
}

const TWICE: &str = "it is said already, and a friend is a peer";
const WITHOUT: &str = "it says more of something that this section does not have";

const BASES: &[Base] = &[
    Base {
        name: "sip.conf",
        text: "[general]\nregister=a:b@192.0.2.1\n[5]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\n[general](+)\n",
        used: sip::GENERAL,
        known: sip::KNOWN,
        silent: &[("qualifyfreq", WITHOUT)],
    },
    Base {
        name: "sip.conf",
        text: "[5]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\nqualify=yes\n",
        used: sip::PEER,
        known: sip::KNOWN,
        silent: &[("type", TWICE)],
    },
    Base {
        name: "sip.conf",
        text: "[5]\ntype=friend\nhost=192.0.2.5\nsecret=Shai3ohn\nqualify=yes\n",
        used: sip::PEER,
        known: sip::KNOWN,
        silent: &[("type", TWICE)],
    },
    Base {
        name: "sip.conf",
        text: "[5]\ntype=user\nsecret=Shai3ohn\n",
        used: sip::PEER,
        known: sip::KNOWN,
        silent: &[],
    },
    Base {
        name: "iax.conf",
        text: "[general]\nregister=a:b@192.0.2.1\n[5]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\n[general](+)\n",
        used: iax::GENERAL,
        known: iax::KNOWN,
        silent: &[],
    },
    Base {
        name: "iax.conf",
        text: "[5]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\nqualify=yes\n",
        used: iax::PEER,
        known: iax::KNOWN,
        silent: &[],
    },
    Base {
        name: "iax.conf",
        text: "[5]\ntype=user\nsecret=Shai3ohn\nqualify=yes\n",
        used: iax::PEER,
        known: iax::KNOWN,
        silent: &[],
    },
    Base {
        name: "iax.conf",
        text: "[5]\ntype=peer\nhost=192.0.2.5\nsecret=Shai3ohn\nqualify=yes\n",
        used: iax::PEER,
        known: iax::KNOWN,
        silent: &[("type", TWICE)],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[other]\ntype=transport\nprotocol=tcp\nbind=192.0.2.1\n[other]\ntype=aor\ncontact=sip:192.0.2.9\n\
               [other]\ntype=auth\nusername=o\npassword=Shai3ohn\n[5]\ntype=auth\nusername=5\npassword=Shai3ohn\n\
               [5]\ntype=aor\nmax_contacts=1\n[5]\ntype=endpoint\nauth=5\naors=5\n",
        used: pjsip::ENDPOINT,
        known: pjsip::ENDPOINT_KNOWN,
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\nauth=5\naors=5\n[5]\ntype=auth\nusername=5\npassword=Shai3ohn\n\
               [5]\ntype=aor\nmax_contacts=1\nqualify_frequency=30\n",
        used: pjsip::AOR,
        known: pjsip::AOR_KNOWN,
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\nauth=5\naors=5\n[5]\ntype=aor\nmax_contacts=1\n\
               [5]\ntype=auth\nusername=5\npassword=Shai3ohn\n",
        used: pjsip::AUTH,
        known: pjsip::AUTH_KNOWN,
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[5]\ntype=endpoint\n[t]\ntype=transport\nbind=192.0.2.1\n",
        used: pjsip::TRANSPORT,
        known: pjsip::TRANSPORT_KNOWN,
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\n[other]\ntype=auth\nusername=5\npassword=Shai3ohn\n\
               [r]\ntype=registration\nserver_uri=sip:192.0.2.9\nclient_uri=sip:5@192.0.2.9\n",
        used: pjsip::REGISTRATION,
        known: pjsip::REGISTRATION_KNOWN,
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\n[other]\ntype=endpoint\n[i]\ntype=identify\nendpoint=5\nmatch=192.0.2.5\n",
        used: pjsip::IDENTIFY,
        known: &[],
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\n[g]\ntype=global\n",
        used: pjsip::GLOBAL,
        known: pjsip::GLOBAL_KNOWN,
        silent: &[],
    },
    Base {
        name: "pjsip.conf",
        text: "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\nauth=5\n[5]\ntype=auth\nusername=5\npassword=Shai3ohn\n[a]\ntype=acl\n",
        used: pjsip::ACL,
        known: pjsip::ACL_KNOWN,
        silent: &[],
    },
];

fn loaded(name: &str, text: &str) -> (Option<Config>, Vec<Problem>) {
    let loaded = load_from(&mut |wanted| match wanted {
        "extensions.conf" => Ok(PLAN.to_owned()),
        wanted if wanted == name => Ok(text.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    });
    (loaded.config, loaded.report.problems)
}

/// What becomes of a line.
enum Fate {
    Wrong,
    Said,
    Honoured,
    Silent,
}

fn fate(base: &Base, before: &(Option<Config>, Vec<Problem>), line: &str) -> Fate {
    let (config, problems) = loaded(base.name, &format!("{}{line}\n", base.text));
    let number = base.text.lines().count() + 1;
    let here = Place { file: base.name.into(), line: number as u32 };
    let mut new = problems.iter().filter(|problem| !before.1.contains(problem));
    if problems.iter().any(|problem| problem.is_error() && problem.place.as_ref() == Some(&here)) {
        Fate::Wrong
    } else if new.any(|problem| problem.place.is_some()) {
        Fate::Said
    } else if config != before.0 {
        Fate::Honoured
    } else {
        Fate::Silent
    }
}

#[test]
fn no_key_is_ignored_without_a_word() {
    let mut ignored = Vec::new();
    for base in BASES {
        let before = loaded(base.name, base.text);
        assert!(before.0.is_some(), "{}: {:?}", base.text, before.1);
        let keys = base.used.split_whitespace().chain(base.known.iter().flat_map(|(keys, _)| keys.split_whitespace()));
        for key in keys {
            let (mut taken, mut matters) = (Vec::new(), false);
            for value in VALUES {
                match fate(base, &before, &format!("{key}={value}")) {
                    Fate::Wrong => {}
                    Fate::Said | Fate::Honoured => matters = true,
                    Fate::Silent => taken.push(*value),
                }
            }
            let excused = base.silent.iter().any(|(silent, _)| *silent == key);
            if (!matters && !taken.is_empty()) != excused {
                ignored.push(format!(
                    "{} [{}…]: {key}: {taken:?}",
                    base.name,
                    base.text.lines().take(3).collect::<Vec<_>>().join(" ")
                ));
            }
        }
    }
    assert!(ignored.is_empty(), "read and ignored, or excused without need:\n{}", ignored.join("\n"));
}
