//! What two ends of a link share and nobody else knows: the base of every proof made on it.

use identity::NodeId;
use zeroize::Zeroizing;

/// Which end of a link one is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// The one who opened the link.
    Dialler = 0,
    /// The one who was called.
    Acceptor = 1,
}

impl Role {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }

    /// The byte that stands for it under signatures and authenticators.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// L = X ‖ dialler's node id ‖ acceptor's node id, and which of the two is here.
///
/// X is the TLS exporter of the link (label `EXPORTER-waystation-link-v1`, empty context, 32 bytes,
/// after the handshake is complete on both sides, never on 0-RTT). The exporter does not cover the
/// authentication of the dialler, so the ids, both authenticated by TLS, stand beside it.
#[derive(Clone)]
pub struct LinkSecret {
    bytes: Zeroizing<[u8; 96]>,
    dialler: NodeId,
    acceptor: NodeId,
    role: Role,
}

impl LinkSecret {
    /// The secret of a link, seen from the end with this role.
    #[must_use]
    pub fn new(exporter: &[u8; 32], dialler: NodeId, acceptor: NodeId, role: Role) -> Self {
        let mut bytes = Zeroizing::new([0; 96]);
        for (to, from) in bytes.iter_mut().zip(
            exporter
                .iter()
                .chain(dialler.as_bytes())
                .chain(acceptor.as_bytes()),
        ) {
            *to = *from;
        }
        Self {
            bytes,
            dialler,
            acceptor,
            role,
        }
    }

    /// Which end is here.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The node here.
    #[must_use]
    pub const fn own(&self) -> NodeId {
        match self.role {
            Role::Dialler => self.dialler,
            Role::Acceptor => self.acceptor,
        }
    }

    /// The node at the other end.
    #[must_use]
    pub const fn peer(&self) -> NodeId {
        match self.role {
            Role::Dialler => self.acceptor,
            Role::Acceptor => self.dialler,
        }
    }

    /// L.
    pub(crate) fn bytes(&self) -> &[u8; 96] {
        &self.bytes
    }
}

impl core::fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "LinkSecret({:?}, peer {:?})", self.role, self.peer())
    }
}
