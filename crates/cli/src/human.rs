//! The objects in words, for people.
//!
//! Whatever comes from others passes [`crate::plain`] first.

pub mod devices;
pub mod files;
pub mod members;
pub mod owners;

use std::collections::BTreeMap;

use crate::plain::{block, line};
use crate::schema;
use crate::size::Size;

/// Columns, aligned; the first row is the heading.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn listing<T>(
    things: &[T],
    none: &str,
    heading: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> String {
    if things.is_empty() {
        return none.to_owned();
    }
    let heading = heading.iter().map(|&cell| cell.to_owned()).collect();
    let rows: Vec<_> = std::iter::once(heading)
        .chain(things.iter().map(row))
        .collect();
    table(&rows)
}

/// RFC 3339 without seconds, for a person; what is not a time is shown as it is.
fn minutes(at: &str) -> String {
    match (at.get(..10), at.get(10..11), at.get(11..16)) {
        (Some(date), Some("T"), Some(time)) => format!("{date} {time}Z"),
        _ => line(at),
    }
}

/// RFC 3339 with seconds, for a person; what is not a time is shown as it is.
fn seconds(at: &str) -> String {
    match (at.get(..10), at.get(10..11), at.get(11..19)) {
        (Some(date), Some("T"), Some(time)) => format!("{date} {time}Z"),
        _ => line(at),
    }
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

/// A name, or what stands for one that is missing.
pub(crate) fn named(name: &str, id: &str) -> String {
    if name.is_empty() {
        short(id)
    } else {
        line(name)
    }
}

fn short(id: &str) -> String {
    let id = line(id);
    let start: String = id.chars().take(14).collect();
    if id.chars().count() > 15 {
        format!("{start}…")
    } else {
        id
    }
}

fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}

/// What a node says that is within reach of its core nodes alone.
const CORES_ALONE: &str = "core";
const BY_CORES: &str = "by its core nodes alone: nobody else is dialled, or told where it is";

/// `way up`.
#[must_use]
pub fn up(up: &schema::Up) -> String {
    let what = if up.core { "core node" } else { "node" };
    let mut text = format!(
        "{what} {} is up\n  id       {}",
        named(&up.name, &up.id),
        up.id
    );
    for address in &up.addresses {
        text.push_str(&format!("\n  address  {}", line(address)));
    }
    text.push_str(&format!("\n  home     {}", line(&up.home)));
    match up.reachable {
        Some(true) => text.push_str("\n  the public address is reachable"),
        Some(false) => text.push_str(
            "\n  the public address is NOT reachable from here: check the firewall and --public",
        ),
        None => {}
    }
    text
}

/// `way status`.
#[must_use]
pub fn status(status: &schema::Status) -> String {
    let what = if status.core { "core node" } else { "node" };
    let used = Size(status.store.bytes);
    let store = match status.store.limit {
        0 => used.to_string(),
        limit => format!("{used} of {}", Size(limit)),
    };
    let mut rows = vec![
        vec![
            what.to_owned(),
            format!("{}  {}", line(&status.name), status.id),
        ],
        vec!["links".into(), status.links.to_string()],
        vec!["topics".into(), status.topics.to_string()],
        vec![
            "queued".into(),
            plural(status.queued, "message", "messages"),
        ],
        vec!["store".into(), store],
    ];
    if status.reach == CORES_ALONE {
        rows.push(vec!["reach".into(), BY_CORES.to_owned()]);
    }
    for core in &status.cores {
        let used = Size(core.used);
        let quota = Size(core.quota);
        rows.push(vec![
            "core node".into(),
            format!(
                "{}  {}, {used} of {quota}{}",
                core.id,
                line(&core.state),
                headers(core.headers, core.header_quota)
            ),
        ]);
    }
    if !status.rules.is_empty() {
        rows.push(vec!["rate rules".into(), line(&status.rules)]);
    }
    let mut text = table(&rows);
    if status.problems.is_empty() {
        text.push_str("\nall is well");
    }
    for problem in &status.problems {
        text.push_str(&format!(
            "\nproblem: {} ({})",
            line(&problem.text),
            line(&problem.code)
        ));
        if !problem.hint.is_empty() {
            text.push_str(&format!("\n         {}", line(&problem.hint)));
        }
    }
    text
}

/// `way id` and `way name`.
#[must_use]
pub fn identity(identity: &schema::Identity) -> String {
    let mut text = format!("{}\n{}", line(&identity.name), identity.id);
    for address in &identity.addresses {
        text.push_str(&format!("\n{}", line(address)));
    }
    if identity.reach == CORES_ALONE {
        text.push_str(&format!("\n{BY_CORES}"));
    }
    text
}

/// `way peers`.
#[must_use]
pub fn peers(peers: &[schema::Peer]) -> String {
    let none = "no peers; `way peer add node1…@host:port` keeps a link to one";
    listing(
        peers,
        none,
        &["NAME", "LINK", "RTT", "SINCE", "WHY", "NODE", "ADDRESS"],
        |peer| {
            vec![
                line(&peer.name),
                if peer.linked {
                    line(&peer.transport)
                } else {
                    "down".into()
                },
                peer.rtt_ms
                    .map_or_else(String::new, |ms| format!("{ms:.1} ms")),
                peer.since.as_deref().map_or_else(String::new, minutes),
                match &peer.by {
                    Some(_) => format!("{}, by rendezvous", line(&peer.why)),
                    None => line(&peer.why),
                },
                peer.id.clone(),
                line(&peer.address),
            ]
        },
    )
}

/// `way core clients`.
#[must_use]
pub fn clients(clients: &[schema::Client]) -> String {
    let none = "no clients; `way core invite` makes an invite for one";
    listing(
        clients,
        none,
        &["CLIENT", "USED", "QUOTA", "TOPICS", "SERVED", "SINCE"],
        |client| {
            vec![
                client.id.clone(),
                Size(client.used).to_string(),
                Size(client.quota).to_string(),
                client.topics.to_string(),
                yes(client.allowed),
                minutes(&client.since),
            ]
        },
    )
}

/// `way core deny`.
#[must_use]
pub fn core_denied(denied: &schema::CoreDenied) -> String {
    let held = Size(denied.held_bytes);
    let fate = match &denied.held_until {
        Some(until) => format!(
            "{held} stay and are handed over, as promised, until {}",
            minutes(until)
        ),
        None => "nothing was held for it".to_owned(),
    };
    format!(
        "{} is a client no longer: nothing new is taken for it; {fate}",
        denied.id
    )
}

/// `way core retire`.
#[must_use]
pub fn core_retires(retires: &schema::CoreRetires) -> String {
    let kept = retires
        .promised_until
        .as_ref()
        .map_or_else(String::new, |until| {
            format!(
                "; what it has promised it must keep until {}",
                minutes(until)
            )
        });
    match &retires.by {
        Some(by) => format!(
            "this core node ends {}: it takes no new clients and topics, and its clients are told{kept}",
            minutes(by)
        ),
        None => "this core node does not end".to_owned(),
    }
}

/// `way core list`.
#[must_use]
pub fn cores(cores: &[schema::Core]) -> String {
    let none = "no core nodes; `way core use LINK` makes this node the client of one";
    let mut text = listing(
        cores,
        none,
        &[
            "CORE", "STATE", "LINK", "USED", "QUOTA", "TOPICS", "ADDRESS",
        ],
        |core| {
            vec![
                core.id.clone(),
                line(&core.state),
                if core.linked { "up" } else { "down" }.to_owned(),
                Size(core.used).to_string(),
                Size(core.quota).to_string(),
                core.topics.to_string(),
                line(&core.address),
            ]
        },
    );
    for core in cores {
        text.push_str(&about_core(core, cores));
    }
    text
}

/// Hexadecimal digits of an operator's tag that people are shown: enough to tell apart those whom one
/// person uses.
const OPERATOR_DIGITS: usize = 8;

/// The beginning of an operator's tag.
fn operator(tag: &str) -> String {
    line(tag.get(..OPERATOR_DIGITS).unwrap_or(tag))
}

/// What headers use, once a core node has said it.
fn headers(used: u64, quota: u64) -> String {
    match quota {
        0 => String::new(),
        _ => format!(", headers {} of {}", Size(used), Size(quota)),
    }
}

/// What is to be known of a core node beside its line in a list.
fn about_core(core: &schema::Core, all: &[schema::Core]) -> String {
    let mut text = String::new();
    let mut add = |more: String| text.push_str(&format!("\n  {more}"));
    if core.header_quota > 0 {
        let headers = headers(core.headers, core.header_quota);
        add(headers.trim_start_matches(", ").to_owned());
    }
    for of in &core.shares {
        let (own, guests) = (Size(of.own), Size(of.guests));
        add(format!(
            "{}: {own} own, {guests} of others, of a share of {}",
            named(&of.name, &of.topic),
            Size(of.share)
        ));
    }
    if let Some(said) = core.said.as_ref().filter(|_| core.header_quota > 0) {
        add(format!("said {}", minutes(said)));
    }
    if let Some(tag) = &core.operator {
        let others = all.iter().filter(|other| other.id != core.id);
        let same = others.filter(|other| other.operator.as_ref() == Some(tag));
        let same: Vec<String> = same.map(|other| short(&other.id)).collect();
        let more = match same.is_empty() {
            true => String::new(),
            false => format!(", as {}: what they hold counts once", same.join(" and ")),
        };
        add(format!("operator {}{more}", operator(tag)));
    }
    if let Some(reason) = &core.reason {
        let since = core.refused_since.as_deref();
        let since = since.map_or_else(String::new, |at| format!(" since {}", minutes(at)));
        add(format!("refuses{since}: {}", line(reason)));
    }
    if let Some(until) = &core.held_until {
        add(format!(
            "its last promise ends {} at the latest",
            minutes(until)
        ));
    }
    if let Some(retires) = &core.retires {
        add(format!("ends {}, as its operator says", minutes(retires)));
    }
    if let Some(broken) = &core.broken {
        let since = core.broken_since.as_deref();
        let since = since.map_or_else(String::new, |at| format!(" since {}", minutes(at)));
        add(format!("is not believed{since}: {}", line(broken)));
    }
    if let Some(gone) = &core.gone_since {
        add(format!("not reached since {}", minutes(gone)));
    }
    if let Some(hint) = &core.hint {
        add(line(hint));
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{}{text}", short(&core.id))
    }
}

/// A warning beside what was done.
#[must_use]
pub fn warning(warning: &schema::Problem) -> String {
    let mut text = format!("way: {} ({})", line(&warning.text), line(&warning.code));
    if !warning.hint.is_empty() {
        text.push_str(&format!("\n     {}", line(&warning.hint)));
    }
    text
}

/// `way topic list`.
#[must_use]
pub fn topics(topics: &[schema::Topic]) -> String {
    let none = "no topics; `way topic create NAME` makes one, `way join LINK` joins one";
    listing(
        topics,
        none,
        &["NAME", "UNREAD", "LINES", "MEMBERS", "ROLE", "TOPIC"],
        |topic| {
            vec![
                line(&topic.name),
                topic.unread.to_string(),
                topic.lines.to_string(),
                topic.members.to_string(),
                line(&topic.role),
                topic.id.clone(),
            ]
        },
    )
}

/// What the files of a topic take.
fn taken(bytes: u64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("{} of at most {}", Size(bytes), Size(limit)),
        None => Size(bytes).to_string(),
    }
}

/// `way topic info`.
#[must_use]
pub fn topic_info(info: &schema::TopicInfo) -> String {
    let mut text = format!("{}  {}\n", line(&info.name), info.id);
    text.push_str(&table(&[
        vec!["role".into(), line(&info.role)],
        vec![
            "lines".into(),
            format!("{}, {} unread", info.lines, info.unread),
        ],
        vec![
            "holds".into(),
            format!("{} envelopes, {}", info.envelopes, Size(info.bytes)),
        ],
        vec!["files".into(), taken(info.files_bytes, info.files_limit)],
        vec![
            "in sync".into(),
            format!("with {}", plural(info.peers.into(), "peer", "peers")),
        ],
    ]));
    for device in &info.devices {
        let mark = match (device.own, device.left) {
            (true, _) => " (this device)",
            (false, true) => " (left)",
            (false, false) => "",
        };
        let wrote = plural(device.envelopes, "envelope", "envelopes");
        let name = named(&device.name, &device.device);
        text.push_str(&format!("\nmember   {name}{mark}, {wrote}"));
    }
    for core in &info.cores {
        text.push_str(&format!("\ncore     {}  {}", core.id, line(&core.address)));
    }
    for invite in &info.invites {
        let (used, uses, until) = (invite.used, invite.uses, minutes(&invite.until));
        let beyond = match used > uses {
            true => "; `way members` shows who came beyond that",
            false => "",
        };
        text.push_str(&format!(
            "\ninvite   {} used {used} of {uses}, until {until}{beyond}",
            short(&invite.id)
        ));
    }
    for of in &info.waiting {
        let why = if of.beyond {
            "the invite is used up, was over or taken back in part, or this device cannot give as much: \
             `way grant` lets it in"
        } else {
            "it is about to be welcomed"
        };
        text.push_str(&format!(
            "\nwaiting  {} since {}, by invite {}: {why}",
            short(&of.device),
            minutes(&of.at),
            short(&of.invite)
        ));
    }
    for gift in &info.releases {
        let rights: Vec<&str> = gift.rights.iter().map(|it| it.right.as_str()).collect();
        text.push_str(&format!(
            "\nlater    {} is given {} at {}",
            short(&gift.member),
            rights.join(", "),
            minutes(&gift.at)
        ));
    }
    if let Some(whom) = &info.waits_for {
        text.push_str(&format!("\nwaits for {}", line(whom)));
    }
    if info.public {
        text.push_str("\npublic   whoever knows the topic reads it; writing takes a grant");
    }
    if let (true, Some(key)) = (info.public, &info.device) {
        text.push_str(&format!(
            "\nkey      {key} (this device's, to be granted rights)"
        ));
    }
    for author in &info.forked {
        text.push_str(&format!(
            "\nforked   {}: signed two histories; of those stands what others name",
            line(author)
        ));
    }
    text
}

/// Who invites to what.
#[must_use]
pub fn invitation(invitation: &schema::Invitation) -> String {
    let next = if invitation.attended {
        "somebody who may admit has to welcome you before you take part"
    } else {
        "you take part at once, and may write so much before somebody who may admit has been online"
    };
    format!(
        "{} invites you to the topic {}\n  {}\n  you may {}\n  the link is good until {}\n  {next}",
        named(&invitation.inviter_name, &invitation.inviter),
        line(&invitation.topic_name),
        invitation.topic,
        invited(&invitation.rights, (invitation.messages, invitation.bytes)),
        minutes(&invitation.expires),
    )
}

/// What an invite gives.
#[must_use]
pub fn invited(
    rights: &[schema::InvitedRight],
    (messages, bytes): (Option<u32>, Option<u32>),
) -> String {
    let each = rights.iter().map(|given| {
        let mut text = match given.right.as_str() {
            "publish" => "write messages".to_owned(),
            "read" => "read".to_owned(),
            "admit" => "let others in".to_owned(),
            other => line(other),
        };
        if let Some(from) = &given.from {
            text.push_str(&format!(" from {}", seconds(from)));
        }
        if let Some(until) = &given.until {
            text.push_str(&format!(" until {}", seconds(until)));
        }
        text
    });
    let mut text = each.collect::<Vec<_>>().join(", ");
    if let Some(messages) = messages {
        let messages = plural(messages.into(), "message", "messages");
        text.push_str(&format!("; {messages} a minute"));
    }
    if let Some(bytes) = bytes {
        text.push_str(&format!("; {} a minute", Size(bytes.into())));
    }
    text
}

/// A line of `way read`.
#[must_use]
pub fn topic_line(entry: &schema::Line) -> String {
    let who = named(&entry.from_name, &entry.from);
    let head = format!("{} {}", entry.n, minutes(&entry.at));
    match entry.kind.as_str() {
        "file" => {
            let size = entry.file.as_ref().map_or(0, |file| file.size);
            let name = line(&entry.text);
            format!("{head} {who} shares {name} ({}): way get", Size(size))
        }
        "join" => format!("{head} * {who} joined"),
        "leave" => format!("{head} * {who} left"),
        "gap" => format!(
            "{head} * a message of {who} is not here: {}",
            line(&entry.text)
        ),
        "withdrawn" => {
            let what = entry
                .of
                .map_or_else(String::new, |of| format!(" in line {of}"));
            let why = line(&entry.text);
            format!("{head} * what {who} said{what} is withdrawn: {why}")
        }
        "restored" => {
            let of = entry.of.unwrap_or(entry.n);
            format!("{head} * what {who} said in line {of} stands again")
        }
        _ => format!("{head} {who}: {}", block(&entry.text, "    | ")),
    }
}

/// A line of `way inbox`.
#[must_use]
pub fn mail(mail: &schema::Mail) -> String {
    let who = named(&mail.from_name, &mail.from);
    format!(
        "{} {} {who}: {}",
        mail.n,
        minutes(&mail.at),
        block(&mail.text, "    | ")
    )
}

/// `way why`.
#[must_use]
pub fn why(why: &schema::Why) -> String {
    let mut text = format!("{}\n  to {}\n", why.id, line(&why.to));
    let mut rows = Vec::new();
    for state in &why.states {
        let mut about = Vec::new();
        if let Some(until) = &state.until {
            about.push(format!("until {}", minutes(until)));
        }
        if let Some(tag) = &state.operator {
            about.push(format!("operator {}", operator(tag)));
        }
        if let Some(reason) = &state.reason {
            about.push(line(reason));
        }
        rows.push(vec![
            format!("  {}", line(&state.state)),
            named(&state.by_name, &state.by),
            minutes(&state.at),
            about.join(", "),
        ]);
    }
    text.push_str(&table(&rows));
    text.push_str(&format!(
        "\ndelivered {} of {}, held by {}",
        why.delivered,
        why.members,
        plural(why.held.into(), "custodian", "custodians")
    ));
    for names in together(&why.states) {
        text.push_str(&format!(
            "\none operator, counted once: {}",
            names.join(", ")
        ));
    }
    for waits_for in &why.waits_for {
        text.push_str(&format!("\nwaits for {}", line(waits_for)));
    }
    if !why.hint.is_empty() {
        text.push_str(&format!("\n{}", line(&why.hint)));
    }
    text
}

/// Core nodes whose promises count as one custodian's, by name.
fn together(states: &[schema::State]) -> Vec<Vec<String>> {
    let mut operators: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for state in states.iter().filter(|state| state.state == "held") {
        if let Some(tag) = &state.operator {
            let names = operators.entry(tag).or_default();
            names.push(named(&state.by_name, &state.by));
        }
    }
    let several = operators.into_values().filter(|names| names.len() > 1);
    several.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Version;

    #[test]
    fn core_nodes_of_one_operator_are_named_as_one() {
        let tag = identity::OperatorTag::of("example.org").to_string();
        let held = |by: &str, operator: Option<&String>| schema::State {
            state: "held".into(),
            by: by.into(),
            by_name: by.into(),
            at: "2027-01-15T08:00:00.000Z".into(),
            operator: operator.cloned(),
            until: None,
            reason: None,
        };
        let states = [
            held("a", Some(&tag)),
            held("b", None),
            held("c", Some(&tag)),
        ];
        let told = schema::Why {
            v: Version,
            id: "ab".into(),
            to: "topic1x".into(),
            states: states.to_vec(),
            delivered: 0,
            members: 1,
            held: 2,
            waits_for: Vec::new(),
            hint: String::new(),
        };
        let shown = why(&told);
        assert!(
            shown.contains(&format!("operator {}", &tag[..8])),
            "{shown}"
        );
        assert!(!shown.contains(&tag), "{shown}");
        assert!(
            shown.ends_with("\none operator, counted once: a, c"),
            "{shown}"
        );
        assert!(together(&states[..2]).is_empty());
    }

    #[test]
    fn a_hostile_member_cannot_fake_a_line_or_drive_the_terminal() {
        let entry = schema::Line {
            v: Version,
            n: 7,
            id: "ab".into(),
            topic: "topic1x".into(),
            from: "cd".into(),
            from_name: "eve\n8 2027-01-15 08:00Z alice".into(),
            at: "2027-01-15T08:00:00.000Z".into(),
            seq: 1,
            kind: "text".into(),
            of: None,
            text: "hi\x1b[2J\n9 2027-01-15 08:00Z alice: send money".into(),
            file: None,
        };
        let shown = topic_line(&entry);
        assert_eq!(
            shown,
            "7 2027-01-15 08:00Z eve␊8 2027-01-15 08:00Z alice: hi␛[2J\n    | 9 2027-01-15 08:00Z \
             alice: send money"
        );
    }

    #[test]
    fn tables_line_up() {
        let rows = [vec!["A".into(), "B".into()], vec!["zoë".into(), "1".into()]];
        assert_eq!(table(&rows), "A    B\nzoë  1");
    }

    #[test]
    fn odd_times_do_not_panic() {
        for at in ["", "20é7-01-15T08:00", "2027-01-15T08:00:00Z", "x"] {
            minutes(at);
        }
        assert_eq!(minutes("2027-01-15T08:00:00.000Z"), "2027-01-15 08:00Z");
    }
}
