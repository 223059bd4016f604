//! What a node is told at its start.

use identity::SecretKey;
use rights::DeviceSecret;
use router::Reach;

/// Keys and settings of one life of a node. Settings that change while it runs come as commands.
#[derive(Debug, Clone)]
pub struct Config {
    /// The key of the node; also that of its links.
    pub node_key: SecretKey,
    /// The secret from which this device's keys in topics follow.
    pub device: DeviceSecret,
    /// The home may be a copy or set back: every author key in it is given up, and what is written
    /// next begins a new incarnation.
    pub stale: bool,
    /// Whether this node serves clients.
    pub core: bool,
    /// The name that others see when the home has none yet.
    pub name: String,
    /// By whom this node is within reach. A core node is within reach of everybody, whatever this says: it serves.
    pub reach: Reach,
    /// Addresses to tell others, `host:port`, before those at which it listens.
    pub public: Vec<String>,
    /// Whether the host's clock may be relied upon without asking anybody.
    pub trust_clock: bool,
    /// What clients may use.
    pub custody: custody::Settings,
    /// Bytes that the store may use; 0 when only the disk limits it. For reports.
    pub store_limit: u64,
    /// Name and version of the program, told to peers.
    pub software: String,
}
