//! Who runs a core node, as far as others are told: a tag that core nodes of one operator have in
//! common, and who counts as one custodian by it.

use core::fmt;

use crate::names::NodeId;
use crate::seal::kdf;

/// What tells operators of core nodes apart: kdf("operator", what the operator wrote), 16 bytes.
/// Whoever writes the same has the same tag, so it proves nothing about anybody; it can only make
/// core nodes count for fewer. Text is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorTag([u8; Self::LEN]);

impl OperatorTag {
    /// Bytes of a tag: enough that two operators never share one by chance.
    pub const LEN: usize = 16;

    /// The tag of whoever wrote this, byte for byte.
    pub fn of(text: &str) -> Self {
        Self(kdf("operator", &[text.as_bytes()]))
    }

    /// Takes the bytes as they are.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for OperatorTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for OperatorTag {
    /// The first four bytes in hexadecimal: for logs and tests, not for users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorTag:")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Who counts as one custodian of what core nodes promise to hold. What a core node says of its
/// operator moves that core node alone: whoever takes another's tag is not counted beside it, and
/// the other still is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Custodian {
    /// All core nodes whose promises have this tag.
    Operator(OperatorTag),
    /// A core node that says nothing of its operator.
    Node(NodeId),
}

impl Custodian {
    /// Whom the promise of a core node counts for, by what that promise says of its operator.
    pub fn of(node: NodeId, operator: Option<OperatorTag>) -> Self {
        operator.map_or(Self::Node(node), Self::Operator)
    }
}

#[cfg(test)]
mod tests {
    use super::{Custodian, NodeId, OperatorTag};

    #[test]
    fn no_tag_stands_for_a_core_node_that_has_none() {
        let node = NodeId::from_bytes([7; 32]);
        let tag = OperatorTag::from_bytes([7; 16]);
        let own = Custodian::of(node, None);
        assert_ne!(own, Custodian::of(node, Some(tag)));
        let other = NodeId::from_bytes([8; 32]);
        assert_ne!(own, Custodian::of(other, Some(tag)));
        assert_eq!(
            Custodian::of(node, Some(tag)),
            Custodian::of(other, Some(tag))
        );
    }

    #[test]
    fn who_writes_the_same_has_the_same_tag() {
        let tag = OperatorTag::of("example.org");
        assert_eq!(tag, OperatorTag::of("example.org"));
        for other in ["", "Example.org", "example.org ", "example.com"] {
            assert_ne!(tag, OperatorTag::of(other));
        }
        assert_eq!(tag.to_string().len(), 2 * OperatorTag::LEN);
        assert_eq!(OperatorTag::from_bytes(*tag.as_bytes()), tag);
        assert!(
            tag.to_string()
                .starts_with(&format!("{tag:?}")["OperatorTag:".len()..])
        );
    }
}
