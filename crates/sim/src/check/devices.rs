//! Whose device a key belongs to: the world knows every device's secret, the nodes do not.

use crate::plan::{NodeNo, TopicNo};
use identity::{PublicKey, TopicId};
use rights::{DeviceSecret, Vault};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;
use wire::Genesis;

/// Whose a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A node's that was asked about.
    Node(NodeNo),
    /// No node's that was asked about.
    Other,
    /// The world was not told the devices' secrets.
    Untold,
}

/// Devices and the authors that they certified.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    secrets: RwLock<BTreeMap<NodeNo, DeviceSecret>>,
    keys: RwLock<BTreeMap<(TopicNo, PublicKey), NodeNo>>,
    derived: RwLock<BTreeSet<(TopicNo, NodeNo)>>,
    authors: RwLock<BTreeMap<PublicKey, NodeNo>>,
    /// Devices that liars have made up and let in themselves.
    made_up: RwLock<BTreeSet<PublicKey>>,
}

impl Devices {
    /// A node's device. Of a copy of a node nothing need be said.
    pub(crate) fn add(&self, no: NodeNo, secret: DeviceSecret) {
        let mut secrets = self.secrets.write().expect("no checker panics");
        secrets.insert(no, secret);
    }

    /// The owner of a device, as far as it is known without deriving keys.
    pub(crate) fn known(&self, topic: TopicNo, device: &PublicKey) -> Option<NodeNo> {
        let keys = self.keys.read().expect("no checker panics");
        keys.get(&(topic, *device)).copied()
    }

    /// The owner of a device in a topic, looked for among these nodes.
    pub(crate) fn owner(
        &self,
        (topic, genesis): (TopicNo, &Genesis),
        device: &PublicKey,
        among: impl IntoIterator<Item = NodeNo>,
    ) -> Owner {
        if let Some(no) = self.known(topic, device) {
            return Owner::Node(no);
        }
        let secrets = self.secrets.read().expect("no checker panics");
        if secrets.is_empty() {
            return Owner::Untold;
        }
        let id: TopicId = genesis.topic_id();
        let mut derived = self.derived.write().expect("no checker panics");
        let mut keys = self.keys.write().expect("no checker panics");
        for no in among {
            if let Some(secret) = secrets.get(&no)
                && derived.insert((topic, no))
            {
                let key = secret.key_in(id, genesis).public();
                keys.entry((topic, key)).or_insert(no);
            }
        }
        match keys.get(&(topic, *device)) {
            Some(no) => Owner::Node(*no),
            None => Owner::Other,
        }
    }

    /// The key of a node's device in a topic.
    pub(crate) fn key(&self, genesis: &Genesis, no: NodeNo) -> Option<PublicKey> {
        let secrets = self.secrets.read().expect("no checker panics");
        let secret = secrets.get(&no)?;
        Some(secret.key_in(genesis.topic_id(), genesis).public())
    }

    /// What opens the secret rows of a node.
    pub(crate) fn vault(&self, no: NodeNo) -> Option<Vault> {
        let secrets = self.secrets.read().expect("no checker panics");
        Some(secrets.get(&no)?.vault())
    }

    /// A liar has made up a device, and uses a right of its own to let it in.
    pub(crate) fn make_up(&self, device: PublicKey) {
        let mut made_up = self.made_up.write().expect("no checker panics");
        made_up.insert(device);
    }

    /// Whether a liar has let in a device that it made up.
    pub(crate) fn is_made_up(&self, device: &PublicKey) -> bool {
        let made_up = self.made_up.read().expect("no checker panics");
        made_up.contains(device)
    }

    /// A device of this node has certified an author.
    pub(crate) fn certified(&self, author: PublicKey, no: NodeNo) {
        let known = self.author(&author) == Some(no);
        if !known {
            let mut authors = self.authors.write().expect("no checker panics");
            authors.insert(author, no);
        }
    }

    /// The node whose device certified an author.
    pub(crate) fn author(&self, author: &PublicKey) -> Option<NodeNo> {
        let authors = self.authors.read().expect("no checker panics");
        authors.get(author).copied()
    }
}
