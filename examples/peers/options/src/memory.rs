//! What an idle connection holds: the slope between few and many.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use peers_kit::Program;
use sip_transaction::driver::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use sip_transaction::driver::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use sip_transaction::driver::tls::{self, ClientCertificates};

const FRONT: &str = "127.0.0.1:15971";

/// Where the servers find the certificate that the clients know.
const CERTIFICATE: &str = "PEERS_CERTIFICATE";
const KEY: &str = "PEERS_KEY";

/// The certificate of the server, which was made by whoever started it.
pub fn certificate() -> Arc<ServerConfig> {
    raise();
    let text = |name| std::env::var(name).expect("a certificate");
    let chain = vec![CertificateDer::from_pem_slice(text(CERTIFICATE).as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(text(KEY).as_bytes()).expect("a key");
    tls::server_config(chain, key, ClientCertificates::Ignored).expect("a certificate")
}

/// As many descriptors as may be, here and in what is started from here.
fn raise() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

enum Client {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    /// Connects, and has one OPTIONS answered: that is what connections have behind them that are idle.
    fn open(front: SocketAddr, number: usize, tls: Option<&Arc<ClientConfig>>) -> Self {
        let stream = TcpStream::connect(front).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a connection");
        let local = stream.local_addr().expect("an address");
        let transport = if tls.is_some() { "TLS" } else { "TCP" };
        let request = format!(
            "OPTIONS sip:bob@{front} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@example.com>;tag={number}\r\nTo: <sip:bob@example.com>\r\nCall-ID: {number}@example.com\r\n\
             CSeq: 1 OPTIONS\r\nContact: <sip:alice@{local}>\r\nContent-Length: 0\r\n\r\n"
        );
        let mut client = match tls {
            None => Self::Plain(stream),
            Some(config) => {
                let name = ServerName::try_from("peers.example").expect("a name");
                let session = ClientConnection::new(config.clone(), name).expect("a session");
                Self::Encrypted(Box::new(StreamOwned::new(session, stream)))
            }
        };
        let mut answer = [0; 2_048];
        let length = match &mut client {
            Self::Plain(stream) => ask(stream, request.as_bytes(), &mut answer),
            Self::Encrypted(stream) => ask(stream, request.as_bytes(), &mut answer),
        };
        assert!(answer[..length].starts_with(b"SIP/2.0 200"), "no answer");
        client
    }
}

fn ask(stream: &mut (impl Read + Write), request: &[u8], answer: &mut [u8]) -> usize {
    stream.write_all(request).expect("a connection");
    stream.flush().expect("a connection");
    stream.read(answer).expect("an answer")
}

/// Prints the slopes.
pub fn compare(few: usize, many: usize) {
    raise();
    let front: SocketAddr = FRONT.parse().expect("an address");
    let made = rcgen::generate_simple_self_signed(vec!["peers.example".to_owned()]).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let tls = tls::client_config(roots, None).expect("a configuration");
    println!("| who | {few} connections, kB | {many} connections, kB | a connection, kB |\n|---|---|---|---|");
    for (who, encrypted) in [("ours", false), ("ours", true), ("Kamailio 5.6", false)] {
        let tls = encrypted.then_some(&tls);
        let name = if encrypted { "TLS" } else { "TCP" };
        let server = if who == "ours" {
            // What is started takes our surroundings with it.
            let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
            command
                .args(["serve", &name.to_lowercase(), FRONT])
                .env(CERTIFICATE, made.cert.pem())
                .env(KEY, made.signing_key.serialize_pem());
            Program::start(&mut command, peers_kit::folder("memory"))
        } else {
            let config = format!(
                "listen=tcp:{FRONT}\ntcp_children=1\ntcp_max_connections=20000\ntcp_connection_lifetime=3600\n\
                 open_files_limit=20000\nloadmodule \"sl.so\"\nrequest_route {{\n  sl_reply(\"200\", \"OK\");\n}}\n"
            );
            Program::kamailio(&config, &[])
        };
        server.wait(front, true);
        let mut clients = Vec::with_capacity(many);
        let mut held = |until: usize| {
            while clients.len() < until {
                clients.push(Client::open(front, clients.len(), tls));
            }
            // Transactions end.
            std::thread::sleep(Duration::from_secs(3));
            let memory = server.rollup();
            memory.own + memory.shared
        };
        let (first, last) = (held(few), held(many));
        println!("| {who}, {name} | {first} | {last} | {:.1} |", (last as f64 - first as f64) / (many - few) as f64);
    }
}
