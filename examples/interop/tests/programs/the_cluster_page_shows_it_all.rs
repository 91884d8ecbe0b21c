//! `cluster`, started as its README says, in a real browser: a person sees who is where, calls, and stops a PBX.

use interop::browser::Browser;
use interop::cluster::Cluster;
use std::path::PathBuf;

/// How many phones are drawn as registered with a PBX of a colour.
fn phones(colour: &str) -> String {
    format!("document.querySelectorAll('#phones .phone.{colour}').length")
}

#[test]
fn the_page_shows_phones_trunk_and_records_calls_across_and_stops_a_pbx() {
    let cluster = Cluster::start("page", &["--no-demo-calls"]);
    let mut browser = Browser::open(&cluster.ports, &cluster.folder, &format!("http://{}/", cluster.http));
    browser.wait_until(&format!("{} == 2 && {} == 2", phones("node0"), phones("node1")));
    browser.wait_until("document.getElementById('trunk-state').textContent == 'each registered with the other'");
    assert_eq!(browser.evaluate("document.getElementById('trunk-calls').textContent"), "no call");

    // One phone, then another: they talk, and each is heard by the other.
    let click = |account: &str| {
        format!("document.querySelector('[data-focus=\"{account}\"]').dispatchEvent(new MouseEvent('click'))")
    };
    browser.evaluate(&click("1001"));
    browser.evaluate(&click("1002"));
    browser.wait_until("document.getElementById('trunk-calls').textContent == '1 call'");
    let rows = "document.querySelector('#phone-rows tbody').innerText";
    browser.wait_until(&format!("{rows}.includes(\"659 Hz, 1002's\") && {rows}.includes(\"523 Hz, 1001's\")"));
    browser.wait_until("parseFloat(document.getElementById('bandwidth').textContent) > 100");
    browser.wait_until("document.querySelectorAll('#media .voice.up').length == 2");

    let image = browser.screenshot();
    assert!(image.starts_with(b"\x89PNG") && image.len() > 20_000, "{} bytes", image.len());
    if let Some(path) = std::env::var_os("TANDEM_SCREENSHOT").map(PathBuf::from) {
        std::fs::write(path, &image).expect("the screenshot");
    }

    // Hung up: both records, one a PBX.
    browser.evaluate("document.querySelector('#phone-rows button.hang').click()");
    browser.wait_until("document.querySelectorAll('#records tbody tr').length == 2");
    let records = browser.evaluate("document.querySelector('#records tbody').innerText");
    for word in ["SIP/1001-", "IAX2/zone1-", "IAX2/zone2-", "SIP/1002-", "answered"] {
        assert!(records.contains(word), "no {word} in {records}");
    }

    // A PBX is stopped: its phones move. It is started: the trunk is back.
    let press = |key: &str| {
        format!("document.querySelector('#nodes [data-focus=\"{key}\"]').dispatchEvent(new MouseEvent('click'))")
    };
    browser.evaluate(&press("pbx"));
    browser.wait_until(&format!("{} == 4", phones("node1")));
    browser.wait_until("document.getElementById('journal').innerText.includes('The balancer finds Asterisk PBX down')");
    browser.evaluate(&press("pbx"));
    browser.wait_until("document.getElementById('trunk-state').textContent == 'each registered with the other'");
    drop(browser);
    cluster.stop();
}

#[test]
fn the_cluster_runs_behind_a_real_haproxy() {
    let cluster = Cluster::start("haproxy", &["--balancer", "haproxy", "--algorithm", "leastconn"]);
    let status = interop::wait::until("a call across, through HAProxy", interop::wait::PATIENCE, || {
        Some(cluster.status()).filter(|status| {
            let phones = status["phones"].as_array().cloned().unwrap_or_default();
            let heard = phones.iter().filter(|phone| phone["call"]["heard"]["tone"].is_number()).count();
            status["trunk"]["calls"].as_array().is_some_and(|calls| !calls.is_empty()) && heard >= 2
        })
    });
    let front = &status["balancer"];
    assert_eq!((front["program"].as_str(), front["algorithm"].as_str()), (Some("HAProxy"), Some("leastconn")));
    let servers = front["servers"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = servers.iter().map(|server| (server["name"].as_str(), server["connections"].as_u64())).collect();
    assert_eq!(told, [(Some("Asterisk_PBX"), Some(2)), (Some("Extended_zone"), Some(2))]);
    cluster.stop();
}
