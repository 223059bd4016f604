//! `way device …`.

use clap::Subcommand;

use crate::when::Patience;

/// `way device …`.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Make a link that makes another computer a device of yours; valid once and for ten minutes
    Invite {
        /// Show the link as a QR code as well
        #[arg(long)]
        qr: bool,
    },
    /// On the other computer: become a device of whoever made the link, in all topics
    Join {
        /// way:device/…
        link: String,
        /// Start the node in the background first if it is not running
        #[arg(long)]
        up: bool,
        /// How long to wait until everything has been handed over
        #[arg(long, value_name = "T", default_value = "60s")]
        timeout: Patience,
    },
    /// Your devices: keys, since when, last seen, and whether they may act for you, by topic
    List,
    /// Take a device its seat, in all topics or in one, because it was lost or is used no more
    Remove {
        /// A device: a name, a node's id, the key in a topic, or a unique prefix of one
        device: String,
        /// Only in this topic
        #[arg(long)]
        topic: Option<String>,
    },
    /// Where devices of one member changed its devices at once, as when two removed one another: the acts of which
    /// one alone counts, and what this device can do for each
    Branches {
        /// Only in this topic
        #[arg(long)]
        topic: Option<String>,
    },
    /// Decide for one of these acts: with this device's signature, or from above the member
    Choose {
        /// A topic
        topic: String,
        /// The act, as `way device branches` names it, or a unique prefix of it
        act: String,
    },
}
