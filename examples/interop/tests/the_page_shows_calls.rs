//! The live page in a real browser, while two phones talk.

use interop::couple::{Couple, anywhere};
use interop::media::{Line, Talk};
use interop::pbx::Pbx;
use interop::wait::{PATIENCE, until};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

fn browse(pbx: &Pbx, arguments: &[&str]) -> String {
    let profile = pbx.folder.file("chromium");
    let name = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok())
        .expect("chromium is not installed");
    let output = Command::new("timeout")
        .args(["60", name, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--window-size=1280,1000", "--timeout=4000", "--virtual-time-budget=4000"])
        .args(arguments)
        .arg(format!("http://{}/", pbx.http))
        .stdin(Stdio::null())
        .output()
        .expect("timeout");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_page_shows_phones_and_calls_and_takes_them_away_again() {
    let pbx = Pbx::start("page");
    let mut couple = Couple::new(&pbx);
    let (mut of_alice, mut of_bob) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let talking = couple.call(&mut of_alice, &mut of_bob);
    let talk = Talk::start(vec![of_alice, of_bob]);
    let page = until("a page with the call", PATIENCE * 2, || {
        let page = browse(&pbx, &["--dump-dom"]);
        (page.contains("1002") && page.contains("PCMU")).then_some(page)
    });
    let table =
        page.split_once("id=\"calls\"").and_then(|(_, rest)| rest.split_once("</table>")).map_or("", |(it, _)| it);
    for word in ["1001", "1002", "PCMU"] {
        assert!(table.contains(word), "no {word} in {table}");
    }
    assert!(page.contains(&couple.bob.address.to_string()), "the registered phone's address is shown");

    let shot: PathBuf =
        std::env::var_os("TANDEM_SCREENSHOT").map_or_else(|| pbx.folder.file("page.png"), PathBuf::from);
    browse(&pbx, &[&format!("--screenshot={}", shot.display())]);
    let image = std::fs::read(&shot).expect("a screenshot");
    assert!(image.starts_with(b"\x89PNG") && image.len() > 10_000, "{} bytes", image.len());

    // What its button does.
    let id = pbx.status()["calls"][0]["id"].as_u64().expect("a call");
    let answer = interop::http::post(pbx.http, &format!("/calls/{id}/hangup"), "").expect("an answer");
    assert_eq!(answer.status, 204);
    couple.alice.wait_for_bye(&talking.outgoing);
    couple.bob.wait_for_bye(&talking.incoming);
    talk.stop();
    pbx.wait_for_empty_tables();
    std::thread::sleep(Duration::from_millis(10));
    pbx.stop();
}

#[test]
fn the_console_lists_channels_and_peers() {
    let pbx = Pbx::start("console");
    let mut couple = Couple::new(&pbx);
    let (mut of_alice, mut of_bob) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let mut talking = couple.call(&mut of_alice, &mut of_bob);
    let channels = pbx.console("core show channels");
    assert!(channels.contains("SIP/1001-") && channels.contains("SIP/1002-"), "{channels}");
    assert!(channels.contains("2 active channels") && channels.contains("1 active call"), "{channels}");
    let peers = pbx.console("sip show peers");
    assert!(peers.contains("1002") && peers.contains("127.0.0.1"), "{peers}");
    couple.hang_up(&mut talking);
    pbx.wait_for_empty_tables();
    assert!(pbx.console("core show channels").contains("0 active channels"));
    pbx.stop();
}
