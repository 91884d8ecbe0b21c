//! Sends OPTIONS and prints the answer: `options sip:127.0.0.1:5060;transport=tcp`. Over TLS it needs the certificate of
//! an authority to believe: `options sip:127.0.0.1:5061;transport=tls authority.pem`.
//!
//! The host must be an address. Exits with 0 when the answer is a 2xx.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use sip_core::header::{CallId, From, To};
use sip_core::uri::{SipUri, Uri};
use sip_core::{Method, Request, ident};
use sip_transaction::driver::rustls::RootCertStore;
use sip_transaction::driver::rustls::pki_types::{CertificateDer, pem::PemObject};
use sip_transaction::driver::{self, SocketConfig, Sockets, tls};
use sip_transaction::{Config, Endpoint, Event, Target, Transport};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(uri) = std::env::args().nth(1) else {
        eprintln!("usage: options sip:ADDRESS[:PORT][;transport=tcp|tls] [AUTHORITY]");
        return ExitCode::from(2);
    };
    match ask(&uri, std::env::args().nth(2)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Asks, prints the answer, and says whether it is a 2xx.
async fn ask(uri: &str, authority: Option<String>) -> Result<bool, Box<dyn Error>> {
    let uri: Uri = uri.parse()?;
    let Uri::Sip(sip) = &uri else { return Err("not a sip: URI".into()) };
    let target = target(sip)?;

    // One listener is enough: it is what our Via names, whatever the transport.
    let mut sockets = Sockets::new(SocketConfig::default());
    if let Some(authority) = authority {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority)? {
            roots.add(certificate?)?;
        }
        sockets.set_client_tls(tls::client_config(roots, None)?);
    }
    let mut endpoint = Endpoint::new(Config::default(), driver::seed()?);
    let listener = endpoint.add_listener(sockets.bind(Transport::Udp, (own_address(target.remote)?, 0).into())?);
    let local = endpoint.listener(listener).ok_or("no listener")?.local;
    let (handle, mut events) = driver::spawn(endpoint, sockets);

    let request = options(&uri, local)?;
    let id = handle.send_request(request, target).await??;
    while let Some(event) = events.recv().await {
        match event {
            Event::Response { id: answered, response, .. } if answered == id && response.status().is_final() => {
                print!("{}", String::from_utf8_lossy(&response.to_bytes()));
                return Ok(response.status().is_success());
            }
            Event::ClientFailed { reason, .. } => return Err(reason.into()),
            _ => {}
        }
    }
    Err("the endpoint has stopped".into())
}

/// Where the URI leads (RFC 3263 for numeric hosts).
fn target(uri: &SipUri) -> Result<Target, Box<dyn Error>> {
    let transport = match uri.params.value("transport") {
        Some(token) => Transport::from_token(token).ok_or("unknown transport")?,
        None => Transport::Udp,
    };
    let address = uri.host.ip().ok_or("the host must be an address")?;
    Ok(Target::new(transport, SocketAddr::new(address, uri.port.unwrap_or(transport.default_port()))))
}

/// The address that the system would send from.
fn own_address(remote: SocketAddr) -> std::io::Result<std::net::IpAddr> {
    let unspecified: SocketAddr = if remote.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let probe = std::net::UdpSocket::bind(unspecified)?;
    probe.connect(remote)?;
    Ok(probe.local_addr()?.ip())
}

fn options(uri: &Uri, local: SocketAddr) -> Result<Request, Box<dyn Error>> {
    let mut random = ChaCha12Rng::from_seed(driver::seed()?);
    let tag = String::from_utf8(ident::tag(&mut random).to_vec())?;
    let from: From = format!("<sip:options@{local}>;tag={tag}").parse()?;
    let to: To = format!("<{uri}>").parse()?;
    let call_id = CallId(ident::call_id(&mut random));
    Ok(Request::builder(Method::Options, uri, &from, &to, &call_id, 1).build())
}
