//! NodeAdverts: what a node says about itself.

use identity::{NodeId, SealingKey, SecretKey};

use crate::checked::{Checked, Refused};
use crate::signed::{RawStatement, Signed, SignedAdvert};

/// Where a node can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdvertAddress {
    /// A URI; schemes that a reader does not know are kept.
    pub uri: String,
    /// Preference: greater is tried first.
    pub weight: u8,
}

/// A core node that serves this node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdvertCore {
    /// Which.
    pub node: NodeId,
    /// Where it can be reached.
    pub uri: String,
}

/// What a node says about itself. Of two the one with the greater version stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeAdvert {
    /// 1: the node, which signs.
    pub node: NodeId,
    /// 2: where it can be reached, at most 8.
    pub addresses: Vec<AdvertAddress>,
    /// 3: the name others see; never taken as identity.
    pub name: String,
    /// 4: counter.
    pub version: u32,
    /// 5: when it was made, milliseconds since 1970, as the node claims.
    pub created: u64,
    /// 6: what may be sealed to this node.
    pub sealing: SealingKey,
    /// 7: the one before, which still opens.
    pub sealing_before: Option<SealingKey>,
    /// 8: its core nodes, at most 4.
    pub cores: Vec<AdvertCore>,
}

impl Signed<NodeAdvert> {
    /// Decodes an advert whose signature was checked before it was stored.
    pub fn from_stored(raw: RawStatement) -> Result<Self, crate::Malformed> {
        let _ = raw;
        todo!()
    }
}

/// Verifies an advert from outside.
pub fn check_advert(raw: RawStatement) -> Result<Checked<SignedAdvert>, Refused> {
    let _ = raw;
    todo!()
}

/// Signs an advert; the node is the key's.
pub fn sign_advert(advert: NodeAdvert, key: &SecretKey) -> Result<Checked<SignedAdvert>, Refused> {
    let _ = (advert, key);
    todo!()
}
