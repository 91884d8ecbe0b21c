//! An authority for certificates, made on the spot, for us and as files for others.

use crate::folder::Folder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use sip_transaction::driver::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sip_transaction::driver::rustls::{ClientConfig, RootCertStore, ServerConfig};
use sip_transaction::driver::tls::{self, ClientCertificates};
use std::path::PathBuf;
use std::sync::Arc;

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key as files.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// Both in one file.
    pub both: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When none can be made.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, "an authority for a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    /// Its own certificate as a file.
    pub fn file(&self, folder: &Folder, name: &str) -> PathBuf {
        folder.write(&format!("{name}.pem"), self.0.pem())
    }

    fn certify(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, "a server");
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) if name.starts_with("sip:") => SanType::URI((*name).try_into().expect("a URI")),
                Err(_) => SanType::DnsName((*name).try_into().expect("a name")),
            })
            .collect();
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("a certificate"), key)
    }

    /// A certificate for DNS names, `sip:` URIs and addresses, as files.
    pub fn files(&self, folder: &Folder, name: &str, names: &[&str]) -> Files {
        let (certificate, key) = self.certify(names);
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        Files {
            both: folder.write(&format!("{name}.both.pem"), format!("{certificate}{key}")),
            certificate: folder.write(&format!("{name}.pem"), certificate),
            key: folder.write(&format!("{name}.key"), key),
        }
    }

    /// A certificate for a server of ours.
    ///
    /// # Panics
    ///
    /// When rustls does not take it.
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (certificate, key) = self.certify(names);
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        tls::server_config(chain, key, ClientCertificates::Ignored).expect("a configuration")
    }

    /// What a client of ours believes: this authority.
    ///
    /// # Panics
    ///
    /// When rustls does not take it.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("an authority");
        tls::client_config(roots, None).expect("a configuration")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
