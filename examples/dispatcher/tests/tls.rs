//! TLS in front and behind, with certificates of an authority made on the spot.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use dispatcher::{Config, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use support::{PATIENCE, answer, free, invite};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into().unwrap()),
        }];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let (certificate, key) = self.certify(name);
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        Arc::new(builder.with_no_client_auth())
    }
}

/// A server that answers every request that comes down TLS, and tells of each.
fn serve(config: Arc<ServerConfig>) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let told = told.clone();
            std::thread::spawn(move || {
                let (mut buffer, mut text) = ([0; 4_096], String::new());
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
                    // Requests of the test end with their body.
                    while let Some((request, rest)) = text.split_once("\r\n\r\nabc") {
                        stream.write_all(answer(request).as_bytes()).unwrap();
                        let _ = told.send(request.to_owned());
                        text = rest.to_owned();
                    }
                }
            });
        }
    });
    (address, requests)
}

struct Scene {
    front: SocketAddr,
    server: Server,
    _folder: tempfile::TempDir,
}

/// A dispatcher that listens for TLS, in front of one destination.
async fn dispatcher(authority: &Authority, destination: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (certificate, key) = authority.certify("127.0.0.1");
    let certificate = write("certificate.pem", certificate.pem());
    let key = write("key.pem", key.serialize_pem());
    let authorities = write("authorities.pem", authority.0.pem());
    let front = free();
    let text = format!(
        "[sip]\ntls = [\"{front}\"]\ncertificate = {certificate:?}\nkey = {key:?}\nauthorities = {authorities:?}\n\
         [probe]\nenabled = false\ndown = 1\n[[set]]\nname = \"all\"\n[[set.destination]]\nname = \"a\"\n{destination}\n"
    );
    let path = write("dispatcher.toml", text);
    let server = Server::start(Config::read(Path::new(&path)).unwrap(), Some(path)).await.unwrap();
    Scene { front, server, _folder: folder }
}

/// What a caller hears of its call.
fn call(authority: &Authority, front: SocketAddr, id: &str) -> String {
    let stream = TcpStream::connect(front).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let local = stream.local_addr().unwrap();
    let name = ServerName::IpAddress(front.ip().into());
    let mut stream = StreamOwned::new(ClientConnection::new(authority.client(), name).unwrap(), stream);
    stream.write_all(invite(id, local, "TLS").as_bytes()).unwrap();
    let mut buffer = [0; 4_096];
    let length = stream.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_by_tls_in_front_and_behind_and_its_answer_comes_back() {
    let authority = Arc::new(Authority::new());
    let (address, requests) = serve(authority.server("127.0.0.1"));
    let scene = dispatcher(&authority, &format!("address = \"{address}\"\ntransport = \"tls\"")).await;
    let front = scene.front;
    let heard = tokio::task::spawn_blocking(move || call(&authority, front, "secret")).await.unwrap();
    assert!(heard.starts_with("SIP/2.0 200 OK\r\n") && heard.contains("Call-ID: secret"), "{heard}");
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert!(request.contains("\r\nVia: SIP/2.0/TLS ") || request.contains("\r\nv: SIP/2.0/TLS "), "{request}");
    assert_eq!(request.matches("SIP/2.0/TLS").count(), 2, "{request}");
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_must_have_the_name_that_is_configured_in_a_certificate_of_the_authority() {
    let authority = Arc::new(Authority::new());
    let (named, requests) = serve(authority.server("pbx.example.com"));
    let (strange, nothing) = serve(Authority::new().server("pbx.example.com"));
    let line = |address: SocketAddr, more: &str| format!("address = \"{address}\"\ntransport = \"tls\"\n{more}");
    let right = "certificate = \"pbx.example.com\"";
    for (destination, works) in [(line(named, right), true), (line(named, ""), false), (line(strange, right), false)] {
        let scene = dispatcher(&authority, &destination).await;
        let (front, known) = (scene.front, authority.clone());
        if works {
            let heard = tokio::task::spawn_blocking(move || call(&known, front, "named")).await.unwrap();
            assert!(heard.starts_with("SIP/2.0 200 OK\r\n"), "{heard}");
            assert!(requests.recv_timeout(PATIENCE).is_ok());
        } else {
            // Nothing is said down a connection whose other end is a stranger: the destination is found dead instead.
            let calling = std::thread::spawn(move || {
                let stream = TcpStream::connect(front).unwrap();
                let local = stream.local_addr().unwrap();
                let name = ServerName::IpAddress(front.ip().into());
                let mut stream = StreamOwned::new(ClientConnection::new(known.client(), name).unwrap(), stream);
                stream.write_all(invite("strange", local, "TLS").as_bytes()).unwrap();
                stream
            });
            let _stream = tokio::task::spawn_blocking(move || calling.join().unwrap()).await.unwrap();
            let is_dead = async {
                while scene.server.control().status().await.destinations[0].alive {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(PATIENCE, is_dead).await.expect("the destination to be found dead");
        }
        scene.server.stop().await;
    }
    assert!(requests.try_recv().is_err() && nothing.try_recv().is_err());
}
