//! Folders of Asterisk's files, each with the report that is expected of it in `expected.txt`; `UPDATE=1` writes them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use pbx::{
    asterisk::{self, Loaded},
    config::{Address, Codec, Config, DtmfMode},
};
use sip_transaction::Transport;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asterisk").join(name)
}

/// Loads a folder, and holds what is told against what is expected.
fn load(name: &str) -> Loaded {
    let folder = folder(name);
    let loaded = asterisk::load(&folder);
    let told = loaded.report.to_string();
    let path = folder.join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(told, expected, "what is told of {name}");
    assert_eq!(loaded.config.is_some(), loaded.report.errors() == 0);
    loaded
}

/// Loads a folder that can be used, and sees that our own file means the same.
fn used(name: &str) -> Config {
    let config = load(name).config.expect("it can be used");
    means_the_same(&config);
    config
}

fn means_the_same(config: &Config) {
    let text = config.to_toml();
    let again = Config::parse(Path::new("again.toml"), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again, *config, "{text}");
}

fn told(name: &str) -> String {
    let loaded = load(name);
    assert!(loaded.config.is_none(), "it has mistakes");
    loaded.report.to_string()
}

fn pbx(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pbx")).args(arguments).output().unwrap()
}

#[test]
fn two_exchanges_with_one_trunk_load_as_they_are() {
    let config = used("trunked-cluster");
    assert_eq!(config.sip.tcp, ["0.0.0.0:5060".parse().unwrap()]);
    let phone = config.account("2001").unwrap();
    assert_eq!((phone.context.as_str(), phone.transport), ("staff", Some(Transport::Tcp)));
    assert_eq!(phone.codecs.as_deref(), Some(&[Codec::Ulaw][..]));
    let west = config.iax.peer("west").unwrap();
    assert_eq!((west.contexts.as_slice(), west.peer_context.as_deref()), (&["staff".to_owned()][..], Some("staff")));
    assert!(west.may_call && !west.trunk && west.qualify.is_some() && west.username.is_none());
    let registration = &config.iax.registrations[0];
    assert_eq!((registration.user.as_str(), registration.host.to_string()), ("east", "192.168.7.3".to_owned()));
    assert!(config.dialplan.find("staff", "2002", "2001").is_some());
}

#[test]
fn a_small_office_with_a_provider_loads() {
    let config = used("small-office");
    assert_eq!(config.sip.realm, "office.example.com");
    assert_eq!(config.sip.advertised.as_deref(), Some("203.0.113.7"));
    assert_eq!(config.registration.max_expires, Duration::from_secs(1800));
    assert_eq!(config.calls.media_timeout, Some(Duration::from_secs(90)));
    assert_eq!(config.account("101").unwrap().caller_id.as_deref(), Some("Anna Berg"));
    assert_eq!(config.account("101").unwrap().max_calls, Some(2));
    assert!(!config.account("102").unwrap().acl.allows("192.0.2.1".parse().unwrap()));
    let provider = config.account("provider").unwrap();
    assert!(provider.trust_address && provider.secret.is_none());
    assert_eq!(provider.remote_credentials().unwrap().0, "4930123456");
    let registration = &config.registrations[0];
    assert_eq!(registration.extension, "reception");
    assert_eq!(registration.expires, Duration::from_secs(300));
}

#[test]
fn phones_of_pjsip_are_made_of_three_sections_each() {
    let config = used("pjsip-phones");
    assert_eq!(config.accounts.len(), 2);
    let alice = config.account("6001").unwrap();
    assert_eq!((alice.user(), &alice.address), ("6001", &Address::Dynamic));
    assert_eq!(alice.codecs.as_deref(), Some(&[Codec::G722, Codec::Ulaw, Codec::Alaw][..]));
    assert_eq!(alice.qualify.map(|qualify| qualify.every), Some(Duration::from_secs(30)));
    let bob = config.account("6002").unwrap();
    assert_eq!((bob.user(), bob.dtmf, bob.transport), ("bob", DtmfMode::Info, Some(Transport::Tcp)));
}

#[test]
fn a_trunk_of_pjsip_registers_and_is_known_by_its_addresses() {
    let config = used("pjsip-trunk");
    let trunk = config.account("mytrunk").unwrap();
    assert_eq!(trunk.address, Address::Fixed("sip.example.com:5060".parse().unwrap()));
    assert!(config.trusts(trunk, "203.0.113.40".parse().unwrap()));
    assert!(!config.trusts(trunk, "203.0.113.60".parse().unwrap()));
    assert!(!trunk.acl.allows("198.51.100.1".parse().unwrap()));
    let registration = &config.registrations[0];
    assert_eq!((registration.user.as_str(), registration.extension.as_str()), ("1234567890", "inbound"));
}

#[test]
fn two_endpoints_that_share_an_auth_are_an_error_and_a_trunk_without_a_password_may_be_called_as_it_likes() {
    let pjsip = "[t]\ntype=transport\nbind=127.0.0.1\n[6001]\ntype=endpoint\nauth=shared\n[6002]\ntype=endpoint\n\
                 auth=shared\n[bob]\ntype=endpoint\n[shared]\ntype=auth\nusername=bob\npassword=Ooth4ohx\n";
    let loaded = asterisk::load_from(&mut |name| match name {
        "pjsip.conf" => Ok(pjsip.to_owned()),
        "extensions.conf" => Ok("[default]\nexten => 1,1,Answer()\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    });
    let told = loaded.report.to_string();
    assert_eq!(loaded.report.errors(), 1, "{told}");
    assert!(told.contains("pjsip.conf:7: error: [6002]: [6001] has the user name `bob` too"), "{told}");
    assert!(told.contains("expected one of its own"), "{told}");
}

#[test]
fn mistakes_in_pjsip_conf_are_all_told_with_their_lines() {
    let told = told("pjsip-mistakes");
    for words in ["did you mean `endpoint`", "there is no section [auth6003]", "`type=wizard` is not supported"] {
        assert!(told.contains(words), "lacks {words}:\n{told}");
    }
}

#[test]
fn mistakes_in_sip_conf_are_all_told_with_their_lines() {
    let told = told("sip-mistakes");
    for words in ["sip.conf:7: warning: `contxt`", "did you mean `context`", "did you mean `secret`", "there is no `@`"]
    {
        assert!(told.contains(words), "lacks {words}:\n{told}");
    }
    assert!(!told.contains("Xai5Hoh7") && !told.contains("Phei8aex"), "secrets are not shown:\n{told}");
}

#[test]
fn trunks_of_iax_load_with_their_limits_tokens_and_registrations() {
    let config = used("iax-trunks");
    assert_eq!(config.iax.listen, ["192.0.2.1:4569".parse().unwrap()]);
    assert!(config.iax.trunk_timestamps);
    let hq = config.iax.peer("hq").unwrap();
    assert!(hq.trunk && hq.qualify.is_some_and(|qualify| qualify.smoothing));
    assert_eq!(hq.username.as_deref(), Some("branch"));
    let partner = config.iax.peer("partner").unwrap();
    assert_eq!(partner.contexts, ["from-partner", "echo-only"]);
    assert_eq!(partner.address, Address::Fixed("198.51.100.5:5656".parse().unwrap()));
    assert_eq!(partner.peer_context.as_deref(), Some("incoming"));
    assert!(partner.may_call);
    assert_eq!(config.iax.registrations.len(), 2);
}

#[test]
fn mistakes_in_iax_conf_are_all_told_with_their_lines() {
    let told = told("iax-mistakes");
    for words in ["cannot be encrypted", "RSA keys are not read", "did you mean `secure`", "is never called"] {
        assert!(told.contains(words), "lacks {words}:\n{told}");
    }
    assert!(!told.contains("Xai5Hoh7"), "secrets are not shown:\n{told}");
}

#[test]
fn hashes_and_every_form_of_register_are_read() {
    let config = used("md5-and-sip-registrations");
    assert!(config.account("100").unwrap().md5_secret.is_some());
    let door = config.account("door").unwrap();
    assert!(config.trusts(door, "127.0.0.20".parse().unwrap()));
    let tcp = &config.registrations[1];
    assert_eq!((tcp.user.as_str(), tcp.auth_user.as_deref()), ("1002", Some("auth1002")));
    assert_eq!((tcp.transport, tcp.extension.as_str(), tcp.expires.as_secs()), (Some(Transport::Tcp), "200", 600));
    assert_eq!(tcp.host.to_string(), "198.51.100.7:5070");
    assert_eq!(config.registrations[2].domain.as_ref().map(ToString::to_string).as_deref(), Some("example.com"));
}

#[test]
fn a_missing_include_is_an_error_where_it_is_asked_for() {
    let told = told("includes");
    assert!(told.contains("extensions.d/users.conf:3: error"), "{told}");
}

#[test]
fn a_dialplan_alone_is_not_enough() {
    assert!(told("only-a-dialplan").contains("expected sip.conf, pjsip.conf or iax.conf"));
}

#[test]
fn without_a_dialplan_no_call_leads_anywhere() {
    assert!(told("no-dialplan").contains("expected extensions.conf"));
}

#[test]
fn a_mistake_in_a_template_is_told_once() {
    let told = told("many-mistakes-once");
    assert_eq!(told.matches("qualify").count(), 1, "{told}");
    assert_eq!(told.matches("colour").count(), 1, "{told}");
}

#[test]
fn the_files_of_the_trunked_cluster_load_unchanged() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../cluster"));
    for server in ["pbx", "zone"] {
        let both = tempfile::tempdir().unwrap();
        let copy = |from: PathBuf| std::fs::copy(&from, both.path().join(from.file_name().unwrap())).unwrap();
        copy(data.join("sip.conf"));
        copy(data.join(server).join("iax.conf"));
        copy(data.join(server).join("extensions.conf"));
        let loaded = asterisk::load(both.path());
        assert_eq!(loaded.report.errors(), 0, "{}", loaded.report);
        // What is warned of is that everybody knows the secrets, and nothing else.
        assert!(loaded.report.problems.iter().all(|it| it.message.starts_with("DANGER")), "{}", loaded.report);
        let config = loaded.config.unwrap();
        assert_eq!((config.accounts.len(), config.iax.peers.len(), config.iax.registrations.len()), (4, 1, 1));
        means_the_same(&config);
    }
}

#[test]
fn checking_a_folder_ends_with_0_when_it_can_be_used_and_with_1_when_not() {
    let right = pbx(&["--check", folder("small-office").to_str().unwrap()]);
    assert_eq!(right.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&right.stdout).contains("can be used: 4 SIP accounts"));
    let wrong = pbx(&["--check", folder("sip-mistakes").to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(1));
    let out = String::from_utf8_lossy(&wrong.stdout).into_owned();
    assert!(out.contains("sip.conf:2: error") && out.contains("cannot be used"), "{out}");
    let none = pbx(&["--check", "/nonexistent"]);
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn what_is_printed_for_a_folder_is_a_configuration_that_is_right() {
    let printed = pbx(&["--to-toml", folder("iax-trunks").to_str().unwrap()]);
    assert_eq!(printed.status.code(), Some(0));
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), &printed.stdout).unwrap();
    let check = pbx(&["--config", file.path().to_str().unwrap(), "--check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stderr));
    let again = Config::load(file.path()).unwrap();
    assert_eq!(again, asterisk::load(&folder("iax-trunks")).config.unwrap());
}

#[test]
fn a_folder_with_errors_does_not_start() {
    let started = pbx(&["--asterisk", folder("iax-mistakes").to_str().unwrap()]);
    assert_eq!(started.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&started.stderr).contains("iax.conf:"));
}

/// Loads files that are written here.
fn loaded(files: &[(&str, &str)]) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    asterisk::load(folder.path())
}

const PLAN: (&str, &str) = ("extensions.conf", "[default]\nexten => 600,1,Echo()\n");

#[test]
fn the_general_section_is_found_whatever_its_case_and_a_second_one_is_warned_of() {
    let sip = "[General]\nrealm=first\ncall-limit=0\n[1001]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\n[general]\nrealm=second\n";
    let loaded = loaded(&[PLAN, ("sip.conf", sip)]);
    let told = loaded.report.to_string();
    assert!(told.contains("sip.conf:8: warning: a second [general] is left out: the first is at sip.conf:1"), "{told}");
    let config = loaded.config.unwrap();
    assert_eq!(config.sip.realm, "first");
    assert_eq!(config.accounts[0].max_calls, None, "0 is no limit");
}
