//! A sample of every request.

use cli::request::{Ask, From, Right, Text, WaitState};

/// Every request.
pub(crate) fn asks() -> Vec<Ask> {
    let text = || String::from("x");
    vec![
        Ask::Status,
        Ask::Id,
        Ask::Name { name: text() },
        Ask::Peers,
        Ask::PeerAdd { address: text() },
        Ask::PeerRemove { peer: text() },
        Ask::CoreInvite { quota: 1, uses: 1 },
        Ask::CoreAllow {
            node: text(),
            quota: 1,
        },
        Ask::CoreDeny { node: text() },
        Ask::CoreAllowPsk {
            psk: text(),
            quota: 1,
            uses: 1,
        },
        Ask::CoreDenyPsk { psk: text() },
        Ask::CoreUsePsk {
            address: text(),
            psk: text(),
        },
        Ask::CoreClients,
        Ask::CoreUse { link: text() },
        Ask::CoreLeave {
            core: text(),
            now: true,
        },
        Ask::CoreRetire { by: Some(1) },
        Ask::CoreList,
        Ask::OwnersCreate {
            name: text(),
            threshold: 2,
            count: 3,
            public: true,
            messages: Some(1),
        },
        Ask::OwnersList { topic: text() },
        Ask::OwnersPending,
        Ask::OwnersSign { id: text() },
        Ask::OwnersPropose {
            topic: text(),
            add: vec![text()],
            remove: vec![text()],
            threshold: Some(2),
        },
        Ask::DeviceInvite,
        Ask::DeviceJoin {
            link: text(),
            timeout_ms: 1,
        },
        Ask::DeviceList,
        Ask::DeviceRemove {
            device: text(),
            topic: None,
        },
        Ask::DeviceBranches {
            topic: Some(text()),
        },
        Ask::DeviceChoose {
            topic: text(),
            act: text(),
        },
        Ask::TopicCreate {
            name: text(),
            public: true,
            messages: Some(10),
        },
        Ask::TopicLink { topic: text() },
        Ask::TopicList,
        Ask::TopicInfo { topic: text() },
        Ask::Members { topic: text() },
        Ask::Grant {
            topic: text(),
            member: text(),
            rights: vec![Right::Publish, Right::Read, Right::Admit],
            from: Some(1),
            until: Some(2),
            messages: Some(10),
            bytes: Some(1_000),
            at: Some(3),
        },
        Ask::Revoke {
            topic: text(),
            member: text(),
            only: vec![Right::Read],
            cut: Some(text()),
            cascade: true,
        },
        Ask::TopicLeave { topic: text() },
        Ask::TopicForget { topic: text() },
        Ask::Invite {
            topic: text(),
            uses: 1,
            until: None,
            rights: vec![Right::Publish, Right::Read],
            read_from: Some(1),
            read_until: None,
            messages: Some(10),
            while_away: true,
        },
        Ask::JoinLook {
            link: text(),
            timeout_ms: 1,
        },
        Ask::Join {
            link: text(),
            name: None,
            timeout_ms: 1,
        },
        Ask::Send {
            to: text(),
            messages: vec![Text::of(vec![0xff]), Text::of(b"a".to_vec())],
            expires: Some(1),
            best_effort: false,
        },
        Ask::Share {
            topic: text(),
            path: text(),
            expires: Some(1),
        },
        Ask::Files { topic: text() },
        Ask::FilesDrop {
            topic: text(),
            file: text(),
        },
        Ask::FilesLimit {
            topic: text(),
            bytes: Some(1),
        },
        Ask::Unshare {
            topic: text(),
            file: text(),
        },
        Ask::Get {
            topic: text(),
            file: text(),
            to: text(),
            timeout_ms: 1,
        },
        Ask::Wait {
            id: text(),
            state: WaitState::Held,
            of: Some(1),
            timeout_ms: 1,
        },
        Ask::Read {
            topic: text(),
            from: From::AfterMessage(text()),
            limit: 1,
        },
        Ask::Confirm {
            topic: text(),
            n: 1,
        },
        Ask::Inbox { after: 0, limit: 1 },
        Ask::Ping {
            node: text(),
            timeout_ms: 1,
        },
        Ask::Why { id: None },
        Ask::Changed { after: 0 },
        Ask::Backup { file: text() },
        Ask::Down,
    ]
}
