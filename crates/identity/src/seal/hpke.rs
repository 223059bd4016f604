//! Sealing to a public key: HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! ChaCha20-Poly1305.
//!
//! Every use has a name and fields: info = `"waystation v1 "` + name ‖ fields, so that something
//! sealed for one purpose opens for no other. Base mode says nothing about the sender; what needs
//! an author is signed beside it. A key with which the shared secret would be zero is refused.

use core::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use machine::Rng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{NotOpened, PREFIX};
use crate::names::SealingKey;

type Suite = X25519HkdfSha256;

/// Bytes of an encapsulated key.
pub const ENC_LEN: usize = 32;

/// Nothing can be sealed to this key: every shared secret with it is zero. Its owner's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("nothing can be sealed to this key: it is a point of small order")]
pub struct BadKey;

/// An X25519 secret key. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct HpkeSecret(Zeroizing<[u8; 32]>);

impl HpkeSecret {
    /// A fresh key.
    pub fn generate(rng: &mut Rng) -> Self {
        let seed = Zeroizing::new(rng.array::<32>());
        derive_key_pair(&seed).0
    }

    /// Takes a kept secret as it is.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret, to be kept where nobody else can read it.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The public half.
    pub fn public(&self) -> SealingKey {
        let public = Suite::sk_to_pk(&self.inner());
        SealingKey::from_bytes(public.to_bytes().into())
    }

    fn inner(&self) -> <Suite as Kem>::PrivateKey {
        <Suite as Kem>::PrivateKey::from_bytes(&self.0[..])
            // The only condition is the length.
            .expect("any 32 bytes are an X25519 secret")
    }
}

impl fmt::Debug for HpkeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HpkeSecret(of {:?})", self.public())
    }
}

/// DeriveKeyPair of RFC 9180 §7.1.3: the same seed gives the same pair.
pub fn derive_key_pair(seed: &[u8; 32]) -> (HpkeSecret, SealingKey) {
    let derive = || {
        let (secret, public) = Suite::derive_keypair(seed);
        (secret.to_bytes().into(), public.to_bytes().into())
    };
    #[cfg(feature = "remember")]
    let (secret, public) = crate::remember::or_derive(seed, derive);
    #[cfg(not(feature = "remember"))]
    let (secret, public) = derive();
    (
        HpkeSecret::from_bytes(secret),
        SealingKey::from_bytes(public),
    )
}

/// Seals `plain` to a key; gives the encapsulated key and the ciphertext (16 bytes longer).
pub fn seal(
    to: &SealingKey,
    name: &str,
    fields: &[&[u8]],
    aad: &[u8],
    plain: &[u8],
    rng: &mut Rng,
) -> Result<([u8; ENC_LEN], Vec<u8>), BadKey> {
    let (enc, mut context) = sender(to, name, fields, rng)?;
    let sealed = context.seal(plain, aad).map_err(|_| BadKey)?;
    Ok((enc, sealed))
}

/// Opens what [`seal`] made for this key, name, fields and associated data.
pub fn open(
    secret: &HpkeSecret,
    name: &str,
    fields: &[&[u8]],
    enc: &[u8; ENC_LEN],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    let mut context = receiver(secret, name, fields, enc)?;
    context.open(sealed, aad).map_err(|_| NotOpened)
}

/// Agrees on `N` secret bytes with the owner of a key, who derives them by [`export_receiver`] from
/// the encapsulated key. `label` is the exporter context of RFC 9180 §5.3.
pub fn export_sender<const N: usize>(
    to: &SealingKey,
    name: &str,
    fields: &[&[u8]],
    label: &str,
    rng: &mut Rng,
) -> Result<([u8; ENC_LEN], [u8; N]), BadKey> {
    let (enc, context) = sender(to, name, fields, rng)?;
    let mut out = [0; N];
    context
        .export(label.as_bytes(), &mut out)
        .map_err(|_| BadKey)?;
    Ok((enc, out))
}

/// The receiver's half of [`export_sender`]. Any encapsulated key but one of small order gives some
/// bytes; whether they are the right ones is seen by what they open.
pub fn export_receiver<const N: usize>(
    secret: &HpkeSecret,
    name: &str,
    fields: &[&[u8]],
    label: &str,
    enc: &[u8; ENC_LEN],
) -> Result<[u8; N], NotOpened> {
    let agree = || {
        let context = receiver(secret, name, fields, enc)?;
        let mut out = [0; N];
        context
            .export(label.as_bytes(), &mut out)
            .map_err(|_| NotOpened)?;
        Ok(out)
    };
    #[cfg(feature = "remember")]
    return crate::remember::or_agree(secret, enc, label, &info(name, fields), agree);
    #[cfg(not(feature = "remember"))]
    agree()
}

fn info(name: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut info = [PREFIX, name].concat().into_bytes();
    for field in fields {
        info.extend_from_slice(field);
    }
    info
}

type Sender = hpke::aead::AeadCtxS<ChaCha20Poly1305, HkdfSha256, Suite>;
type Receiver = hpke::aead::AeadCtxR<ChaCha20Poly1305, HkdfSha256, Suite>;

fn sender(
    to: &SealingKey,
    name: &str,
    fields: &[&[u8]],
    rng: &mut Rng,
) -> Result<([u8; ENC_LEN], Sender), BadKey> {
    let to = <Suite as Kem>::PublicKey::from_bytes(to.as_bytes()).map_err(|_| BadKey)?;
    let (enc, context) = hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, Suite>(
        &OpModeS::Base,
        &to,
        &info(name, fields),
        rng,
    )
    .map_err(|_| BadKey)?;
    Ok((enc.to_bytes().into(), context))
}

fn receiver(
    secret: &HpkeSecret,
    name: &str,
    fields: &[&[u8]],
    enc: &[u8; ENC_LEN],
) -> Result<Receiver, NotOpened> {
    let enc = <Suite as Kem>::EncappedKey::from_bytes(enc).map_err(|_| NotOpened)?;
    hpke::setup_receiver(&OpModeR::Base, &secret.inner(), &enc, &info(name, fields))
        .map_err(|_| NotOpened)
}
