//! A small IAX2 server: one user, who hears what it says (extension 600), is called back, or is hung up on.
//!
//! `iax_server ADDRESS USER SECRET [CALL-AFTER-SECONDS]`: the user registers and calls; when it has registered it is called
//! after so many seconds. Each event is one line on standard output, for people and for tests.

use std::net::SocketAddr;
use std::time::Duration;

use iax2::driver::Driver;
use iax2::{Config, Event, Format, Formats, NewCall, PeerConfig, Preferences, TokenPolicy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: iax_server ADDRESS USER SECRET [CALL-AFTER-SECONDS]";
    let address: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let user = arguments.next().ok_or(usage)?;
    let secret = arguments.next().ok_or(usage)?;
    let call_after = arguments.next().map(|seconds| seconds.parse::<u64>()).transpose()?;

    let (driver, handle, mut events) = Driver::bind(address, Config::default()).await?;
    let mut driving = tokio::spawn(driver.run());
    let mut peer = PeerConfig::new(user.clone()).with_secret(secret.as_str()).dynamic();
    // Old clients know no tokens.
    peer.token = TokenPolicy::NotRequired;
    peer.formats = Formats::G711.with(Format::SLIN);
    peer.preferences = Preferences::new([Format::SLIN, Format::ULAW]);
    handle.run(move |endpoint, now| endpoint.add_peer(now, peer)).await.ok_or("driver ended")??;
    println!("listening on {}", handle.local_address());

    let mut called = false;
    loop {
        let event = tokio::select! {
            event = events.recv() => event.ok_or("driver ended")?,
            ended = &mut driving => return Ok(ended??),
        };
        match event {
            // Echo.
            Event::Voice { call, format, timestamp, payload } => {
                handle.run(move |endpoint, now| endpoint.send_voice_at(now, call, format, timestamp, &payload)).await;
            }
            Event::Incoming { call, ref request, .. } => {
                println!("incoming {} from {}", request.number(), request.caller_number().unwrap_or("nobody"));
                handle.run(move |endpoint, now| endpoint.answer(now, call)).await.ok_or("driver ended")??;
            }
            Event::Bound { ref peer, address, .. } => {
                println!("registered {peer} at {address}");
                if let Some(seconds) = call_after.filter(|_| !std::mem::replace(&mut called, true)) {
                    let (handle, user) = (handle.clone(), user.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(seconds)).await;
                        let dialled = handle
                            .run(move |endpoint, now| endpoint.dial(now, &user, &NewCall::to("1").from("600")))
                            .await;
                        println!("calling {dialled:?}");
                    });
                }
            }
            Event::RoundTrip { .. } | Event::Report { .. } => {}
            event => println!("{event:?}"),
        }
    }
}
