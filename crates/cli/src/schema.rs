//! The JSON objects that `way` prints and that its socket answers, one type each.
//!
//! docs/spec/cli.md lists every field; a test holds the two together. Fields are only ever added:
//! readers skip what they do not know. A field that has nothing to say is left out, never `null`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the objects: the `v` in every one of them.
pub const V: u32 = 1;

/// The field `v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(V)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let v = u32::deserialize(deserializer)?;
        if v == V {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom(format_args!(
                "version {v} of the objects, not {V}"
            )))
        }
    }
}

macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub struct $name {
                $(
                    #[doc = concat!("`", stringify!($field), "`, as docs/spec/cli.md says.")]
                    $(#[$field_doc])*
                    pub $field: $ty,
                )*
            }
        )*
    };
}

mod device;
mod files;
mod owners;

pub use files::{File, LineFile};
pub use owners::{OwnedTopic, Owner, Owners, Proposal, ProposedEnd, ProposedGrant};

pub use device::{
    ActTie, Branch, Chosen, DeviceInvite, DeviceJoined, DeviceRemoved, NotRemoved, OwnDevice,
    OwnDeviceTopic,
};

objects! {
    /// `way up`, when the node answers.
    Up {
        v: Version,
        id: String,
        name: String,
        home: String,
        addresses: Vec<String>,
        core: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reachable: Option<bool>,
    }
    /// `way down`.
    Down { v: Version, home: String, down: bool, }
    /// What is done and has nothing to tell.
    Done { v: Version, done: bool, }
    /// `way status`.
    Status {
        v: Version,
        id: String,
        name: String,
        core: bool,
        reach: String,
        links: u32,
        topics: u32,
        queued: u64,
        store: StoreUse,
        rules: String,
        #[serde(default)]
        cores: Vec<CoreUse>,
        problems: Vec<Problem>,
    }
    /// A core node in use, inside [`Status`].
    CoreUse {
        id: String,
        state: String,
        quota: u64,
        used: u64,
        headers: u64,
        header_quota: u64,
        shares: Vec<CoreShare>,
    }
    /// What a topic uses at a core node, inside [`Core`] and [`CoreUse`].
    CoreShare { topic: String, name: String, share: u64, own: u64, guests: u64, }
    /// The store, inside [`Status`].
    StoreUse { bytes: u64, limit: u64, }
    /// A problem, inside [`Status`].
    Problem { code: String, text: String, hint: String, }
    /// A warning of `way send`, on standard error.
    Warned { v: Version, warning: Problem, }
    /// `way id` and `way name`.
    Identity {
        v: Version,
        id: String,
        name: String,
        addresses: Vec<String>,
        reach: String,
        version: String,
    }
    /// `way peer add`.
    PeerAdded { v: Version, id: String, }
    /// A line of `way peers`.
    Peer {
        v: Version,
        id: String,
        name: String,
        linked: bool,
        transport: String,
        address: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rtt_ms: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    }
    /// `way core invite`.
    CoreInvite { v: Version, link: String, quota: u64, uses: u32, }
    /// `way core new-psk`.
    PskMade { v: Version, file: String, }
    /// `way core deny`.
    CoreDenied {
        v: Version,
        id: String,
        held_bytes: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_until: Option<String>,
    }
    /// `way core retire`.
    CoreRetires {
        v: Version,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promised_until: Option<String>,
    }
    /// A line of `way core clients`.
    Client {
        v: Version,
        id: String,
        quota: u64,
        used: u64,
        topics: u32,
        allowed: bool,
        since: String,
    }
    /// `way core use`.
    CoreUsed { v: Version, id: String, quota: u64, }
    /// A line of `way core list`.
    Core {
        v: Version,
        id: String,
        address: String,
        state: String,
        quota: u64,
        used: u64,
        linked: bool,
        topics: u32,
        #[serde(default)]
        headers: u64,
        #[serde(default)]
        header_quota: u64,
        #[serde(default)]
        shares: Vec<CoreShare>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused_since: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_until: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retires: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broken: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broken_since: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gone_since: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<String>,
    }
    /// `way topic create` and `way join`.
    TopicId { v: Version, id: String, name: String, }
    /// A line of `way topic list`.
    Topic {
        v: Version,
        id: String,
        name: String,
        role: String,
        members: u32,
        unread: u64,
        lines: u64,
    }
    /// `way topic info`.
    TopicInfo {
        v: Version,
        id: String,
        name: String,
        role: String,
        members: u32,
        unread: u64,
        lines: u64,
        envelopes: u64,
        bytes: u64,
        files_bytes: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files_limit: Option<u64>,
        peers: u32,
        devices: Vec<Device>,
        cores: Vec<TopicCore>,
        invites: Vec<TopicInvite>,
        forked: Vec<String>,
        waiting: Vec<Claimant>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<String>,
        releases: Vec<Release>,
        public: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
    }
    /// What this device gives at a time that has not come yet, inside [`TopicInfo`].
    Release { member: String, at: String, rights: Vec<InvitedRight>, }
    /// `way topic link`.
    TopicLink { v: Version, topic: String, link: String, nodes: u32, }
    /// A device that takes part, inside [`TopicInfo`].
    Device { device: String, name: String, own: bool, left: bool, envelopes: u64, }
    /// A core that holds the topic, inside [`TopicInfo`].
    TopicCore { id: String, address: String, }
    /// An invite, inside [`TopicInfo`].
    TopicInvite { id: String, uses: u32, used: u32, until: String, }
    /// A line of `way members`.
    Member { v: Version, id: String, devices: Vec<MemberDevice>, grants: Vec<Grant>, }
    /// A device of a member, inside [`Member`].
    MemberDevice {
        device: String,
        name: String,
        own: bool,
        seated: bool,
        share: u16,
        left: bool,
        envelopes: u64,
    }
    /// What a member was given, inside [`Member`].
    Grant {
        id: String,
        kind: String,
        depth: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        by_name: String,
        since: String,
        stands: bool,
        writes: bool,
        rights: Vec<GrantRight>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        envelopes_in_all: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_in_all: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<Used>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        came: Option<Came>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<GrantEnd>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ends: Vec<GrantEnd>,
    }
    /// How a member came by an invite, inside [`Grant`].
    Came {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
        claim: String,
        envelope: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
        beyond: bool,
    }
    /// What is used of a grant's bounds, inside [`Grant`].
    Used {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        envelopes_in_all: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_in_all: Option<u64>,
    }
    /// A right of a grant, inside [`Grant`].
    GrantRight {
        right: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        over: bool,
    }
    /// What ended a grant, inside [`Grant`].
    GrantEnd {
        how: String,
        by: String,
        by_name: String,
        at: String,
        above: bool,
        rights: Vec<String>,
    }
    /// `way grant`.
    Granted {
        v: Version,
        grant: String,
        member: String,
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unused: Option<String>,
    }
    /// `way grant --at`.
    Scheduled { v: Version, member: String, at: String, }
    /// `way revoke`.
    Revoked { v: Version, grants: Vec<String>, member: String, others: u32, }
    /// `way invite`.
    Invite {
        v: Version,
        link: String,
        topic: String,
        uses: u32,
        expires: String,
        rights: Vec<InvitedRight>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u32>,
        attended: bool,
    }
    /// A right that an invite gives, inside [`Invite`] and [`Invitation`].
    InvitedRight {
        right: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }
    /// Who waits for a welcome, inside [`TopicInfo`].
    Claimant { device: String, invite: String, claim: String, at: String, beyond: bool, }
    /// Who invites to what: asked before a join.
    Invitation {
        v: Version,
        topic: String,
        topic_name: String,
        inviter: String,
        inviter_name: String,
        expires: String,
        rights: Vec<InvitedRight>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u32>,
        attended: bool,
    }
    /// A line of `way send`: one for each message.
    Sent {
        v: Version,
        id: String,
        to: String,
        state: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u32>,
    }
    /// A line of `way read`.
    Line {
        v: Version,
        n: u64,
        id: String,
        topic: String,
        from: String,
        from_name: String,
        at: String,
        seq: u64,
        kind: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u64>,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<LineFile>,
    }
    /// A line of `way inbox`.
    Mail {
        v: Version,
        n: u64,
        id: String,
        from: String,
        from_name: String,
        at: String,
        text: String,
    }
    /// `way ping`.
    Pong { v: Version, node: String, rtt_ms: f64, path: String, }
    /// `way why`.
    Why {
        v: Version,
        id: String,
        to: String,
        states: Vec<State>,
        delivered: u32,
        members: u32,
        held: u32,
        waits_for: Vec<String>,
        hint: String,
    }
    /// A piece of evidence, inside [`Why`].
    State {
        state: String,
        by: String,
        by_name: String,
        at: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// `way backup`.
    Backup { v: Version, file: String, bytes: u64, encrypted: bool, }
    /// `way restore`.
    Restored { v: Version, id: String, home: String, encrypted: bool, }
    /// `way check`.
    Check { v: Version, ok: bool, commits: u64, rows: u64, files: u64, content: u64, }
    /// `way replay`.
    Replay { v: Version, same: bool, ends_early: bool, lives: u64, turns: u64, outputs: u64, hash: String, }
}

// It has no decimals.
impl Eq for Problem {}

/// One line of JSON, without its line end.
///
/// Control and direction characters that a terminal might obey are written as `\u…`: they can only
/// stand inside strings, where that means the same.
///
/// # Panics
/// Never for the types of this module: they all have a JSON form.
#[must_use]
pub fn to_line<T: Serialize>(object: &T) -> String {
    let plain = serde_json::to_string(object).expect("the objects of this module have a JSON form");
    if !plain.chars().any(crate::plain::acts_on_terminal) {
        return plain;
    }
    let mut line = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        if crate::plain::acts_on_terminal(c) {
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_cannot_drive_a_terminal_and_means_the_same() {
        let text = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}evil\n\u{e0001}end";
        let pong = Pong {
            v: Version,
            node: text.into(),
            rtt_ms: 0.5,
            path: String::new(),
        };
        let line = to_line(&pong);
        assert!(
            !line.chars().any(crate::plain::acts_on_terminal),
            "{line:?}"
        );
        assert!(line.starts_with("{\"v\":1,"));
        assert_eq!(serde_json::from_str::<Pong>(&line).unwrap(), pong);
    }

    #[test]
    fn another_version_is_not_taken_for_this_one() {
        assert!(serde_json::from_str::<Done>("{\"v\":2,\"done\":true}").is_err());
        assert!(serde_json::from_str::<Done>("{\"v\":1,\"done\":true,\"new\":1}").is_ok());
    }
}
