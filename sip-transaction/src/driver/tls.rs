//! TLS for SIP (RFC 3261 §26.2.1): whom a certificate speaks for (RFC 5922), and configurations of rustls that ask that.
//!
//! [`Sockets`](super::Sockets) take any configuration of [rustls]. Those made here name their cryptography explicitly,
//! speak TLS 1.2 and 1.3, and check names as SIP does; certificates are renewed by handing a new configuration to
//! [`Sockets::set_server_tls`](super::Sockets::set_server_tls) or [`Sockets::set_client_tls`](super::Sockets::set_client_tls).

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Why a configuration cannot be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The certificate, its key or the protocol versions are not usable.
    #[error("not a usable certificate or key: {0}")]
    Tls(#[from] rustls::Error),
    /// The authorities of clients are not usable.
    #[error("not usable authorities: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// Whether a server asks its clients for certificates (mutual TLS).
#[derive(Debug, Clone)]
pub enum ClientCertificates {
    /// It does not.
    Ignored,
    /// It asks, and a client that has none is served too, but is not told as
    /// [authenticated](crate::Event::ConnectionAuthenticated). One that shows a bad one is not.
    Asked(RootCertStore),
    /// Who has no certificate of these authorities is not served.
    Required(RootCertStore),
}

/// The cryptography: of ring, or of AWS-LC with the feature `aws-lc-rs`.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// A configuration for listeners: our certificate with those up to its authority, its key, and what clients must show.
///
/// # Errors
/// When the certificate and the key are not usable together, or there are no authorities to check clients with.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: ClientCertificates,
) -> Result<Arc<ServerConfig>, ConfigError> {
    let provider = provider();
    let verifier = |roots: RootCertStore| WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let clients = match clients {
        ClientCertificates::Ignored => WebPkiClientVerifier::no_client_auth(),
        ClientCertificates::Asked(roots) => verifier(roots).allow_unauthenticated().build()?,
        ClientCertificates::Required(roots) => verifier(roots).build()?,
    };
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// A configuration for connections that we open: the authorities that we believe, and our certificate for servers that
/// ask for one. Servers must prove to have the [name](crate::Destination::named) of the destination (RFC 5922 §7.3).
///
/// # Errors
/// When the certificate and the key are not usable together.
pub fn client_config(
    roots: RootCertStore,
    certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>, ConfigError> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(DomainVerifier::new(roots, provider)));
    let config = match certificate {
        Some((chain, key)) => config.with_client_auth_cert(chain, key)?,
        None => config.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// The SIP domains that a certificate is for (RFC 5922 §7.1): the hosts of its `sip` URIs that name no user, and if
/// there are none, its DNS names. The subject's common name does not count. Lower case, and none twice.
#[must_use]
pub fn identities(certificate: &CertificateDer<'_>) -> Vec<Arc<str>> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let mut names: Vec<Arc<str>> = certificate.valid_uri_names().filter_map(domain_of_uri).map(Arc::from).collect();
    if names.is_empty() {
        names = certificate.valid_dns_names().map(|name| name.to_ascii_lowercase().into()).collect();
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The host of a `sip` URI without a user.
fn domain_of_uri(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host = rest.split([';', '?', ':']).next().unwrap_or_default();
    (!host.is_empty() && !host.starts_with('[')).then(|| host.to_ascii_lowercase())
}

/// Checks servers as RFC 5922 §7.3 asks: a chain up to a known authority, for a name that stands in the certificate in
/// whole. Wildcards match nothing (§7.2). An address is checked against the addresses in the certificate.
#[derive(Debug)]
pub struct DomainVerifier {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl DomainVerifier {
    /// A verifier that believes these authorities.
    #[must_use]
    pub const fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Self {
        Self { roots, provider }
    }
}

impl ServerCertVerifier for DomainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        let ServerName::DnsName(name) = server_name else {
            verify_server_name(&certificate, server_name)?;
            return Ok(ServerCertVerified::assertion());
        };
        let name = name.as_ref().strip_suffix('.').unwrap_or(name.as_ref());
        if identities(end_entity).iter().any(|identity| name.eq_ignore_ascii_case(identity)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The server's side of a handshake, and the names that the client has proven; `None` when it showed no certificate.
pub(super) async fn accept(
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> std::io::Result<(server::TlsStream<TcpStream>, Option<Vec<Arc<str>>>)> {
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let (_, session) = stream.get_ref();
    let names = session.peer_certificates().and_then(|chain| chain.first()).map(identities);
    Ok((stream, names))
}

/// The client's side of a handshake with a server that must have a name, or this address.
pub(super) async fn connect(
    config: Arc<ClientConfig>,
    stream: TcpStream,
    name: Option<&str>,
    address: SocketAddr,
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let name = match name {
        Some(name) => ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?,
        None => ServerName::IpAddress(address.ip().to_canonical().into()),
    };
    TlsConnector::from(config).connect(name, stream).await
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn names(uris: &[&str], dns: &[&str]) -> Vec<String> {
        let mut params = CertificateParams::new(dns.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI(uri.to_string().try_into().unwrap())));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        identities(certificate.der()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sip_uris_without_a_user_are_identities_and_dns_names_only_where_there_are_none() {
        assert_eq!(names(&["sip:Example.com", "im:other.example"], &["dns.example"]), ["example.com"]);
        assert_eq!(names(&["SIP:example.com:5061;transport=tls"], &[]), ["example.com"]);
        // Not sips, and not a user: so the DNS names count.
        assert_eq!(names(&["sips:example.com", "sip:alice@example.com"], &["dns.example"]), ["dns.example"]);
        assert_eq!(names(&[], &["B.example", "a.example", "b.example"]), ["a.example", "b.example"]);
        assert_eq!(names(&["sip:[2001:db8::1]", "sip:"], &[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_a_certificate_has_no_identities() {
        assert!(identities(&CertificateDer::from(&b"\x30\x03\x02\x01\x00"[..])).is_empty());
    }
}
