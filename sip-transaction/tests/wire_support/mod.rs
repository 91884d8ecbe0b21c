//! Endpoints on loopback with certificates of an authority made on the spot.
#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use sip_transaction::driver::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sip_transaction::driver::rustls::{ClientConfig, RootCertStore, ServerConfig};
use sip_transaction::driver::tls::{self, ClientCertificates};
use sip_transaction::driver::{Events, Handle};
use sip_transaction::{ClientId, CloseReason, Event, Failure};
use tokio::time::timeout;

use crate::support::response;

/// Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for DNS names, `sip:` URIs and addresses.
    pub fn certify(&self, names: &[&str]) -> Chain {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) if name.starts_with("sip:") => SanType::URI((*name).try_into().unwrap()),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let chain = vec![certificate.der().clone()];
        (chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (chain, key) = self.certify(names);
        tls::server_config(chain, key, ClientCertificates::Ignored).unwrap()
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        tls::client_config(self.roots(), None).unwrap()
    }
}

/// Answers everything with 200 in the background.
pub fn answer(handle: Handle, mut events: Events) {
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Request { id, request, .. } = event {
                let _ = handle.respond(id, response(&request, 200)).await;
            }
        }
    });
}

pub async fn next(events: &mut Events) -> Event {
    timeout(PATIENCE, events.recv()).await.expect("nothing happened").expect("the loop ended")
}

/// How a request ended: its final status, or why it failed and why its connection closed.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    Failed(Failure, Option<CloseReason>),
}

pub async fn outcome(events: &mut Events, id: ClientId) -> Outcome {
    let mut closed = None;
    loop {
        match next(events).await {
            Event::Response { id: answered, response, .. } if answered == id && response.status().is_final() => {
                return Outcome::Status(response.status().as_u16());
            }
            Event::ConnectionClosed { reason, .. } => closed = Some(reason),
            Event::ClientFailed { id: failed, reason } if failed == id => return Outcome::Failed(reason, closed),
            _ => {}
        }
    }
}
