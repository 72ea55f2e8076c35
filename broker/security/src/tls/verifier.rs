//! Whose certificate is good: a client's to a listener, and another broker's to this one when it dials.
//! Core.
//!
//! Beside chains that end at a trusted certificate, a certificate that is itself in the trust store is good, as in
//! Java; here it must be in date too, where Java takes it after its end.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates a peer may send behind its own: more are no chain but work for us (RUSTSEC-2023-0053).
const INTERMEDIATES_MAX: usize = 10;

/// What `ssl.client.auth` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    None,
    Requested,
    Required,
}

/// The trusted certificates, as anchors and by themselves.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    anchors: Arc<RootCertStore>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl Trust {
    /// The error says which certificate cannot be an anchor.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Trust, String> {
        let mut anchors = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            anchors
                .add(certificate.clone())
                .map_err(|bad| format!("certificate {} cannot be trusted: {bad}", index + 1))?;
        }
        assert!(anchors.len() == certificates.len(), "each certificate is an anchor");
        Ok(Trust { anchors: Arc::new(anchors), certificates: certificates.into() })
    }

    /// Whether the certificate itself is trusted; an error when it is and is out of date.
    fn holds(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        if !self.certificates.iter().any(|trusted| trusted.as_ref() == certificate.as_ref()) {
            return Ok(false);
        }
        in_date(certificate, now).map(|()| true)
    }
}

/// Refuses a certificate before its begin and after its end.
pub(super) fn in_date(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let Ok((_rest, parsed)) = X509Certificate::from_der(certificate) else {
        return Err(CertificateError::BadEncoding.into());
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

fn is_short(intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
    match intermediates.len() > INTERMEDIATES_MAX {
        true => Err(Error::General(format!("a chain of more than {INTERMEDIATES_MAX} certificates"))),
        false => Ok(()),
    }
}

/// Checks the certificates of clients.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    trust: Trust,
    by_chain: Arc<dyn ClientCertVerifier>,
}

impl ClientVerifier {
    pub fn new(
        trust: Trust,
        auth: ClientAuth,
        provider: Arc<CryptoProvider>,
    ) -> Result<ClientVerifier, String> {
        assert!(auth != ClientAuth::None, "who asks for no certificate checks none");
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&trust.anchors), provider);
        let builder = match auth {
            ClientAuth::Required => builder,
            _ => builder.allow_unauthenticated(),
        };
        let by_chain = builder.build().map_err(|bad| bad.to_string())?;
        Ok(ClientVerifier { trust, by_chain })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.by_chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.by_chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        is_short(intermediates)?;
        if self.trust.holds(leaf, now)? {
            return Ok(ClientCertVerified::assertion());
        }
        self.by_chain.verify_client_cert(leaf, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

/// Checks the certificate of a broker that is dialled.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    pub trust: Trust,
    /// `ssl.endpoint.identification.algorithm`: whether the name must be that of the certificate.
    pub checks_name: bool,
    pub provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        is_short(intermediates)?;
        let parsed = ParsedCertificate::try_from(leaf)?;
        if !self.trust.holds(leaf, now)? {
            let algorithms = self.provider.signature_verification_algorithms.all;
            let anchors = &self.trust.anchors;
            verify_server_cert_signed_by_trust_anchor(&parsed, anchors, intermediates, now, algorithms)?;
        }
        if self.checks_name {
            verify_server_name(&parsed, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
