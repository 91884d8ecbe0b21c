//! SIPp calls a server of ours: over UDP with a tenth of the messages lost each way, over TCP, and over TLS.
//!
//! SIPp of this system speaks no TLS: HAProxy does it for it, and checks our certificate.

use interop::authority::Authority;
use interop::capture::Capture;
use interop::folder::Folder;
use interop::ours::{Ours, Setup};
use interop::ports::Ports;
use interop::process::Process;
use interop::sipp::{self, Sipp};
use interop::wait::{PATIENCE, until};
use sip_transaction::Transport;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn serve(transports: &[Transport], address: SocketAddr) -> Ours {
    let listen = transports.iter().map(|transport| (*transport, address)).collect();
    Ours::start(Setup { listen, ..Setup::default() })
}

/// Runs several at once; every call of each must go as its scenario says. Tells how many messages SIPp sent again.
fn run_all(folder: &Folder, setups: &[sipp::Setup<'_>]) -> u32 {
    let running: Vec<(Sipp, u32)> = setups.iter().map(|setup| (Sipp::start(folder, setup), setup.calls)).collect();
    running.into_iter().map(|(sipp, calls)| sipp.must_succeed(calls, PATIENCE * 2).retransmissions).sum()
}

#[test]
fn calls_over_udp_come_through_though_a_tenth_of_the_messages_is_lost() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipp-lossy"));
    let (first, second) = (ports.address(), ports.address());
    let (own, built_in) = (serve(&[Transport::Udp], first), serve(&[Transport::Udp], second));
    let capture = Capture::of_sip(&folder, &[first, second], &[]);
    let lossy = |scenario, service, server| sipp::Setup {
        scenario,
        service,
        server,
        local: ports.of_sipp(),
        calls: 100,
        rate: 50,
        lost: 10,
        length: Duration::from_millis(100),
        ..sipp::Setup::default()
    };
    let again = run_all(
        &folder,
        &[
            sipp::Setup { built_in: true, ..lossy("uac", "600", second) },
            lossy("uac_talks", "600", first),
            lossy("uac_rejected", "busy", first),
        ],
    );
    assert!(again > 30, "SIPp sent only {again} messages again: nothing was lost");
    let end = own.finish();
    assert_eq!((end.counters.incoming, end.counters.answered, end.counters.ended), (200, 100, 200), "{end:#?}");
    // A 200 of ours that was lost, or whose ACK was, is sent again until there is an ACK or a BYE.
    assert!(end.counters.answers_resent > 5, "{end:#?}");
    assert_eq!((end.counters.not_acknowledged, end.endpoint.counters.malformed), (0, 0), "{end:#?}");
    let end = built_in.finish();
    assert_eq!((end.counters.incoming, end.counters.answered, end.counters.ended), (100, 100, 100), "{end:#?}");
    // Where its ACK and its first BYE are both lost, SIPp takes the 200 that comes again for the answer to the BYE and
    // forgets the call, which ends at our side by its timers.
    assert!(end.counters.not_acknowledged < 10, "{end:#?}");
    assert_eq!(end.endpoint.counters.malformed, 0, "{end:#?}");
    assert!(capture.finish().sip > 1_500);
}

#[test]
fn calls_are_cancelled_early_and_late_and_merged_over_udp_and_tcp() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipp-cancels"));
    let server = ports.address();
    let ours = serve(&[Transport::Udp, Transport::Tcp], server);
    let capture = Capture::of_sip(&folder, &[server], &[]);
    let mut setups = Vec::new();
    for tcp in [false, true] {
        for (scenario, service) in [("uac_cancels", "ringing"), ("uac_cancels_late", "600"), ("uac_merges", "ringing")]
        {
            let lost = if !tcp && scenario != "uac_merges" { 10 } else { 0 };
            let local = ports.of_sipp();
            setups.push(sipp::Setup { scenario, service, server, local, tcp, lost, ..calls(40) });
        }
    }
    run_all(&folder, &setups);
    let end = ours.finish();
    // Of merged ones only the first becomes a call; only those that were cancelled late were answered.
    assert_eq!((end.counters.incoming, end.counters.answered, end.counters.ended), (240, 80, 240), "{end:#?}");
    assert_eq!((end.counters.not_acknowledged, end.endpoint.connections), (0, 0), "{end:#?}");
    assert!(capture.finish().sip > 1_500);
}

fn calls(calls: u32) -> sipp::Setup<'static> {
    sipp::Setup { calls, rate: 40, length: Duration::from_millis(100), ..sipp::Setup::default() }
}

#[test]
fn calls_over_tcp_and_tls_all_succeed_and_leave_nothing() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipp-streams"));
    let (plain, secure, haproxy) = (ports.address(), ports.address(), ports.address());
    let authority = Authority::new();
    let ours = Ours::start(Setup {
        listen: vec![(Transport::Tcp, plain), (Transport::Tls, secure)],
        server: Some(authority.server(&["ours.example"])),
        ..Setup::default()
    });
    let believed = authority.file(&folder, "authority");
    let mut tunnel = tunnel(&folder, haproxy, secure, &believed, "ours.example");
    let capture = Capture::of_sip(&folder, &[plain, haproxy], &[]);
    let mut setups = Vec::new();
    for (server, wire) in [(plain, ""), (haproxy, "TLS")] {
        for (scenario, service) in [("uac_talks", "600"), ("uac_rejected", "busy"), ("uac_cancels_late", "600")] {
            setups.push(sipp::Setup {
                scenario,
                service,
                server,
                wire,
                tcp: true,
                local: ports.of_sipp(),
                ..calls(60)
            });
        }
        let local = ports.of_sipp();
        setups.push(sipp::Setup { scenario: "uac", built_in: true, server, tcp: true, local, ..calls(60) });
    }
    run_all(&folder, &setups);
    assert!(tunnel.ended().is_none(), "HAProxy ended:\n{}", tunnel.output());
    drop(tunnel);
    until("the end of all connections", PATIENCE, || (ours.snapshot().endpoint.connections == 0).then_some(()));
    let end = ours.finish();
    assert_eq!((end.counters.incoming, end.counters.answered), (480, 360), "{end:#?}");
    assert_eq!((end.counters.not_acknowledged, end.endpoint.counters.retransmissions_sent), (0, 0), "{end:#?}");
    // One a SIPp, and the one that found HAProxy ready.
    assert_eq!(end.endpoint.counters.connections_accepted, 8 + 1, "{end:#?}");
    assert!(capture.finish().sip > 2_000);
}

/// HAProxy takes TCP and speaks TLS with a server that must prove a name.
fn tunnel(folder: &Folder, from: SocketAddr, to: SocketAddr, believed: &Path, name: &str) -> Process {
    let config = format!(
        "global\n maxconn 100\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         listen out\n bind {from}\n server ours {to} ssl verify required ca-file {} sni str({name}) verifyhost {name}\n",
        believed.display()
    );
    let config = folder.write("haproxy.cfg", config);
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(config);
    let process = Process::start(&mut command, &folder.file("haproxy.log"));
    let probe = || TcpStream::connect(from).is_ok().then_some(());
    until("HAProxy's socket", PATIENCE, probe);
    process
}

#[test]
fn a_server_that_proves_another_name_is_refused_by_haproxy() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipp-name"));
    let (secure, haproxy) = (ports.address(), ports.address());
    let authority = Authority::new();
    let ours = Ours::start(Setup {
        listen: vec![(Transport::Tls, secure)],
        server: Some(authority.server(&["ours.example"])),
        ..Setup::default()
    });
    let believed = authority.file(&folder, "authority");
    let _tunnel = tunnel(&folder, haproxy, secure, &believed, "other.example");
    let mut phone = interop::wire::Wire::tcp(haproxy);
    phone.send(b"OPTIONS sip:ours.example SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    until("HAProxy to give up", PATIENCE, || phone.is_closed().then_some(()));
    assert_eq!(ours.finish().endpoint.counters.messages_received, 0);
}
