//! Devices of a person.

use serde::{Deserialize, Serialize};

use super::Version;

objects! {
    /// `way device invite`.
    DeviceInvite { v: Version, link: String, expires: String, }
    /// `way device join`.
    DeviceJoined { v: Version, node: String, name: String, topics: u32, }
    /// A line of `way device list`.
    OwnDevice {
        v: Version,
        name: String,
        own: bool,
        linked: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<String>,
        topics: Vec<OwnDeviceTopic>,
    }
    /// A device in a topic, inside [`OwnDevice`].
    OwnDeviceTopic {
        topic: String,
        name: String,
        device: String,
        seated: bool,
        share: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<String>,
        ties: Vec<ActTie>,
    }
    /// Two acts in one place, inside [`OwnDeviceTopic`].
    ActTie { taken: String, other: String, }
    /// `way device remove`.
    DeviceRemoved { v: Version, device: String, topics: Vec<String>, failed: Vec<NotRemoved>, }
    /// Where a device was not removed, inside [`DeviceRemoved`].
    NotRemoved { topic: String, reason: String, }
    /// A line of `way device branches`.
    Branch {
        v: Version,
        topic: String,
        name: String,
        member: String,
        own: bool,
        act: String,
        counts: bool,
        adds: Vec<String>,
        removes: Vec<String>,
        signed: Vec<String>,
        may: String,
    }
    /// `way device choose`.
    Chosen { v: Version, act: String, countersigned: bool, counts: bool, }
}
