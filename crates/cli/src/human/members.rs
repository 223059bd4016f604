//! Members in words.

use super::{minutes, named, plural, short};
use crate::plain::line;
use crate::schema::{Grant, GrantRight, Member, MemberDevice};
use crate::size::Size;

/// `way members`.
#[must_use]
pub fn list(members: &[Member]) -> String {
    if members.is_empty() {
        return "nobody is known to take part yet".to_owned();
    }
    let texts: Vec<String> = members.iter().map(one).collect();
    texts.join("\n")
}

fn one(member: &Member) -> String {
    let stands = member.grants.iter().any(|grant| grant.stands);
    let name = match member.devices.as_slice() {
        [device] => called(device),
        devices => format!("{} with {} devices", short(&member.id), devices.len()),
    };
    let ended = if stands { "" } else { " (takes part no more)" };
    let mut text = format!("{name}{ended}");
    if member.devices.len() > 1 {
        for device in &member.devices {
            text.push_str(&format!("\n  {}", called(device)));
        }
    }
    for grant in &member.grants {
        text.push_str(&format!("\n  {}", given(grant)));
    }
    text
}

fn called(device: &MemberDevice) -> String {
    let mut marks = Vec::new();
    if device.own {
        marks.push("this device".to_owned());
    }
    if device.left {
        marks.push("left".to_owned());
    }
    if !device.seated {
        marks.push("has no seat".to_owned());
    } else if device.share < 256 {
        marks.push(format!("{} of 256 of its rates", device.share));
    }
    let marks = match marks.is_empty() {
        true => String::new(),
        false => format!(" ({})", marks.join(", ")),
    };
    let name = named(&device.name, &device.device);
    let wrote = plural(device.envelopes, "envelope", "envelopes");
    format!("{name}{marks}, {wrote}")
}

fn given(grant: &Grant) -> String {
    let by = grant.by.as_ref();
    let by = by.map(|by| format!(" by {}", named(&grant.by_name, by)));
    let by = by.unwrap_or_default();
    let what = match grant.kind.as_str() {
        "own" => "owns the topic".to_owned(),
        "invite" => format!("invited{by}"),
        _ => format!("granted{by}"),
    };
    let mut text = format!(
        "{what} since {} ({}): {}",
        minutes(&grant.since),
        short(&grant.id),
        bounds(&grant.rights, (grant.messages, grant.bytes))
    );
    for end in &grant.ends {
        let above = if end.above { " above it" } else { "" };
        let part = end.rights.len() < grant.rights.len();
        let rights: Vec<String> = end
            .rights
            .iter()
            .filter(|_| part)
            .map(|it| line(it))
            .collect();
        let rights = rights.join(", ");
        text.push_str(&format!(
            "; {rights}{}{}{above} {} by {}",
            if part { " " } else { "" },
            line(&end.how),
            minutes(&end.at),
            named(&end.by_name, &end.by)
        ));
    }
    if grant.ends.is_empty() && !grant.stands {
        text.push_str("; stands no more");
    }
    text
}

/// Rights with their times and rates.
pub(super) fn bounds(
    rights: &[GrantRight],
    (messages, bytes): (Option<u32>, Option<u32>),
) -> String {
    let rights: Vec<String> = rights.iter().map(right).collect();
    let mut text = rights.join(", ");
    if let Some(messages) = messages {
        let messages = plural(messages.into(), "message", "messages");
        text.push_str(&format!("; {messages} a minute"));
    }
    if let Some(bytes) = bytes {
        text.push_str(&format!("; {} a minute", Size(bytes.into())));
    }
    text
}

fn right(right: &GrantRight) -> String {
    let mut text = line(&right.right);
    if let Some(from) = &right.from {
        text.push_str(&format!(" from {}", minutes(from)));
    }
    if let Some(until) = &right.until {
        text.push_str(&format!(" until {}", minutes(until)));
    }
    if right.over {
        text.push_str(" (taken back)");
    }
    text
}
