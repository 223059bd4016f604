//! Who is at the other end of a TLS connection: raw public keys (RFC 7250), which are node keys.

use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use identity::NodeId;
use rustls::{
    CertificateError, ClientConfig, ConnectionCommon, DigitallySignedStruct, DistinguishedName,
    Error, HandshakeKind, PeerMisbehaved, ServerConfig, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};

use super::ALPN;
use crate::EXPORTER_LABEL;

/// What stands before a seed in a private key (RFC 8410, 7).
const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// What stands before the key in an Ed25519 `SubjectPublicKeyInfo` (RFC 8410, 4).
const SPKI: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// How this node speaks TLS, as the one who dials and as the one who is dialled.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Keys {
    /// For the node with this seed and id.
    pub(super) fn new(seed: &[u8; 32], node: NodeId) -> Result<Self, Error> {
        let private = zeroize::Zeroizing::new([&PKCS8[..], seed].concat());
        let private = PrivatePkcs8KeyDer::from(private.as_slice());
        let key = ring::sign::any_eddsa_type(&private)?;
        let own = Arc::new(CertifiedKey::new(vec![spki(&node).into()], key));
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier);
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&own),
            )));
        client.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would not prove the keys anew; and nobody on the way is told whom we
        // look for.
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }
}

/// What a finished handshake has proved: who is at the other end, and the exporter value.
///
/// Asked of every connection, whatever the verifier was asked: a resumed session asks it nothing.
pub(super) fn proven<D>(session: &ConnectionCommon<D>) -> Result<(NodeId, [u8; 32]), String> {
    if session.alpn_protocol() != Some(ALPN) {
        return Err("it speaks another protocol".to_owned());
    }
    if session.handshake_kind() == Some(HandshakeKind::Resumed) {
        return Err("it has resumed an earlier session".to_owned());
    }
    let node = session.peer_certificates().and_then(|chain| match chain {
        [key] => node_of(key),
        _ => None,
    });
    let node = node.ok_or("it has shown no node key")?;
    let exporter = session
        .export_keying_material([0; 32], EXPORTER_LABEL, None)
        .map_err(|error| format!("no exporter: {error}"))?;
    Ok((node, exporter))
}

/// Under which name a node is dialled. It never leaves this process: it tells the verifier whom to
/// expect.
pub(super) fn name_of(node: &NodeId) -> Result<ServerName<'static>, String> {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let (first, second) = node.as_bytes().split_at(16);
    // A label has 63 characters at most.
    ServerName::try_from(format!("{}.{}.invalid", hex(first), hex(second)))
        .map_err(|error| error.to_string())
}

fn spki(node: &NodeId) -> Vec<u8> {
    [&SPKI[..], node.as_bytes()].concat()
}

/// The node whose key this is, if it is an Ed25519 key in its one form.
fn node_of(key: &CertificateDer<'_>) -> Option<NodeId> {
    let bytes = key.strip_prefix(&SPKI)?;
    Some(NodeId::from_bytes(bytes.try_into().ok()?))
}

/// Takes Ed25519 raw public keys and nothing else.
#[derive(Debug)]
struct Verifier;

impl Verifier {
    fn node(key: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<NodeId, Error> {
        node_of(key)
            .filter(|_| others.is_empty())
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    fn check(
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            let wrong = PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme;
            return Err(wrong.into());
        }
        let bad = || Error::InvalidCertificate(CertificateError::BadSignature);
        let node = Self::node(key, &[])?;
        let key = VerifyingKey::from_bytes(node.as_bytes()).map_err(|_| bad())?;
        let signature =
            ed25519_dalek::Signature::from_slice(signed.signature()).map_err(|_| bad())?;
        // The strict rule of `identity`, for the keys are the same.
        key.verify_strict(message, &signature).map_err(|_| bad())?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

/// TLS 1.2 is not offered, so this is not asked.
fn never() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(
        rustls::PeerIncompatible::Tls12NotOffered,
    ))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let node = Self::node(key, others)?;
        match name_of(&node) {
            Ok(shown) if shown == *name => Ok(ServerCertVerified::assertion()),
            _ => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::check(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::node(key, others)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::check(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
