//! The live page in a real browser, while two phones talk.

use interop::browser::Browser;
use interop::couple::{Couple, anywhere};
use interop::media::{Line, Talk};
use interop::pbx::Pbx;
use interop::wait::{PATIENCE, until};
use std::path::PathBuf;

#[test]
fn the_page_shows_phones_and_calls_and_hangs_them_up() {
    let pbx = Pbx::start("page");
    let mut browser = Browser::open(&pbx.ports, &pbx.folder, &format!("http://{}/", pbx.http));
    // Before: no phone, no call. What comes is shown without a reload.
    browser.wait_until("document.querySelector('#accounts tbody').rows.length == 9");
    assert_eq!(browser.evaluate("String(document.querySelector('#calls tbody').rows.length)"), "0");
    let mut couple = Couple::new(&pbx);
    let (mut of_alice, mut of_bob) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let talking = couple.call(&mut of_alice, &mut of_bob);
    let talk = Talk::start(vec![of_alice, of_bob]);

    browser.wait_until("document.querySelector('#calls tbody').innerText.includes('PCMU')");
    browser.wait_until("/[1-9][0-9,]* packets/.test(document.querySelector('#calls tbody').innerText)");
    let calls = browser.evaluate("document.querySelector('#calls tbody').innerText");
    for word in ["1001", "1002", "PCMU", "0 % lost", "ms jitter"] {
        assert!(calls.contains(word), "no {word} in {calls}");
    }
    let phones = browser.evaluate("document.querySelector('#accounts tbody').innerText");
    assert!(phones.contains(&couple.bob.address.to_string()) && phones.contains("UDP"), "{phones}");

    let image = browser.screenshot();
    assert!(image.starts_with(b"\x89PNG") && image.len() > 20_000, "{} bytes", image.len());
    if let Some(path) = std::env::var_os("TANDEM_SCREENSHOT").map(PathBuf::from) {
        std::fs::write(path, &image).expect("the screenshot");
    }

    browser.evaluate("document.querySelector('#calls tbody button').click()");
    couple.alice.wait_for_bye(&talking.outgoing);
    couple.bob.wait_for_bye(&talking.incoming);
    browser.wait_until("document.querySelector('#calls tbody').rows.length == 0");
    talk.stop();
    drop(browser);
    pbx.wait_for_empty_tables();
    pbx.stop();
}

#[test]
fn the_console_lists_channels_and_peers() {
    let pbx = Pbx::start("console");
    let mut couple = Couple::new(&pbx);
    let (mut of_alice, mut of_bob) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let mut talking = couple.call(&mut of_alice, &mut of_bob);
    let channels = until("the picture with both channels", PATIENCE, || {
        Some(pbx.console("core show channels")).filter(|channels| channels.contains("2 active channels"))
    });
    assert!(channels.contains("SIP/1001-") && channels.contains("SIP/1002-"), "{channels}");
    assert!(channels.contains("1 active call"), "{channels}");
    let peers = pbx.console("sip show peers");
    assert!(peers.contains("1002") && peers.contains("127.0.0.1"), "{peers}");
    couple.hang_up(&mut talking);
    pbx.wait_for_empty_tables();
    assert!(pbx.console("core show channels").contains("0 active channels"));
    pbx.stop();
}
