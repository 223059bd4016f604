//! NodeAdverts: what a node says about itself.

use identity::{Context, NodeId, SealingKey, SecretKey};

use crate::cbor::{Malformed, Reader, Writer};
use crate::checked::{Checked, Refused};
use crate::limits::{FORMAT, MAX_ADDRESSES, MAX_ADVERT, MAX_CORES, MAX_NAME};
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

impl NodeAdvert {
    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let fields = 6
            + Writer::present(&self.addresses)
            + usize::from(self.sealing_before.is_some())
            + Writer::present(&self.cores);
        let mut w = Writer::new();
        w.map(fields)
            .key(0)
            .uint(FORMAT)
            .key(1)
            .bytes(self.node.as_bytes());
        w.list(2, &self.addresses, |w, address| {
            w.array(2).text(&address.uri).uint(address.weight);
        });
        w.key(3)
            .text(&self.name)
            .key(4)
            .uint(self.version)
            .key(5)
            .uint(self.created);
        w.key(6).bytes(self.sealing.as_bytes());
        if let Some(before) = &self.sealing_before {
            w.key(7).bytes(before.as_bytes());
        }
        w.list(8, &self.cores, |w, core| {
            w.array(2).bytes(core.node.as_bytes()).text(&core.uri);
        });
        w.into_bytes()
    }

    /// Reads an advert whose signature is checked elsewhere.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, MAX_ADVERT)?;
        let r = &mut reader;
        let mut f = r.fields("advert")?;
        f.need(r, 0, "format")?;
        r.format()?;
        f.need(r, 1, "node")?;
        let node = NodeId::from_bytes(r.array("node")?);
        let addresses = f.list(r, 2, MAX_ADDRESSES, "addresses", |r| {
            r.tuple(2, "address")?;
            Ok(AdvertAddress {
                uri: r.uri("address")?,
                weight: r.u8("weight")?,
            })
        })?;
        f.need(r, 3, "name")?;
        let name = r.shown(MAX_NAME, "name")?;
        f.need(r, 4, "version")?;
        let version = r.u32("version")?;
        f.need(r, 5, "created")?;
        let created = r.time("created")?;
        f.need(r, 6, "sealing key")?;
        let sealing = SealingKey::from_bytes(r.array("sealing key")?);
        let sealing_before = if f.maybe(r, 7)? {
            Some(SealingKey::from_bytes(r.array("sealing key before")?))
        } else {
            None
        };
        let cores = f.list(r, 8, MAX_CORES, "cores", |r| {
            r.tuple(2, "core")?;
            let node = NodeId::from_bytes(r.array("core")?);
            Ok(AdvertCore {
                node,
                uri: r.uri("address of a core")?,
            })
        })?;
        f.end(r)?;
        Ok(Self {
            node,
            addresses,
            name,
            version,
            created,
            sealing,
            sealing_before,
            cores,
        })
    }
}

impl Signed<NodeAdvert> {
    /// Decodes an advert whose signature was checked before it was stored.
    pub fn from_stored(raw: RawStatement) -> Result<Self, Malformed> {
        let value = NodeAdvert::decode(&raw.bytes)?;
        Ok(Self {
            value,
            bytes: raw.bytes.into(),
            signature: raw.signature,
        })
    }
}

/// Verifies an advert from outside.
pub fn check_advert(raw: RawStatement) -> Result<Checked<SignedAdvert>, Refused> {
    let signed = SignedAdvert::from_stored(raw)?;
    let key = signed.value.node.public_key();
    key.verify(Context::NodeAdvert, &signed.bytes, &signed.signature)?;
    Ok(Checked::new(signed))
}

/// Signs an advert; the node is the key's.
pub fn sign_advert(
    mut advert: NodeAdvert,
    key: &SecretKey,
) -> Result<Checked<SignedAdvert>, Refused> {
    advert.node = key.node_id();
    let bytes = advert.encode();
    let signature = key.sign(Context::NodeAdvert, &bytes);
    // What others would refuse is refused here first.
    Ok(Checked::new(SignedAdvert::from_stored(RawStatement {
        bytes,
        signature,
    })?))
}
