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
    let notes = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(notes.contains("note: the passwords stand in it as they are"), "{notes}");
    assert!(!notes.contains("--config will not start"), "{notes}");
}

#[test]
fn what_is_printed_of_a_relative_folder_is_right_wherever_it_lies() {
    let (home, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(home.path().join("office")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join("office").join(name), text).unwrap();
    write("sip.conf", "[general]\nbindaddr=0.0.0.0\n[1001]\ntype=friend\nhost=dynamic\nsecret=1234\n");
    write("extensions.conf", "#include more.conf\n");
    write("more.conf", "[default]\nexten => 600,1,Echo()\n");
    let run = |folder: &Path, arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_pbx")).current_dir(folder).args(arguments).output().unwrap()
    };
    let printed = run(home.path(), &["--to-toml", "office"]);
    let notes = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(notes.contains("note: --config will not start with this as it is"), "{notes}");
    std::fs::write(away.path().join("pbx.toml"), &printed.stdout).unwrap();
    let check = run(away.path(), &["--config", "pbx.toml", "--udp", "127.0.0.1:0", "--check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stderr));
    let config = Config::load(&away.path().join("pbx.toml")).unwrap();
    assert!(config.dialplan.find("default", "600", "").is_some());
}

#[test]
fn a_folder_with_errors_does_not_start() {
    let started = pbx(&["--asterisk", folder("iax-mistakes").to_str().unwrap()]);
    assert_eq!(started.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&started.stderr).contains("iax.conf:"));
}

/// Loads files that are written here.
fn loaded(files: &[(&str, &str)]) -> Loaded {
    loaded_from(tempfile::tempdir().unwrap().path(), files)
}

/// The same, from a folder that stays.
fn loaded_from(folder: &Path, files: &[(&str, &str)]) -> Loaded {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    asterisk::load(folder)
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

/// A phone of pjsip.conf, for which lines of its endpoint, aor and auth are written.
fn pjsip(endpoint: &str, aor: &str, auth: &str) -> String {
    format!(
        "[t]\ntype=transport\nbind=192.0.2.1\n[5]\ntype=endpoint\naors=5\nauth=5\n{endpoint}\n\
         [5]\ntype=aor\nmax_contacts=1\n{aor}\n[5]\ntype=auth\nusername=5\npassword=Shai3ohn\n{auth}\n"
    )
}

#[test]
fn keys_that_mean_nothing_here_are_told_of_where_they_stand() {
    let sip = |general: &str, peer: &str| {
        format!("[general]\n{general}\n[5]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\n{peer}\n")
    };
    let table: &[(&str, String, &str)] = &[
        (
            "pjsip.conf",
            pjsip("", "default_expiration=120", ""),
            "12: warning: `default_expiration` is left out: a phone that asks for no time gets an hour, or `maximum_expiration`",
        ),
        ("pjsip.conf", pjsip("", "default_expiration=3600", ""), ""),
        (
            "pjsip.conf",
            pjsip("", "authenticate_qualify=yes", ""),
            "12: warning: `authenticate_qualify` is left out: any answer is a sign of life, also one that asks for a password",
        ),
        ("pjsip.conf", pjsip("", "authenticate_qualify=no", ""), ""),
        (
            "pjsip.conf",
            pjsip("", "support_path=no", ""),
            "12: warning: `support_path` is left out: phones are reached by the Path that they registered with",
        ),
        (
            "pjsip.conf",
            pjsip("", "support_path=perhaps", ""),
            "12: error: support_path: expected yes or no, found `perhaps`",
        ),
        (
            "pjsip.conf",
            pjsip("identify_by=ip", "", ""),
            "8: warning: `identify_by=ip` is left out: with `auth` a call is known by its user name and password",
        ),
        (
            "pjsip.conf",
            pjsip("", "", "") + "[6]\ntype=global\nkeep_alive_interval=90\n",
            "20: warning: `keep_alive_interval` is left out: connections are kept alive every 25 seconds",
        ),
        (
            "pjsip.conf",
            pjsip("", "", "") + "[6]\ntype=identify\nendpoint=5\nmatch=192.0.2.9\nsrv_lookups=yes\n",
            "22: warning: `srv_lookups` is left out: names in `match` are not looked up",
        ),
        (
            "pjsip.conf",
            pjsip("", "", "") + "[6]\ntype=transport\nprotocol=tcp\nbind=192.0.2.1\ndomain=example.com\n",
            "22: warning: `domain` is left out: the address of `bind` or the external one is told; an endpoint has `from_domain`",
        ),
        (
            "sip.conf",
            sip("", "nat=no"),
            "7: warning: `nat=no` is left out: phones are always reached where they came from",
        ),
        ("sip.conf", sip("", "nat=force_rport,comedia"), ""),
        (
            "sip.conf",
            sip("", "insecure=invite"),
            "7: warning: `insecure=invite` is left out: only a peer with a fixed `host` is known by its address",
        ),
        ("sip.conf", sip("", "insecure=port"), ""),
        (
            "sip.conf",
            sip("", "port=5070"),
            "7: warning: `port` is left out: with `host=dynamic` the phone says where it is",
        ),
        ("sip.conf", sip("tcpbindaddr=192.0.2.1", ""), "2: warning: `tcpbindaddr` is left out without `tcpenable=yes`"),
        (
            "sip.conf",
            "[5]\ntype=user\nsecret=Shai3ohn\nhost=192.0.2.7\n".into(),
            "4: warning: `host` is left out: a `type=user` is never called",
        ),
        (
            "iax.conf",
            "[5]\ntype=friend\nhost=dynamic\nsecret=Shai3ohn\nport=4570\n".into(),
            "5: warning: `port` is left out: with `host=dynamic` the peer says where it is",
        ),
    ];
    for (name, text, expected) in table {
        let loaded = loaded(&[PLAN, (name, text)]);
        let told: Vec<_> = loaded.report.problems.iter().map(ToString::to_string).collect();
        let told: Vec<_> = told.iter().filter(|line| !line.contains("DANGER")).collect();
        match *expected {
            "" => assert!(told.is_empty(), "{told:?}\n{text}"),
            expected => assert_eq!(told, [&format!("{name}:{expected}")], "{text}"),
        }
    }
}

#[test]
fn what_an_aor_and_an_auth_allow_is_kept() {
    let text = pjsip("", "max_contacts=3\nremove_existing=yes", "nonce_lifetime=32")
        + "[6]\ntype=endpoint\nauth=6\n[6]\ntype=auth\nusername=6\npassword=Eiph3ahk\nnonce_lifetime=60\n";
    let folder = tempfile::tempdir().unwrap();
    let loaded = loaded_from(folder.path(), &[PLAN, ("pjsip.conf", &text)]);
    let told = loaded.report.to_string();
    assert_eq!(
        told,
        "pjsip.conf:26: warning: `nonce_lifetime`: pjsip.conf:18 says `32`: the shortest one is taken for all\n"
    );
    let config = loaded.config.unwrap();
    let phone = config.account("5").unwrap();
    assert_eq!((phone.max_contacts, phone.remove_existing), (Some(3), true));
    assert_eq!(config.sip.nonce_time, Duration::from_secs(32));
    means_the_same(&config);
}

#[test]
fn peers_at_one_address_are_told_of_with_both_lines() {
    let peer = |name: &str, more: &str| format!("[{name}]\ntype=peer\nhost=192.0.2.7\n{more}\n");
    let secret = "secret=Shai3ohn";
    let sip = |a: &str, b: &str| ("sip.conf", peer("a", a) + &peer("b", b));
    let iax = ("iax.conf", peer("a", secret) + &peer("b", "secret=Eiph3ahk\nport=4569"));
    let trunk = |name: &str, network: &str| {
        format!("[{name}]\ntype=endpoint\n[{name}]\ntype=identify\nendpoint={name}\nmatch={network}\n")
    };
    let pjsip =
        "[t]\ntype=transport\nbind=192.0.2.1\n".to_owned() + &trunk("a", "192.0.2.0/24") + &trunk("b", "192.0.2.8");
    let table = [
        (
            sip(secret, "secret=Eiph3ahk\nport=5060"),
            "sip.conf:5: warning: [b]: is at the same address as [a] (sip.conf:1): a call from there is theirs whose password it brings",
        ),
        (
            sip("", ""),
            "sip.conf:5: warning: [b]: is at the same address as [a] (sip.conf:1): calls from there that bring no password are the other's",
        ),
        (
            sip("", secret),
            "sip.conf:5: warning: [b]: is at the same address as [a] (sip.conf:1): all calls from there are taken as [a]'s, without a password",
        ),
        (sip("", "port=5070"), ""),
        (
            iax,
            "iax.conf:5: warning: [b]: is at the same address as [a] (iax.conf:1): a call from there is theirs whose user name it brings",
        ),
        (
            ("pjsip.conf", pjsip),
            "pjsip.conf:10: warning: [b]: is at the same address as [a] (pjsip.conf:4): calls from there that bring no password are the other's",
        ),
    ];
    for ((name, text), expected) in table {
        let loaded = loaded(&[PLAN, (name, &text)]);
        assert!(loaded.config.is_some(), "Asterisk takes it: {}", loaded.report);
        let told: Vec<_> = loaded.report.problems.iter().map(ToString::to_string).collect();
        let told: Vec<_> = told.iter().filter(|line| line.contains("same address")).collect();
        assert_eq!(told.first().map_or("", |line| line.as_str()), expected, "{text}\n{}", loaded.report);
    }
}
