//! Prints what a message costs our dispatcher, Kamailio and a bare two-socket forwarder:
//! `cargo run --release -p peers-dispatch -- PROGRAM`, where PROGRAM is our built `dispatcher`.
//!
//! Everyone gets the same: requests by UDP or down one TCP connection from a generator that keeps a window of 64 transactions open,
//! or keeps a rate, forwarded to servers that answer 200, and the answers forwarded back: two messages a transaction. Processor time is
//! that of the forwarder's processes alone, from `/proc`, so that it says something on a busy machine too. They take turns, run by run, so
//! that what else the machine does meets all of them.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod batch;
mod confined;
mod floor;
mod forwarders;
mod generator;
mod quota;
mod server;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use confined::Confined;
use generator::{Load, Measured, measure};
use peers_kit::{Program, Row, median};

const WINDOW: usize = 64;

/// How much is measured.
struct Plan {
    runs: usize,
    span: Duration,
    /// Parts of Kamailio's most, after the window.
    parts: &'static [f64],
    has_quota: bool,
}

const FULL: Plan = Plan { runs: 5, span: Duration::from_millis(2_000), parts: &[0.8, 0.5, 0.2], has_quota: true };
const QUICK: Plan = Plan { runs: 3, span: Duration::from_millis(500), parts: &[0.5], has_quota: true };
const SMOKE: Plan = Plan { runs: 1, span: Duration::from_millis(300), parts: &[0.5], has_quota: false };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", front, back] => floor::run(front.parse().expect("an address"), back.parse().expect("an address")),
        [program] => drop(compare(Path::new(program), &FULL)),
        ["quota", program] => quota::compare(Path::new(program), Duration::from_secs(4)),
        ["--quick", program] => drop(compare(Path::new(program), &QUICK)),
        ["--smoke", program] => smoke(Path::new(program)),
        _ => {
            eprintln!("usage: peers-dispatch [--quick | --smoke | quota] PROGRAM");
            std::process::exit(2);
        }
    }
}

/// Does the whole in a few seconds, and fails when somebody does not forward.
fn smoke(program: &Path) {
    for row in compare(program, &SMOKE) {
        assert!(row.rate > 100.0, "{} messages a second are forwarded", row.rate);
        assert!(row.user + row.system > 0.0, "no processor time was counted");
    }
}

/// Somebody who forwards.
struct Contender {
    name: &'static str,
    front: SocketAddr,
    forwarder: Program,
}

fn compare(program: &Path, plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for tcp in [false, true] {
        let name = if tcp { "TCP" } else { "UDP" };
        println!(
            "\n| {name} | load | messages/s | user µs | system µs | both µs | 99 % of transactions | lost | memory MB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        // Datagrams are spread over shards by who sends them: many servers.
        let back = server::start(tcp, if tcp { 2 } else { 16 });
        let front = |number: u16| SocketAddr::from(([127, 0, 0, 1], 15_960 + number));
        let contender = |name, number, start: &dyn Fn(SocketAddr) -> Program| {
            let front = front(number);
            let forwarder = start(front);
            forwarder.wait(front, tcp);
            Contender { name, front, forwarder }
        };
        let ours = |shards: usize| {
            move |front: SocketAddr, back: &[SocketAddr]| forwarders::ours(program, front, back, tcp, shards)
        };
        let mut contenders = vec![
            contender("Kamailio 5.6, one child", 0, &|front| forwarders::kamailio(front, &back, tcp)),
            contender("ours, one shard", 1, &|front| ours(1)(front, &back)),
        ];
        if !tcp {
            contenders.push(contender("ours, two shards", 2, &|front| ours(2)(front, &back)));
            contenders.push(contender("bare forwarder", 3, &|front| forwarders::floor(front, back[0])));
        }
        let alone = measure(back[0], tcp, Load::Window(WINDOW), plan.span);
        let rate = (alone.answered * 2) as f64 / alone.took.as_secs_f64();
        println!(
            "| nobody: generator and servers alone | 64 open | {rate:.0} | | | | {:.0} µs | | |",
            micros(alone.p99)
        );
        for contender in &contenders {
            // Warm first.
            measure(contender.front, tcp, Load::Window(WINDOW), plan.span.min(Duration::from_millis(300)));
        }
        let saturated = turns(&contenders, tcp, Load::Window(WINDOW), plan, "64 open");
        let limit = saturated[0].rate;
        for part in plan.parts {
            let load = Load::Rate(limit * part / 2.0);
            let said = format!("{:.0} % of Kamailio's most", part * 100.0);
            rows.extend(turns(&contenders, tcp, load, plan, &said));
        }
        let [kamailio, one, ..] = &saturated[..] else { unreachable!("two at least") };
        let both = |row: &Row| row.user + row.system;
        println!(
            "\n{name}, 64 open, ours with one shard beside Kamailio: {:.2} times the user time a message, {:.2} times the whole.",
            one.user / kamailio.user,
            both(one) / both(kamailio)
        );
        if !tcp {
            println!(
                "Two shards forward {:.2} times as much for their processor time as one (two times the time of one by that of two).",
                2.0 * both(one) / both(&saturated[2])
            );
            if plan.has_quota {
                confine(&contenders[1], &contenders[2], plan);
            }
        }
        rows.extend(saturated);
    }
    rows
}

/// Everyone in turn, several times; prints their medians.
fn turns(contenders: &[Contender], tcp: bool, load: Load, plan: &Plan, said: &str) -> Vec<Row> {
    let mut runs: Vec<Vec<Row>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.runs {
        for (contender, runs) in contenders.iter().zip(&mut runs) {
            runs.push(run(contender, tcp, load, plan.span));
        }
    }
    let rows: Vec<Row> = runs.iter_mut().map(|runs| median(runs)).collect();
    for (contender, row) in contenders.iter().zip(&rows) {
        println!(
            "| {} | {said} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} µs | {:.4} % | {:.0} |",
            contender.name,
            row.rate,
            row.user,
            row.system,
            row.user + row.system,
            row.p99,
            row.lost * 100.0,
            contender.forwarder.memory() as f64 / 1024.0
        );
    }
    rows
}

fn run(contender: &Contender, tcp: bool, load: Load, span: Duration) -> Row {
    let before = contender.forwarder.processor();
    let Measured { answered, lost, p99, took } = measure(contender.front, tcp, load, span);
    let (user, system) = contender.forwarder.processor().since(&before);
    let messages = (answered * 2).max(1) as f64;
    Row {
        rate: messages / took.as_secs_f64(),
        user: micros(user) / messages,
        system: micros(system) / messages,
        p99: micros(p99),
        lost: lost as f64 / (answered + lost).max(1) as f64,
    }
}

/// With two cores for everything, two shards can never be busy all the time. Confined to a part of a core each, they can: one has it, then two
/// have as much each.
fn confine(one: &Contender, two: &Contender, plan: &Plan) {
    const QUOTA: u32 = 1_000;
    if !Confined::is_possible() {
        println!("Shards are not confined here: there is no control group of version 1 for processors.");
        return;
    }
    let mut medians = Vec::new();
    for (contender, names) in [(one, &["shard-0"][..]), (two, &["shard-0", "shard-1"][..])] {
        let threads = names.iter().flat_map(|name| contender.forwarder.threads(name));
        let groups: std::io::Result<Vec<Confined>> = threads.map(|thread| Confined::confine(&thread, QUOTA)).collect();
        match groups {
            Ok(groups) if groups.len() == names.len() => {
                let load = Load::Window(WINDOW * 8);
                let mut runs: Vec<Row> = (0..plan.runs).map(|_| run(contender, false, load, plan.span)).collect();
                medians.push(median(&mut runs));
            }
            Ok(_) => return println!("Shards are not confined: their threads are not found."),
            Err(error) => return println!("Shards are not confined: {error}."),
        }
    }
    let [one, two] = &medians[..] else { return };
    println!(
        "Each shard confined to {} % of a core, 512 open: one {:.0} messages/s ({:.4} % lost), two {:.0} ({:.4} %): {:.2} times.",
        Confined::percent(QUOTA),
        one.rate,
        one.lost * 100.0,
        two.rate,
        two.lost * 100.0,
        two.rate / one.rate
    );
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
