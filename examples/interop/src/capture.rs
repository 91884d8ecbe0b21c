//! A capture of the test's own packets on loopback, judged by tshark.

use crate::audio::Audio;
use crate::folder::Folder;
use crate::process::Process;
use crate::wait::PATIENCE;
use rtp::Packet;
use rtp::g711::Law;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
    sip: Vec<u16>,
}

/// What tshark found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// SIP messages.
    pub sip: usize,
    /// RTP packets.
    pub rtp: usize,
}

impl Capture {
    /// Captures what goes to and from a SIP address and a range of media ports.
    pub fn start(folder: &Folder, sip: SocketAddr, media: &RangeInclusive<u16>) -> Self {
        let filter = format!("port {} or udp portrange {}-{}", sip.port(), media.start(), media.end());
        Self::launch(folder, filter, vec![sip.port()])
    }

    /// Captures SIP alone, to and from several addresses. WebSockets are recognised by their handshake.
    pub fn of_sip(folder: &Folder, sip: &[SocketAddr], websockets: &[SocketAddr]) -> Self {
        let ports: Vec<String> = sip.iter().chain(websockets).map(|at| format!("port {}", at.port())).collect();
        Self::launch(folder, ports.join(" or "), sip.iter().map(SocketAddr::port).collect())
    }

    fn launch(folder: &Folder, filter: String, sip: Vec<u16>) -> Self {
        let file = folder.file("capture.pcap");
        let mut command = Command::new("tcpdump");
        command
            .args(["-i", "lo", "--immediate-mode", "-U", "-n", "-s", "0", "-B", "65536", "-Z", "root", "-w"])
            .arg(&file)
            .arg(filter);
        let mut process = Process::start(&mut command, &folder.file("tcpdump.log"));
        process.wait_for_output("listening on", PATIENCE);
        Self { process, file, sip }
    }

    /// What was sent so far to a phone whose media ports these are, decoded: its mu-law packets in the order they were sent.
    pub fn heard_at(&self, ports: &RangeInclusive<u16>) -> Audio {
        let bytes = std::fs::read(&self.file).unwrap_or_default();
        let mut samples = Vec::new();
        // A pcap file: a header of 24 bytes, then records with headers of 16 (little-endian, as this machine writes them).
        let mut rest = bytes.get(24..).unwrap_or(&[]);
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let Some((frame, next)) = after.split_at_checked(length) else { break };
            rest = next;
            // Ethernet, IPv4, UDP.
            let Some(ip) = frame.get(14..).filter(|ip| ip.len() > 28 && ip[0] >> 4 == 4 && ip[9] == 17) else {
                continue;
            };
            let Some(udp) = ip.get(usize::from(ip[0] & 15) * 4..).filter(|udp| udp.len() > 8) else { continue };
            if !ports.contains(&u16::from_be_bytes([udp[2], udp[3]])) {
                continue;
            }
            if let Some(packet) =
                Packet::parse(&udp[8..]).ok().filter(|packet| packet.payload_type() == 0 && !packet.marker())
            {
                samples.extend(Law::Mu.decode(packet.payload()));
            }
        }
        Audio { rate: 8_000, samples }
    }

    /// Ends the capture; nothing in it may be malformed or an expert error of SIP, SDP, RTP or RTCP.
    ///
    /// # Panics
    ///
    /// When something is.
    pub fn finish(mut self) -> Verdict {
        self.process.signal("INT");
        self.process.wait(PATIENCE);
        // One pass over the whole file: tshark takes its time.
        let dissected = self.dissect(&[
            "frame.protocols",
            "_ws.expert.severity",
            "frame.number",
            "_ws.expert.message",
            "_ws.col.Info",
        ]);
        let mut seen = Verdict { sip: 0, rtp: 0 };
        let mut wrong = Vec::new();
        for line in dissected.lines() {
            let mut fields = line.split('\t');
            let (protocols, severities) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            let has = |name: &str| protocols.split(':').any(|protocol| protocol == name);
            seen.sip += usize::from(has("sip"));
            seen.rtp += usize::from(has("rtp"));
            let ours = ["sip", "sdp", "rtp", "rtcp"].into_iter().any(has);
            // 8388608 is the severity "error".
            if has("_ws.malformed") || ours && severities.split(',').any(|severity| severity == "8388608") {
                wrong.push(line);
            }
        }
        assert!(wrong.is_empty(), "tshark objects to:\n{}", wrong.join("\n"));
        seen
    }

    fn dissect(&self, fields: &[&str]) -> String {
        let mut command = Command::new("tshark");
        command.args(["-n", "-r"]).arg(&self.file);
        for port in &self.sip {
            command.args(["-d", &format!("udp.port=={port},sip"), "-d", &format!("tcp.port=={port},sip")]);
        }
        command.args(["--enable-heuristic", "rtp_udp", "-T", "fields"]);
        fields.iter().for_each(|field| {
            command.args(["-e", field]);
        });
        let output =
            command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("tshark is not installed: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark fails: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
