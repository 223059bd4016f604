//! Software of somebody else that speaks TLS, and the chunks of a link as docs/spec/link.md has
//! them.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureAlgorithm,
    SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{
        CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
    },
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, Signer, SigningKey},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use transport::{Event, Events, LinkId, tls::Tls};

use super::{ALPN, GUARD, address, next};

const PREAMBLE: &[u8; 8] = b"waylink0";

/// The kinds of chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data = 0,
    More = 1,
    Alive = 2,
    Close = 3,
}

fn spki(public: &[u8; 32]) -> Vec<u8> {
    [
        b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
        &public[..],
    ]
    .concat()
}

/// Signs with one key and shows that of another seed.
pub(super) fn key(signs: [u8; 32], shows: [u8; 32]) -> Arc<CertifiedKey> {
    let before = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let der = PrivatePkcs8KeyDer::from([&before[..], &signs].concat());
    let key = ring::sign::any_eddsa_type(&der).expect("a key");
    let node = identity::SecretKey::from_seed(shows).node_id();
    let chain = vec![CertificateDer::from(spki(node.as_bytes()))];
    Arc::new(CertifiedKey::new(chain, key))
}

/// Shows the point of order one, and signs with what is a signature of everything under it.
pub(super) fn weak() -> Arc<CertifiedKey> {
    let mut point = [0; 32];
    point[0] = 1;
    let chain = vec![CertificateDer::from(spki(&point))];
    Arc::new(CertifiedKey::new(chain, Arc::new(Everything)))
}

#[derive(Debug)]
struct Everything;

impl SigningKey for Everything {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }
}

impl Signer for Everything {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let mut signature = vec![0; 64];
        signature[0] = 1;
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Believes everybody.
#[derive(Debug)]
struct Credulous;

fn fine() -> Result<HandshakeSignatureValid, rustls::Error> {
    Ok(HandshakeSignatureValid::assertion())
}

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        fine()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        fine()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Credulous {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        fine()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        fine()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Knows what a raw public key is, and has none.
#[derive(Debug)]
pub(super) struct NoKey;

impl ResolvesClientCert for NoKey {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Somebody who dials with this key.
pub(super) fn client(key: Arc<CertifiedKey>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has it")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

/// Somebody who offers nothing newer than TLS 1.2.
pub(super) fn old() -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .expect("the provider has it")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

/// Somebody who is dialled, with this key.
pub(super) fn server(key: Arc<CertifiedKey>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has it")
        .with_client_cert_verifier(Arc::new(Credulous))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

/// The name under which a node is dialled; it means nothing.
pub(super) fn to(_: &Tls) -> ServerName<'static> {
    ServerName::try_from("somebody.invalid").expect("a name")
}

/// As far as TLS for the one who dials.
pub(super) async fn connect(node: &Tls, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address(node)).await.expect("reached");
    let connector = TlsConnector::from(Arc::new(config));
    timeout(GUARD, connector.connect(to(node), stream))
        .await
        .expect("it does not hang")
}

/// As far as the first byte of the node, which it sends when it has accepted the other's key.
pub(super) async fn shake(node: &Tls, config: ClientConfig) -> io::Result<()> {
    let mut stream = connect(node, config).await?;
    let read = timeout(GUARD, stream.read_u8())
        .await
        .expect("it does not hang");
    read.map(drop)
}

/// One end of a link.
pub(super) struct Stranger<S>(S);

impl Stranger<TlsStream<TcpStream>> {
    /// A link with a node, made by dialling it.
    pub(super) async fn linked(node: &Tls, events: &mut Events) -> (Self, LinkId) {
        let stream = connect(node, client(key([200; 32], [200; 32]))).await;
        Self::over(stream.expect("a session"), events).await
    }

    pub(super) fn into_inner(self) -> TlsStream<TcpStream> {
        self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stranger<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(stream)
    }

    /// A link over a connection.
    pub(super) async fn over(stream: S, events: &mut Events) -> (Self, LinkId) {
        let mut stranger = Self(stream);
        stranger.say(Kind::Data, PREAMBLE).await;
        assert_eq!(stranger.hear().await, (Kind::Data, PREAMBLE.to_vec()));
        loop {
            match next(events).await {
                Event::Up { link, node, .. } => {
                    let own = identity::SecretKey::from_seed([200; 32]).node_id();
                    assert_eq!(node, own);
                    return (stranger, link);
                }
                Event::Down { .. } | Event::Frame { .. } => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    /// Says a chunk.
    pub(super) async fn say(&mut self, kind: Kind, body: &[u8]) {
        let length = u16::try_from(body.len()).expect("short").to_be_bytes();
        let head = [kind as u8, length[0], length[1]];
        self.raw(&[&head[..], body].concat()).await;
    }

    /// Says anything at all.
    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        let said = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        // The node may have ended the link.
        let _ = timeout(GUARD, said).await.expect("the node reads");
    }

    /// Ends TLS as TLS is ended.
    pub(super) async fn shutdown(&mut self) {
        self.0.shutdown().await.expect("it is open");
    }

    /// The next chunk that is more than a sign of life.
    pub(super) async fn hear(&mut self) -> (Kind, Vec<u8>) {
        timeout(GUARD, async {
            loop {
                let mut head = [0; 3];
                self.0.read_exact(&mut head).await.expect("a chunk");
                let kind = match head[0] {
                    0 => Kind::Data,
                    1 => Kind::More,
                    2 => Kind::Alive,
                    3 => Kind::Close,
                    other => panic!("kind {other}"),
                };
                let mut body = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
                self.0.read_exact(&mut body).await.expect("a chunk");
                if kind != Kind::Alive {
                    return (kind, body);
                }
            }
        })
        .await
        .expect("it says something")
    }

    /// The node has ended the connection.
    pub(super) async fn gone(&mut self) {
        super::ended(&mut self.0).await;
    }

    /// The code with which the node closes.
    pub(super) async fn goodbye(&mut self) -> u32 {
        loop {
            if let (Kind::Close, body) = self.hear().await {
                return u32::from_be_bytes(*body.first_chunk().expect("a code"));
            }
        }
    }
}
