//! Prints what a message costs our dispatcher, Kamailio and a bare two-socket forwarder:
//! `cargo run --release -p peers-dispatch -- PROGRAM`, where PROGRAM is our built `dispatcher`.
//!
//! Everyone gets the same: requests by UDP or down one TCP connection from a generator that keeps a window of 64 transactions open,
//! forwarded to one of two servers that answer 200, and the answers forwarded back: two messages a transaction. Processor time is
//! that of the forwarder's processes alone, from `/proc`, so that it says something on a busy machine too.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod floor;
mod forwarders;
mod quota;
mod server;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use peers_kit::{Kind, Load, Program, RUNS, Row, WINDOW, measure, median, run};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", front, back] => floor::run(front.parse().expect("an address"), back.parse().expect("an address")),
        ["quota", program] => quota::compare(Path::new(program), Duration::from_secs(4)),
        [program] => compare(Path::new(program), Duration::from_secs(2)),
        [program, seconds] => compare(Path::new(program), Duration::from_secs_f64(seconds.parse().expect("seconds"))),
        _ => eprintln!("usage: peers-dispatch PROGRAM [SECONDS A RUN]\n       peers-dispatch quota PROGRAM"),
    }
}

fn compare(program: &Path, span: Duration) {
    for tcp in [false, true] {
        let name = if tcp { "TCP" } else { "UDP" };
        println!(
            "\n| {name} | load | messages/s | user µs | system µs | both µs | 99 % of transactions | lost | memory MB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        let back: Vec<SocketAddr> = (0..2).map(|_| server::start(tcp)).collect();
        let front: SocketAddr = "127.0.0.1:15960".parse().expect("an address");
        let mut limit = 0.0;
        let mut makers: Vec<(&str, Box<dyn Fn() -> Program>)> = vec![
            (
                "Kamailio 5.6, one child",
                Box::new({
                    let back = back.clone();
                    move || forwarders::kamailio(front, &back, tcp)
                }),
            ),
            (
                "ours, one shard",
                Box::new({
                    let back = back.clone();
                    move || forwarders::ours(program, front, &back, tcp, 1)
                }),
            ),
        ];
        if !tcp {
            let back = back.clone();
            makers.push((
                "ours, two shards",
                Box::new({
                    let back = back.clone();
                    move || forwarders::ours(program, front, &back, tcp, 2)
                }),
            ));
            makers.push(("bare forwarder", Box::new(move || forwarders::floor(front, back[0]))));
        }
        for (who, make) in &makers {
            for part in [1.0, 0.8, 0.5, 0.2] {
                let rate = if part < 1.0 { Some(limit * part / 2.0) } else { None };
                let forwarder = make();
                forwarder.wait(front, tcp);
                // Warm first.
                let load = Load { front, tcp, kind: Kind::Invite, window: WINDOW, rate, span };
                measure(&Load { span: Duration::from_millis(300), ..load });
                let mut runs: Vec<Row> = (0..RUNS).map(|_| run(&forwarder, &load, 2)).collect();
                let memory = forwarder.memory() as f64 / 1024.0;
                let row = median(&mut runs);
                if part == 1.0 && limit == 0.0 {
                    limit = row.rate;
                }
                let load =
                    if part < 1.0 { format!("{:.0} % of Kamailio's most", part * 100.0) } else { "64 open".to_owned() };
                println!(
                    "| {who} | {load} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} µs | {:.4} % | {memory:.0} |",
                    row.rate,
                    row.user,
                    row.system,
                    row.user + row.system,
                    row.p99,
                    row.lost * 100.0
                );
            }
        }
    }
}
