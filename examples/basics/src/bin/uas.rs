//! Answers whatever comes, over UDP and TCP: `uas 127.0.0.1:5070`. With a certificate and its key also over TLS, at the
//! next port: `uas 127.0.0.1:5070 certificate.pem key.pem`.
//!
//! Calls are busy, everything else is 200. (Who wants to take calls uses the agent, which keeps dialogs.)
#![expect(clippy::disallowed_methods, reason = "a program owns the clock")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Instant;

use sip_core::{Method, Response, StatusCode};
use sip_transaction::driver::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sip_transaction::driver::tls::{self, ClientCertificates};
use sip_transaction::driver::{self, Arrival, SocketConfig, Sockets};
use sip_transaction::{Config, Endpoint, Event, Transport};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:5070").parse()?;
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(Config::default(), driver::seed()?);
    let udp = sockets.bind(Transport::Udp, address)?;
    // With port 0 the system chooses one for UDP, which TCP shares.
    let local = udp.local;
    endpoint.add_listener(udp);
    endpoint.add_listener(sockets.bind(Transport::Tcp, local)?);
    if let (Some(certificate), Some(key)) = (arguments.next(), arguments.next()) {
        let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
        let config = tls::server_config(chain, PrivateKeyDer::from_pem_file(key)?, ClientCertificates::Ignored)?;
        let secure = SocketAddr::new(local.ip(), local.port() + 1);
        endpoint.add_listener(sockets.bind_tls(Transport::Tls, secure, config)?);
    }
    println!("listening on {local}");

    loop {
        while let Some(output) = endpoint.poll_output() {
            if let Some(event) = sockets.transmit(output) {
                answer(&mut endpoint, event);
            }
        }
        tokio::select! {
            arrival = sockets.recv() => match arrival {
                Arrival::Input(input) => endpoint.handle_input(Instant::now(), input),
                Arrival::Connection(incoming) => {
                    let (listener, local, remote) = (incoming.listener(), incoming.local(), incoming.remote());
                    let id = endpoint.accept(Instant::now(), listener, local, remote);
                    sockets.attach(incoming, id.ok());
                }
            },
            () = driver::sleep_until(endpoint.poll_timeout()) => endpoint.handle_timeout(Instant::now()),
        }
    }
}

/// All the policy that there is.
fn answer(endpoint: &mut Endpoint, event: Event) {
    if let Event::Request { id, request, source, .. } = event {
        let status = if *request.method() == Method::Invite { StatusCode::BUSY_HERE } else { StatusCode::OK };
        println!("{} from {}: {}", request.method(), source.remote, status.as_u16());
        let response = Response::to(&request, status).to_tag(b"uas").build();
        // Nothing that others send may stop the program.
        if let Err(error) = endpoint.respond(Instant::now(), id, response) {
            eprintln!("not answered: {error}");
        }
    }
}
