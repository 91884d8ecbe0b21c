//! Whatever Asterisk's files say: what is printed of them for `--config` is read, and means the same.

use std::{fmt::Write as _, path::Path};

use pbx::{asterisk, config::Config};
use proptest::prelude::*;

/// Keys that change what is kept, with values: those that are left out are told of by others.
const SIP: &[(&str, &[&str])] = &[
    ("host", &["dynamic", "192.0.2.1", "192.0.2.1:5070", "[2001:db8::1]:5080", "2001:db8::2", "sip.example.com"]),
    ("port", &["5061"]),
    ("secret", &["Shai3ohn", "with \"quotes\" and \\\\ signs", "\u{e9}\u{4e2d}", "x y"]),
    ("md5secret", &["0123456789abcdef0123456789ABCDEF"]),
    ("remotesecret", &["Eiph3ahk"]),
    ("defaultuser", &["user", "u%40example", "\u{fc}ser"]),
    ("fromuser", &["from"]),
    ("fromdomain", &["example.com"]),
    ("context", &["internal", "with blanks", "a.b-c"]),
    ("transport", &["udp", "tcp", "tcp,udp"]),
    ("disallow", &["ulaw"]),
    ("allow", &["ulaw,alaw", "g722", "opus", "all"]),
    ("callerid", &["\"Alice \\\\ A.\" <1001>", "Alice", "<+49 30 1>", "4711"]),
    (
        "cid_number",
        &[
            "12",
            "1 2",
            "a name far longer than any telephone number has been or will ever be, eighty bytes and some more",
        ],
    ),
    (
        "fullname",
        &[
            "Alice B.",
            "\u{c5}sa",
            "a name far longer than any telephone number has been or will ever be, eighty bytes and some more",
        ],
    ),
    ("dtmfmode", &["info", "inband", "auto", "rfc2833"]),
    ("qualify", &["yes", "no", "1", "0", "2500"]),
    ("qualifyfreq", &["30", "60", "0"]),
    ("deny", &["0.0.0.0/0.0.0.0", "192.0.2.0/24"]),
    ("permit", &["192.0.2.0/24", "2001:db8::/32,!192.0.2.9"]),
    ("insecure", &["invite", "port,invite"]),
    ("call-limit", &["0", "2", "10000"]),
    ("callbackextension", &["s", "4711"]),
];

const IAX: &[(&str, &[&str])] = &[
    ("host", &["dynamic", "192.0.2.1", "192.0.2.1:4570", "iax.example.com"]),
    ("port", &["4571"]),
    ("secret", &["Shai3ohn", "with \"quotes\""]),
    ("username", &["user"]),
    ("context", &["internal", "other one"]),
    ("peercontext", &["there", "over there"]),
    ("auth", &["md5", "plaintext", "md5,plaintext"]),
    ("trunk", &["yes", "no"]),
    ("qualify", &["yes", "no", "1", "2500"]),
    ("qualifysmoothing", &["yes"]),
    ("qualifyfreqok", &["1000", "30000"]),
    ("qualifyfreqnotok", &["1500"]),
    ("disallow", &["alaw"]),
    ("allow", &["alaw", "gsm", "all"]),
    ("codecpriority", &["host", "caller", "disabled", "reqonly"]),
    ("requirecalltoken", &["yes", "no", "auto"]),
    ("encryption", &["yes", "aes128", "no"]),
    ("forceencryption", &["yes"]),
    ("deny", &["0.0.0.0/0"]),
    ("permit", &["192.0.2.0/24"]),
    ("transfer", &["yes", "no", "mediaonly"]),
    ("callerid", &["\"Bob\" <2001>", "Bob"]),
    ("cid_number", &["1 2"]),
    ("fullname", &["Bob"]),
    ("calllimit", &["0", "3"]),
];

const ENDPOINT: &[(&str, &[&str])] = &[
    ("context", &["internal", "with blanks"]),
    ("allow", &["!all,g722,ulaw", "alaw"]),
    ("auth", &["a", "b"]),
    ("outbound_auth", &["a", "b"]),
    ("aors", &["dynamic", "fixed", "watched"]),
    ("transport", &["udp", "tcp"]),
    ("callerid", &["\"Carol\" <3001>"]),
    ("dtmf_mode", &["info", "rfc4733"]),
    ("from_user", &["from"]),
    ("from_domain", &["example.com"]),
    ("permit", &["192.0.2.0/24"]),
    ("deny", &["0.0.0.0/0"]),
    ("device_state_busy_at", &["0", "2"]),
    ("identify_by", &["username", "ip"]),
];

/// What endpoints name. Some values have no good form in our file.
const SHARED: &str = "[udp]\ntype=transport\nbind=192.0.2.9\nexternal_media_address=198.51.100.1\n[tcp]\ntype=transport\nprotocol=tcp\nbind=192.0.2.9\n\
    [a]\ntype=auth\nusername=user\npassword=Shai3ohn\n[b]\ntype=auth\nmd5_cred=0123456789abcdef0123456789abcdef\nnonce_lifetime=45\n\
    [dynamic]\ntype=aor\nmax_contacts=3\nremove_existing=yes\nqualify_frequency=60\nqualify_timeout=0.0\n\
    [fixed]\ntype=aor\ncontact=sip:some%20one@sip.example.com:5070\n\
    [watched]\ntype=aor\nmax_contacts=1\nqualify_frequency=17\nqualify_timeout=1.0015\nminimum_expiration=30\n";

type Lines = Vec<(prop::sample::Index, prop::sample::Index)>;

fn lines(keys: &[(&str, &[&str])], chosen: &Lines) -> String {
    let mut text = String::new();
    for (key, value) in chosen {
        let (key, values) = key.get(keys);
        writeln!(text, "{key}={}", value.get(values)).unwrap();
    }
    text
}

/// Lines of some sections, with the kind of each.
fn sections() -> impl Strategy<Value = Vec<(prop::sample::Index, Lines)>> {
    prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..10),
        ),
        0..3,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_means_the_same(sip in sections(), iax in sections(), pjsip in sections(), general in any::<prop::sample::Index>()) {
        let general = *general.get(&[
            "",
            "externaddr=203.0.113.7\nregister=a-user:secret@192.0.2.8\n",
            "realm=a realm\nmaxexpiry=600\nminexpiry=30\nrtptimeout=0\ndefaultexpiry=0\nregister=tcp://user@example.org:secret:auth@[2001:db8::7]:5070/4711~90\n",
            "media_address=198.51.100.2\ntcpenable=yes\nregister=user@192.0.2.8\nregistertimeout=0\nrtptimeout=17\n",
        ]);
        let mut sip_conf = format!("[general]\n{general}");
        for (number, (kind, chosen)) in sip.iter().enumerate() {
            let kind = kind.get(&["friend", "peer", "user"]);
            write!(sip_conf, "[s{number}]\ntype={kind}\nhost=192.0.2.9\n{}", lines(SIP, chosen)).unwrap();
        }
        let mut iax_conf = "[general]\ntrunktimestamps=yes\ncalltokenoptional=192.0.2.0/24\nmaxcallnumbers=17\nregister=who:secret@192.0.2.8\n".to_owned();
        for (number, (kind, chosen)) in iax.iter().enumerate() {
            let kind = kind.get(&["friend", "peer", "user"]);
            write!(iax_conf, "[i{number}]\ntype={kind}\nhost=192.0.2.9\n{}", lines(IAX, chosen)).unwrap();
        }
        let mut pjsip_conf = SHARED.to_owned();
        for (number, (_, chosen)) in pjsip.iter().enumerate() {
            write!(pjsip_conf, "[p{number}]\ntype=endpoint\n{}", lines(ENDPOINT, chosen)).unwrap();
            write!(pjsip_conf, "[k{number}]\ntype=identify\nendpoint=p{number}\nmatch=192.0.2.{number}\n").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("sip.conf", sip_conf.as_str()),
            ("iax.conf", &iax_conf),
            ("pjsip.conf", &pjsip_conf),
            ("extensions.conf", "[default]\nexten => 600,1,Echo()\n"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let loaded = asterisk::load(folder.path());
        let Some(config) = loaded.config else { return Err(TestCaseError::reject("the files have mistakes")) };
        let text = config.to_toml();
        match Config::parse(Path::new("again.toml"), &text) {
            Ok(again) => prop_assert_eq!(again, config, "{}", text),
            Err(error) => prop_assert!(false, "{error}\n{text}\n{sip_conf}\n{iax_conf}\n{pjsip_conf}"),
        }
    }
}
