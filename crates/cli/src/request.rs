//! What a client asks on the socket: one JSON object a line.
//!
//! The answer is any number of objects of [`crate::schema`], one a line, and then either
//! `{"v":1,"end":{…}}` or `{"v":1,"error":{…}}`. Several requests may follow one another on one
//! connection; the next is read when the one before has been answered.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::schema::{Problem, Version};

/// Longest line that a node reads: a batch of messages fits easily. A longer one is refused and
/// the connection closed.
pub const MAX_REQUEST: usize = 8 * 1024 * 1024;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The version of the objects.
    pub v: Version,
    /// What to do.
    #[serde(flatten)]
    pub ask: Ask,
}

impl Request {
    /// A request of this version.
    #[must_use]
    pub fn new(ask: Ask) -> Self {
        Self { v: Version, ask }
    }
}

/// What to do. The fields are those of the command of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "do",
    rename_all = "kebab-case",
    rename_all_fields = "snake_case"
)]
#[expect(
    missing_docs,
    reason = "docs/spec/cli.md says what the commands and their words mean"
)]
pub enum Ask {
    Status,
    Id,
    Name {
        name: String,
    },
    Peers,
    PeerAdd {
        address: String,
    },
    PeerRemove {
        peer: String,
    },
    CoreInvite {
        quota: u64,
        uses: u32,
    },
    CoreAllow {
        node: String,
        quota: u64,
    },
    CoreDeny {
        node: String,
    },
    CoreAllowPsk {
        psk: String,
        quota: u64,
        uses: u32,
    },
    CoreDenyPsk {
        psk: String,
    },
    CoreUsePsk {
        address: String,
        psk: String,
    },
    CoreClients,
    CoreUse {
        link: String,
    },
    CoreLeave {
        core: String,
        now: bool,
    },
    CoreRetire {
        by: Option<u64>,
    },
    CoreList,
    TopicCreate {
        name: String,
        #[serde(default)]
        public: bool,
        #[serde(default)]
        messages: Option<u32>,
    },
    TopicLink {
        topic: String,
    },
    TopicList,
    TopicInfo {
        topic: String,
    },
    Members {
        topic: String,
    },
    Grant {
        topic: String,
        member: String,
        rights: Vec<Right>,
        from: Option<u64>,
        until: Option<u64>,
        messages: Option<u32>,
        bytes: Option<u32>,
        #[serde(default)]
        at: Option<u64>,
    },
    Revoke {
        topic: String,
        member: String,
        only: Vec<Right>,
        cut: Option<String>,
        cascade: bool,
    },
    OwnersCreate {
        name: String,
        threshold: u8,
        count: u8,
        #[serde(default)]
        public: bool,
        #[serde(default)]
        messages: Option<u32>,
    },
    OwnersList {
        topic: String,
    },
    OwnersPending,
    OwnersSign {
        id: String,
    },
    OwnersPropose {
        topic: String,
        add: Vec<String>,
        remove: Vec<String>,
        threshold: Option<u8>,
    },
    DeviceInvite,
    DeviceJoin {
        link: String,
        timeout_ms: u64,
    },
    DeviceList,
    DeviceRemove {
        device: String,
        topic: Option<String>,
    },
    DeviceBranches {
        topic: Option<String>,
    },
    DeviceChoose {
        topic: String,
        act: String,
    },
    TopicLeave {
        topic: String,
    },
    TopicForget {
        topic: String,
    },
    Invite {
        topic: String,
        uses: u32,
        until: Option<u64>,
        #[serde(default)]
        rights: Vec<Right>,
        #[serde(default)]
        read_from: Option<u64>,
        #[serde(default)]
        read_until: Option<u64>,
        #[serde(default)]
        messages: Option<u32>,
        #[serde(default)]
        while_away: bool,
    },
    JoinLook {
        link: String,
        timeout_ms: u64,
    },
    Join {
        link: String,
        name: Option<String>,
        timeout_ms: u64,
    },
    Send {
        to: String,
        messages: Vec<Text>,
        expires: Option<u64>,
        best_effort: bool,
    },
    Share {
        topic: String,
        path: String,
        expires: Option<u64>,
    },
    Files {
        topic: String,
    },
    FilesDrop {
        topic: String,
        file: String,
    },
    FilesLimit {
        topic: String,
        bytes: Option<u64>,
    },
    Unshare {
        topic: String,
        file: String,
    },
    Get {
        topic: String,
        file: String,
        to: String,
        timeout_ms: u64,
    },
    Wait {
        id: String,
        state: WaitState,
        of: Option<u32>,
        timeout_ms: u64,
    },
    Read {
        topic: String,
        from: From,
        limit: u32,
    },
    Confirm {
        topic: String,
        n: u64,
    },
    Inbox {
        after: u64,
        limit: u32,
    },
    Ping {
        node: String,
        timeout_ms: u64,
    },
    Why {
        id: Option<String>,
    },
    /// Answered when anything has happened since the change of this number.
    Changed {
        after: u64,
    },
    Backup {
        file: String,
    },
    Down,
}

/// A message to send: text, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Text(String),
    /// Anything.
    Bytes {
        /// RFC 4648, with padding.
        base64: String,
    },
}

impl Text {
    /// The text if it is one, else its bytes.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes {
                base64: data_encoding::BASE64.encode(error.as_bytes()),
            },
        }
    }

    /// The bytes; `None` when the base64 is wrong.
    #[must_use]
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Bytes { base64 } => data_encoding::BASE64.decode(base64.as_bytes()).ok(),
        }
    }
}

/// What somebody may do in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the three rights of `way grant`")]
pub enum Right {
    Publish,
    Read,
    Admit,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the three states of `way send --wait`")]
pub enum WaitState {
    Stored,
    Held,
    Delivered,
}

impl WaitState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Held => "held",
            Self::Delivered => "delivered",
        }
    }
}

/// Where reading begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// The last lines.
    Last,
    /// After this line number.
    After(u64),
    /// After this message.
    AfterMessage(String),
    /// With the first line of this time (ms) or later.
    Time(u64),
    /// After the durable cursor.
    Cursor,
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct End {
    /// After `read` and `inbox`: where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// After `read` and `inbox`: whether there is more already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// After `read`: the topic's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// After `changed`: the number of the newest change; after `read` and `inbox`: the change to
    /// wait after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<u64>,
    /// After `send`: core nodes that take nothing new of the topic, or soon will not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
}

/// The last line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Last {
    /// All is said.
    End(End),
    /// It failed.
    Error(Failure),
}

/// [`Last`] with its version, as it stands on the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLine {
    /// The version of the objects.
    pub v: Version,
    /// The end.
    #[serde(flatten)]
    pub last: Last,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_lines_of_json() {
        let ask = Ask::Read {
            topic: "ops".into(),
            from: From::After(7),
            limit: 10,
        };
        let line = crate::schema::to_line(&Request::new(ask.clone()));
        assert_eq!(
            line,
            r#"{"v":1,"do":"read","topic":"ops","from":{"after":7},"limit":10}"#
        );
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap().ask, ask);
        let line = crate::schema::to_line(&Request::new(Ask::CoreList));
        assert_eq!(line, r#"{"v":1,"do":"core-list"}"#);
    }

    #[test]
    fn messages_that_are_no_text_come_through() {
        for bytes in [
            b"abc".to_vec(),
            vec![0xff, 0, 0xfe],
            "é".as_bytes().to_vec(),
        ] {
            let line = crate::schema::to_line(&Text::of(bytes.clone()));
            let back: Text = serde_json::from_str(&line).unwrap();
            assert_eq!(back.into_bytes(), Some(bytes));
        }
        assert_eq!(Text::Bytes { base64: "?".into() }.into_bytes(), None);
    }

    #[test]
    fn the_end_of_an_answer_cannot_be_taken_for_an_object() {
        let end = LastLine {
            v: Version,
            last: Last::End(End::default()),
        };
        assert_eq!(crate::schema::to_line(&end), r#"{"v":1,"end":{}}"#);
    }
}
