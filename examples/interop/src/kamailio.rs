//! Kamailio as a stateful proxy that records its route, on UDP, TCP, TLS and WebSocket at once.

use crate::authority::{Authority, Files};
use crate::folder::Folder;
use crate::ports::Ports;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

/// The name in its certificate.
pub const NAME: &str = "proxy.example";

/// A running one.
#[derive(Debug)]
pub struct Kamailio {
    /// Where it takes UDP and TCP.
    pub plain: SocketAddr,
    /// Where it takes TLS.
    pub tls: SocketAddr,
    /// Where it takes WebSockets.
    pub websocket: SocketAddr,
    process: Process,
}

impl Kamailio {
    /// Starts one, with a certificate of this authority for [`NAME`], that believes this authority.
    pub fn start(folder: &Folder, ports: &Ports, authority: &Authority) -> Self {
        let (plain, tls, websocket) = (ports.address(), ports.address(), ports.address());
        let files = authority.files(folder, "kamailio", &[NAME]);
        let believed = authority.file(folder, "authority");
        let secrets = folder.write("tls.cfg", secrets(&files, &believed.display().to_string()));
        let config = CONFIG
            .replace("PLAIN", &plain.to_string())
            .replace("SECURE", &tls.to_string())
            .replace("WEBSOCKET", &websocket.to_string())
            .replace("SECRETS", &secrets.display().to_string());
        let config = folder.write("kamailio.cfg", config);
        let mut command = Command::new("kamailio");
        command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]).arg(config);
        command.arg("-P").arg(folder.file("kamailio.pid")).arg("-Y").arg(folder.path());
        let mut process = Process::start(&mut command, &folder.file("kamailio.log"));
        until("Kamailio's sockets", PATIENCE, || {
            assert!(process.ended().is_none(), "Kamailio ended:\n{}", process.output());
            [plain, tls, websocket].iter().all(|at| TcpStream::connect(at).is_ok()).then_some(())
        });
        Self { plain, tls, websocket, process }
    }

    /// Fails if it has ended, or found something wrong with what it was sent.
    ///
    /// # Panics
    ///
    /// Then.
    pub fn must_be_content(&mut self) {
        assert!(self.process.ended().is_none(), "Kamailio ended:\n{}", self.process.output());
        let output = self.process.output();
        let complaints: Vec<&str> =
            output.lines().filter(|line| line.contains("ERROR:") || line.contains("CRITICAL:")).collect();
        assert!(complaints.is_empty(), "Kamailio complains:\n{}", complaints.join("\n"));
    }

    /// What it has said.
    pub fn output(&self) -> String {
        self.process.output()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // It ends its children only when it is asked.
        self.process.signal("TERM");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while matches!(self.process.ended(), None) && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn secrets(files: &Files, believed: &str) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!(
        "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n\
         private_key = {key}\ncertificate = {certificate}\n\
         [client:default]\nmethod = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\nca_list = {believed}\n"
    )
}

const CONFIG: &str = r#"#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
tcp_connection_lifetime=3600
tcp_accept_no_cl=yes
auto_aliases=no
enable_tls=yes
listen=udp:PLAIN
listen=tcp:PLAIN
listen=tls:SECURE
listen=tcp:WEBSOCKET
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
loadmodule "tls.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
modparam("tls", "config", "SECRETS")
modparam("tm", "fr_timer", 3000)
modparam("usrloc", "db_mode", 0)
modparam("nathelper|registrar", "received_avp", "$avp(received)")

request_route {
    if (!mf_process_maxfwd_header("70")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) t_relay();
        exit;
    }
    if (has_totag()) {
        if (loose_route()) {
            handle_ruri_alias();
            t_relay();
        } else if (is_method("ACK")) {
            if (t_check_trans()) t_relay();
        } else {
            sl_send_reply("404", "Not Here");
        }
        exit;
    }
    t_check_trans();
    if (is_method("REGISTER")) {
        fix_nated_register();
        save("location", "0x04");
        exit;
    }
    if (is_method("INVITE")) {
        record_route();
        if (proto == WS) add_contact_alias();
        t_on_reply("BACK");
    }
    if (uri == myself) {
        if ($rU == $null) {
            sl_send_reply("200", "OK");
            exit;
        }
        if (!lookup("location")) {
            sl_send_reply("404", "Not Found");
            exit;
        }
    }
    if (!t_relay()) sl_reply_error();
}

onreply_route[BACK] {
    if (proto == WS) add_contact_alias();
}

event_route[xhttp:request] {
    if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade" && $rm =~ "GET") {
        if (ws_handle_handshake()) exit;
    }
    xhttp_reply("404", "Not Found", "", "");
}
"#;
