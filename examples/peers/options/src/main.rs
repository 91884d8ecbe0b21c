//! Prints what it costs to answer an OPTIONS, and what an idle connection holds:
//! `cargo run --release -p peers-options -- [SECONDS A RUN]` and `cargo run --release -p peers-options -- memory`.
//!
//! Everyone gets the same: OPTIONS by UDP from a generator that keeps a window of 64 open, or sends at a rate; everyone answers 200.
//! Processor time is that of the server's processes alone, from `/proc`, so that it says something on a busy machine too; it is
//! per OPTIONS, that is for one datagram received and one sent. Nobody writes logs.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod memory;
mod serve;

use std::net::SocketAddr;
use std::time::Duration;

use peers_kit::{Kind, Load, Program, RUNS, Row, WINDOW, measure, median, run};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", how, front] => serve::run(how, front.parse().expect("an address")),
        ["load", front, seconds] => {
            let (front, span) = (front.parse().expect("an address"), seconds.parse().expect("seconds"));
            let span = Duration::from_secs_f64(span);
            let load = Load { front, tcp: false, kind: Kind::Options, window: WINDOW, rate: None, span };
            let measured = measure(&load);
            println!("{} answered, {} lost", measured.answered, measured.lost);
        }
        ["memory"] => memory::compare(1_000, 8_000),
        ["memory", few, many] => memory::compare(few.parse().expect("a number"), many.parse().expect("a number")),
        [] => compare(Duration::from_secs(2)),
        [seconds] => compare(Duration::from_secs_f64(seconds.parse().expect("seconds"))),
        _ => eprintln!(
            "usage: peers-options [SECONDS A RUN] | memory [FEW MANY] | serve HOW ADDRESS | load ADDRESS SECONDS"
        ),
    }
}

const FRONT: &str = "127.0.0.1:15970";

/// Who answers.
const SERVERS: [(&str, &str); 8] = [
    ("Kamailio 5.6, `sl_reply`, one child", ""),
    ("ours, without state", "stateless"),
    ("ours, a transaction each", "stateful"),
    ("our driver, bare echo", "driver"),
    ("bare echo", "echo"),
    ("echo in batches", "batches"),
    ("echo, only received in batches", "receive"),
    ("echo, only sent in batches", "send"),
];

fn start(how: &str) -> Program {
    match how {
        "" => Program::kamailio(
            &format!(
                "listen=udp:{FRONT}\ndisable_tcp=yes\nloadmodule \"sl.so\"\nrequest_route {{\n  sl_reply(\"200\", \"OK\");\n}}\n"
            ),
            &[],
        ),
        how => Program::this(&["serve", how, FRONT]),
    }
}

fn compare(span: Duration) {
    println!(
        "| who | load | OPTIONS/s | user µs | system µs | both µs | user of Kamailio's | both of Kamailio's | 99 % within | lost |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let front: SocketAddr = FRONT.parse().expect("an address");
    let mut limit = 0.0;
    for part in [1.0, 0.8, 0.5, 0.2] {
        let rate = if part < 1.0 { Some(limit * part) } else { None };
        let mut first: Option<Row> = None;
        // Whether batches help shows at saturation, where there are some.
        for (who, how) in SERVERS.into_iter().take(if part < 1.0 { 5 } else { SERVERS.len() }) {
            let server = start(how);
            server.wait(front, false);
            let load = Load { front, tcp: false, kind: Kind::Options, window: WINDOW, rate, span };
            // Warm first.
            measure(&Load { span: Duration::from_millis(300), ..load });
            let mut runs: Vec<Row> = (0..RUNS).map(|_| run(&server, &load, 1)).collect();
            let row = median(&mut runs);
            let kamailio = first.as_ref().unwrap_or(&row);
            let load =
                if part < 1.0 { format!("{:.0} % of Kamailio's most", part * 100.0) } else { "64 open".to_owned() };
            println!(
                "| {who} | {load} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} µs | {:.4} % |",
                row.rate,
                row.user,
                row.system,
                row.user + row.system,
                row.user / kamailio.user,
                (row.user + row.system) / (kamailio.user + kamailio.system),
                row.p99,
                row.lost * 100.0
            );
            if first.is_none() {
                limit = if part == 1.0 { row.rate } else { limit };
                first = Some(row);
            }
        }
    }
}
