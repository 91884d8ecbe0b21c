//! Every mistake in a configuration names file, line and what was expected.

use std::path::Path;

use pbx::config::{Config, ConfigError, Problem};

const ACCOUNT: &str = "\n[[account]]\nname = \"1001\"\nsecret = \"Shai3ohn\"\n";

fn problems(text: &str) -> Vec<Problem> {
    match Config::parse(Path::new("pbx.toml"), text) {
        Err(ConfigError::Invalid { problems }) => problems,
        Err(other) => panic!("another error: {other}"),
        Ok(config) => panic!("accepted: {config:?}"),
    }
}

#[test]
fn each_mistake_is_told_with_its_line_and_what_was_expected() {
    // What is written, the line of the mistake, and words that must be in the message.
    let table: &[(&str, usize, &[&str])] = &[
        ("[sip]\nudp = [\"127.0.0.1\"]", 2, &["address and port", "127.0.0.1"]),
        ("[sip]\nudp = []\ntcp = []", 1, &["at least one address"]),
        ("[sip]\nudp = \"127.0.0.1:5060\"", 2, &["sequence"]),
        ("[sip]\nadvertised = \"host:5060\"", 2, &["without a port"]),
        ("[sip]\nrealm = \"a\\\"b\"", 2, &["without quotes"]),
        ("[sip]\n\ntrusted = [\"192.0.2.0/24\"]", 3, &["IP address"]),
        ("[sip]\ndigest = [\"SHA256\"]", 2, &["\"SHA-256\""]),
        ("[sip]\nport = 5060", 2, &["unknown field `port`", "expected one of", "udp"]),
        ("[sipp]\nport = 5060", 1, &["unknown field `sipp`", "extensions"]),
        ("[calls]\nring_time = \"soon\"", 2, &["expected a time such as"]),
        ("[calls]\nring_time = true", 2, &["expected a time such as"]),
        ("[calls]\nring_time = \"0s\"", 2, &["ring_time", "at least"]),
        ("[calls]\nmax_time = \"99999999999999999999h\"", 2, &["expected a time such as"]),
        ("[rtp]\nports = \"10000\"", 2, &["port range"]),
        ("[rtp]\nports = \"10000-10002\"", 2, &["at least four ports"]),
        ("[rtp]\nports = \"20000-10000\"", 2, &["port range"]),
        ("[rtp]\naddress = \"localhost\"", 2, &["IP address"]),
        ("[limits]\ncalls = 0", 2, &["expected a number from 1", "found 0"]),
        ("[limits]\ncalls = -5", 2, &["expected a number from 1", "found -5"]),
        ("[limits]\ncalls = \"many\"", 2, &["expected i64"]),
        ("[http]\nlisten = \"8080\"", 2, &["address and port"]),
        ("[http]\nexposed = 1", 2, &["boolean"]),
        ("[extensions]\n600 = \"play\"", 2, &["\"echo\" or \"milliwatt\"", "play"]),
        ("[extensions]\n1001 = \"echo\"", 2, &["name of an account"]),
        ("[extensions]\n\"6 0\" = \"echo\"", 2, &["letters, digits"]),
        ("[registration]\nmin_expires = \"2h\"\nmax_expires = \"1h\"", 2, &["at most max_expires"]),
        ("[[account]]\nname = \"1001\"\nsecret = \"x\"", 5, &["twice"]),
        ("[[account]]\nname = \"1009\"\nsecret = \"x\"\nuser = \"1001\"", 6, &["user name of its own", "1009"]),
        (
            "[[account]]\nname = \"1009\"\nsecret = \"x\"\nuser = \"a\"\n[[account]]\nname = \"1008\"\nsecret = \"x\"\nuser = \"a\"",
            8,
            &["user name of its own", "1009"],
        ),
        ("[sip]\nbalancers = [\"any\"]", 2, &["IP address"]),
        ("[[account]]\nname = \"10 01\"\nsecret = \"x\"", 2, &["letters, digits"]),
        ("[[account]]\nname = \"1009\"\nsecret = \"\"", 3, &["not empty"]),
        ("[[account]]\nname = \"1009\"", 1, &["missing field `secret`"]),
        ("[[account]]\nname = 1009\nsecret = \"x\"", 2, &["expected a string"]),
        ("[[account]]\nname = \"1009\"\nsecret = \"x\"\ncaller_id = \"a\\nb\"", 4, &["control characters"]),
        ("[sip\nudp = []", 1, &["]"]),
    ];
    for (text, line, words) in table {
        let problems = problems(&format!("{text}{ACCOUNT}"));
        let problem = &problems[0];
        assert_eq!(problem.file, "pbx.toml");
        assert_eq!(problem.line, *line, "{text}\n{problem}");
        for word in *words {
            assert!(problem.message.contains(word), "{text}\nlacks {word:?}: {problem}");
        }
        let told = problem.to_string();
        assert!(told.starts_with(&format!("pbx.toml:{line}:")), "{told}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = format!("[sip]\nudp = [\"x\"]\ntcp = [\"127.0.0.1:1\", \"y\"]\n[limits]\ncalls = 0\n{ACCOUNT}");
    let lines: Vec<_> = problems(&text).iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 5]);
}

#[test]
fn a_file_without_accounts_is_told_how_to_write_one() {
    let problems = problems("[sip]\n");
    assert!(problems[0].message.contains("[[account]]"), "{}", problems[0]);
}

#[test]
fn an_excerpt_points_at_the_mistake_but_never_shows_a_secret() {
    let told = problems(&format!("[rtp]\nports = \"x\"{ACCOUNT}"))[0].to_string();
    assert!(told.contains("| ports = \"x\"\n  |         ^"), "{told}");
    let told = problems("[[account]]\nname = \"1001\"\nsecret = [\"hunter2\"]\n")[0].to_string();
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nonexistent/pbx.toml")).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/pbx.toml"), "{error}");
}

#[test]
fn times_are_read_in_every_unit_people_write() {
    let text = format!(
        "[calls]\nring_time = 20\ndrain_time = \"1500ms\"\nmax_time = \"2 h\"\nmedia_timeout = \"0s\"\n\
         [registration]\nmax_expires = \"1d\"\n[sip]\nnonce_time = \"3m\"\n{ACCOUNT}"
    );
    let config = Config::parse(Path::new("pbx.toml"), &text).unwrap();
    assert_eq!(config.calls.ring_time.as_secs(), 20);
    assert_eq!(config.calls.drain_time.as_millis(), 1500);
    assert_eq!(config.calls.max_time.as_secs(), 7200);
    assert_eq!(config.calls.media_timeout, None);
    assert_eq!(config.registration.max_expires.as_secs(), 86_400);
    assert_eq!(config.sip.nonce_time.as_secs(), 180);
}

#[test]
fn what_is_switched_off_is_off() {
    let text = format!("[http]\nlisten = \"\"\n[cdr]\npath = \"\"\n[extensions]\n{ACCOUNT}");
    let config = Config::parse(Path::new("pbx.toml"), &text).unwrap();
    assert_eq!(config.http.listen, None);
    assert_eq!(config.cdr.path, None);
    assert!(config.extensions.is_empty());
}
