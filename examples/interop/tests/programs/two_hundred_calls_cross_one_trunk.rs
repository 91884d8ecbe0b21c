//! Two hundred calls at once between the PBXs: their voice shares datagrams, none of it is lost, and it takes no more
//! bandwidth than `iax2` promises.

use interop::couple::anywhere;
use interop::media::{Line, talk_for};
use interop::phone::{Call, Phone, sdp};
use interop::process::Process;
use interop::thesis::Cluster;
use interop::wait::{PATIENCE, until};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PAIRS: usize = 2;
const CALLS: usize = 200;
const LENGTH: Duration = Duration::from_secs(10);

/// `iax2/README.md`: bytes that 100 calls of 160 bytes each 20 ms take each way in a trunk with timestamps (tshark reads
/// no other), IP and UDP headers included. Calls beyond the first hundred only fill more datagrams of the same kind.
const BYTES_OF_A_CALL: f64 = 17_140.0 / 100.0;

#[test]
fn no_audio_is_lost_and_the_trunk_is_as_thin_as_promised() {
    let cluster = Cluster::start_with("two-hundred", "trunktimestamps=yes", "trunk=yes");
    let mut phones = ["1001", "1002", "1003", "1004"].map(|account| cluster.phone(account));
    let home = cluster.home_of("1001");
    assert_eq!((cluster.home_of("1002"), cluster.home_of("1003"), cluster.home_of("1004")), (1 - home, home, 1 - home));

    let (mut lines, mut calls): (Vec<Line>, Vec<(usize, Call, Call)>) = (Vec::new(), Vec::new());
    for number in 0..CALLS {
        let pair = number % PAIRS;
        let [alice, bob] = &mut phones[pair * 2..pair * 2 + 2] else { panic!("four phones") };
        let (mut of_alice, mut of_bob) =
            (Line::new(anywhere(), 440.0).counting(), Line::new(anywhere(), 620.0).counting());
        let mut outgoing = alice.invite(&bob.user, &sdp(of_alice.address, "sendrecv"));
        let incoming = bob.incoming();
        of_bob.remote = incoming.invite.media();
        bob.respond(&incoming, "200 OK", &sdp(of_bob.address, "sendrecv"));
        let answer = alice.outcome(&mut outgoing);
        assert_eq!(answer.status(), Some(200), "call {number}: {}", answer.start);
        bob.request(&incoming, "ACK");
        of_alice.remote = answer.media();
        lines.extend([of_alice, of_bob]);
        calls.push((pair, outgoing, incoming));
    }
    until("all calls in the console", PATIENCE, || {
        let shown = cluster.members[home].execute("iax2 show channels");
        shown.contains(&format!("{CALLS} active IAX channels")).then_some(())
    });

    let file = cluster.folder.file("trunk.pcap");
    let mut command = Command::new("tcpdump");
    let network = format!("net 127.{}.2.0/24 and udp port 4569", cluster.ports.network());
    command
        .args(["-i", "lo", "--immediate-mode", "-U", "-n", "-s", "0", "-B", "65536", "-Z", "root", "-w"])
        .arg(&file)
        .arg(network);
    let mut capture = Process::start(&mut command, &cluster.folder.file("tcpdump.log"));
    capture.wait_for_output("listening on", PATIENCE);
    let lines = talk_for(lines, LENGTH);
    capture.signal("INT");
    capture.wait(PATIENCE);

    let sent: u32 = lines.iter().map(|line| line.sent).sum();
    let received: u32 = lines.iter().map(|line| line.numbers.len() as u32).sum();
    assert!(sent as usize >= CALLS * 2 * 450, "the generator did not keep up: {sent}");
    assert!(lines.iter().all(|line| line.streams.len() == 1), "each hears one stream");
    let wire = Wire::read(&file);
    let bytes = wire.bytes / f64::from(sent);
    println!(
        "{CALLS} calls: {sent} packets said, {received} heard; {} datagrams on the trunk, {} of them trunk frames with {} \
         entries; {bytes:.1} bytes a packet and call, {:.1} kbit/s a call and way",
        wire.datagrams,
        wire.trunks,
        wire.entries,
        bytes * 50.0 * 8.0 / 1_000.0
    );
    assert_eq!(sent - received, 0, "audio was lost");
    // All voice but the full frame that begins each way of a call, at most two in this time.
    assert!(wire.entries + CALLS * 2 * 2 >= sent as usize, "voice goes beside the trunk");
    assert!((bytes / BYTES_OF_A_CALL - 1.0).abs() < 0.05, "{bytes:.1} instead of {BYTES_OF_A_CALL}");

    for (pair, outgoing, incoming) in &mut calls {
        assert_eq!(phones[*pair * 2].bye(outgoing), 200);
        phones[*pair * 2 + 1].wait_for_bye(incoming);
    }
    for member in &cluster.members {
        let records = member.wait_for_records(CALLS);
        assert!(records.iter().all(|record| record.disposition == "ANSWERED"));
        member.wait_for_empty_tables();
    }
    cluster.stop();
}

/// What tshark finds on the trunk.
struct Wire {
    datagrams: usize,
    trunks: usize,
    entries: usize,
    /// With IP and UDP headers.
    bytes: f64,
}

impl Wire {
    fn read(file: &Path) -> Self {
        let output = Command::new("tshark")
            .args(["-n", "-r"])
            .arg(file)
            .args(["-T", "fields", "-e", "ip.len", "-e", "iax2.trunk.call.len", "-e", "frame.protocols"])
            .stdin(Stdio::null())
            .output()
            .expect("tshark");
        assert!(output.status.success(), "tshark fails: {}", String::from_utf8_lossy(&output.stderr));
        let mut wire = Self { datagrams: 0, trunks: 0, entries: 0, bytes: 0.0 };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default().to_owned();
            wire.datagrams += 1;
            wire.bytes += field().parse::<f64>().expect("a length");
            // Each entry's length; what tshark itself counts is now and then too few.
            let lengths = field();
            let entries = lengths.split(',').filter(|length| !length.is_empty()).count();
            wire.trunks += usize::from(entries > 0);
            wire.entries += entries;
            assert!(!field().contains("_ws.malformed"), "{line}");
        }
        wire
    }
}
