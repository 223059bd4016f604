//! Signatures: Ed25519 over a context and the bytes, under one strict rule.
//!
//! The rule (docs/spec/wire.md, "Signatures"): the public key and R are canonical encodings of
//! points that are not of small order, S is canonical, and the equation holds without multiplying
//! by the cofactor. Two nodes never disagree about whether a signature is valid, which batch checks
//! do not promise (<https://hdevalence.ca/blog/2020-10-04-its-25519am/>).

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use machine::Rng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::names::{NodeId, PublicKey};

/// What a signature is about. The signed bytes are the context's name, a zero byte, and the bytes;
/// no name is the beginning of another plus a zero, so nothing signed can pose as something else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Context {
    /// An envelope, over its id.
    Envelope,
    /// A receipt about envelopes of a topic.
    Receipt,
    /// A receipt about unicast envelopes.
    MailReceipt,
    /// A node's advert about itself.
    NodeAdvert,
    /// A device certifies an author key.
    Certificate,
    /// The key of an invite certifies a device.
    Claim,
    /// A device proves on a link that it takes part in a topic.
    Show,
    /// A device lets a core node fetch a topic at another core node.
    Serve,
    /// A client takes up an operator's invite.
    CoreClaim,
    /// The contents of an invite's box.
    InviteBox,
    /// An invite's box as the members of a topic keep it.
    TopicBox,
    /// A device asks for its own newest envelopes after a restore.
    Recovery,
    /// A device of a composition changes it, or agrees to become a device of it.
    Act,
    /// A device of a composition signs an item for the composition.
    Joint,
    /// A device shows by which device of a topic it would be known, to who may have missed an epoch.
    Identify,
    /// Whoever may admit answers a claim.
    Welcome,
    /// A new device of a person claims its place beside the others.
    DeviceClaim,
}

impl Context {
    /// The name that is signed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "waystation/envelope/v1",
            Self::Receipt => "waystation/receipt/v1",
            Self::MailReceipt => "waystation/mail-receipt/v1",
            Self::NodeAdvert => "waystation/node-advert/v1",
            Self::Certificate => "waystation/certificate/v1",
            Self::Claim => "waystation/claim/v1",
            Self::Show => "waystation/show/v1",
            Self::Serve => "waystation/serve/v1",
            Self::CoreClaim => "waystation/core-claim/v1",
            Self::InviteBox => "waystation/invite-box/v1",
            Self::TopicBox => "waystation/topic-box/v1",
            Self::Recovery => "waystation/recovery/v1",
            Self::Act => "waystation/act/v1",
            Self::Joint => "waystation/joint/v1",
            Self::Identify => "waystation/identify/v1",
            Self::Welcome => "waystation/welcome/v1",
            Self::DeviceClaim => "waystation/device-claim/v1",
        }
    }

    /// Every context, for vectors and tests.
    pub const ALL: [Self; 17] = [
        Self::Envelope,
        Self::Receipt,
        Self::MailReceipt,
        Self::NodeAdvert,
        Self::Certificate,
        Self::Claim,
        Self::Show,
        Self::Serve,
        Self::CoreClaim,
        Self::InviteBox,
        Self::TopicBox,
        Self::Recovery,
        Self::Act,
        Self::Joint,
        Self::Identify,
        Self::Welcome,
        Self::DeviceClaim,
    ];

    fn frame(self, bytes: &[u8]) -> Vec<u8> {
        let name = self.name().as_bytes();
        let mut framed = Vec::with_capacity(name.len() + 1 + bytes.len());
        framed.extend_from_slice(name);
        framed.push(0);
        framed.extend_from_slice(bytes);
        framed
    }
}

/// An Ed25519 secret key. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of this seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// A fresh key.
    pub fn generate(rng: &mut Rng) -> Self {
        Self::from_seed(rng.array())
    }

    /// The seed, to be kept where nobody else can read it.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// The id of the node whose key this is.
    pub fn node_id(&self) -> NodeId {
        self.public().node_id()
    }

    /// Signs the bytes in a context. Deterministic: the same input gives the same signature.
    pub fn sign(&self, context: Context, bytes: &[u8]) -> Signature {
        let signature = Signature(self.0.sign(&context.frame(bytes)).to_bytes());
        #[cfg(feature = "remember")]
        crate::remember::has_signed((&self.public(), context), bytes, &signature);
        signature
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.public())
    }
}

/// 64 bytes that claim to be a signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the bytes as they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The bytes, by value.
    pub const fn to_bytes(self) -> [u8; 64] {
        self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature:")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The signature is not one of this key over these bytes in this context, or key or signature is
/// not in the one accepted form. Always the fault of whoever made it; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the signature is not valid for this key, context and content")]
pub struct BadSignature;

impl PublicKey {
    /// Checks a signature by the one strict rule (see the head of this module).
    pub fn verify(
        &self,
        context: Context,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let check = || self.verify_now(context, bytes, signature);
        #[cfg(feature = "remember")]
        return crate::remember::or_check((self, context), bytes, signature, check);
        #[cfg(not(feature = "remember"))]
        check()
    }

    fn verify_now(
        &self,
        context: Context,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        if !is_canonical_y(self.as_bytes()) {
            return Err(BadSignature);
        }
        let key = VerifyingKey::from_bytes(self.as_bytes()).map_err(|_| BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&context.frame(bytes), &signature)
            .map_err(|_| BadSignature)
    }
}

/// Whether the y-coordinate is below p = 2²⁵⁵ − 19. The library reduces a larger one instead of
/// refusing it, which would give some keys two encodings. (The other second encoding, x = 0 with
/// its sign set, exists for points of small order alone, which the library refuses.)
fn is_canonical_y(encoded: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = encoded;
    let top_is_full = last & 0x7f == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    !(top_is_full && *first >= 0xed)
}

#[cfg(test)]
mod tests {
    use super::is_canonical_y;

    #[test]
    fn canonical_is_below_p() {
        let mut y = [0xff; 32];
        y[31] = 0x7f;
        for (first, canonical) in [(0, true), (0xec, true), (0xed, false), (0xff, false)] {
            y[0] = first;
            for sign in [0x7f, 0xff] {
                y[31] = sign;
                assert_eq!(is_canonical_y(&y), canonical, "{first:x}");
            }
        }
        // A lower byte anywhere else makes it smaller than p.
        for at in 1..32 {
            let mut lower = [0xff; 32];
            lower[31] = 0x7f;
            lower[at] -= 1;
            assert!(is_canonical_y(&lower));
        }
    }
}
