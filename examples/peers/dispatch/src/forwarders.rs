//! The forwarders.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use peers_kit::{Program, folder};

/// Kamailio: dispatcher algorithm 0 and `forward()`, one child.
pub fn kamailio(front: SocketAddr, back: &[SocketAddr], tcp: bool) -> Program {
    let mut list = String::new();
    for address in back {
        let transport = if tcp { ";transport=tcp" } else { "" };
        writeln!(list, "1 sip:{address}{transport} 0 0").expect("a string");
    }
    let transports = if tcp {
        format!("listen=tcp:{front}\ntcp_children=1\n")
    } else {
        format!("listen=udp:{front}\ndisable_tcp=yes\n")
    };
    let config = format!(
        "{transports}\
         loadmodule \"pv.so\"\nloadmodule \"tm.so\"\nloadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\", \"list_file\", \"FOLDER/list\")\n\
         request_route {{\n  ds_select_dst(\"1\", \"0\");\n  forward();\n}}\n"
    );
    Program::kamailio(&config, &[("list", &list)])
}

/// Ours.
pub fn ours(program: &Path, front: SocketAddr, back: &[SocketAddr], tcp: bool, shards: usize) -> Program {
    let folder = folder("ours");
    let transport = if tcp { "tcp" } else { "udp" };
    let mut config = format!(
        "[sip]\n{transport} = [\"{front}\"]\nshards = {shards}\nrecord_route = false\n[probe]\nenabled = false\n[[set]]\nname = \"all\"\n"
    );
    for address in back {
        writeln!(config, "[[set.destination]]\naddress = \"{address}\"\ntransport = \"{transport}\"")
            .expect("a string");
    }
    let file = folder.join("dispatcher.toml");
    std::fs::write(&file, config).expect("a file");
    let mut command = Command::new(program);
    command.arg("--config").arg(file).args(["--log", "warn"]);
    Program::start(&mut command, folder)
}

/// Nothing but sockets.
pub fn floor(front: SocketAddr, back: SocketAddr) -> Program {
    Program::this(&["floor", &front.to_string(), &back.to_string()])
}
