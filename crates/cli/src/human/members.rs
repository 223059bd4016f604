//! Members in words.

use super::{minutes, named, plural, short};
use crate::plain::line;
use crate::schema::{Came, Grant, GrantRight, Member, MemberDevice, Used};
use crate::size::Size;
use rights::eff::limits::{BUCKET_MS, MINUTE_MS};

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
    if let Some(came) = &grant.came {
        text.push_str(&came_by(grant, came));
    }
    if let Some(used) = &grant.used {
        text.push_str(&in_use(grant, used));
    }
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

/// By which invite somebody came; and if beyond its uses, by what that can be seen.
fn came_by(grant: &Grant, came: &Came) -> String {
    let invite = came.invite.as_ref().filter(|invite| **invite != grant.id);
    let invite = invite.map(|invite| format!("; came by invite {}", short(invite)));
    let mut text = invite.unwrap_or_default();
    if let (true, Some(place), Some(uses)) = (came.beyond, came.place, came.uses) {
        text.push_str(&format!(
            "; beyond the uses of the invite: number {place} of {uses} (claim {}, envelope {})",
            short(&came.claim),
            short(&came.envelope)
        ));
    }
    text
}

/// What is used of bounds. A chain may spend ten minutes of its rate at once.
fn in_use(grant: &Grant, used: &Used) -> String {
    let at_once = |rate: Option<u32>| Some(u64::from(rate?) * (BUCKET_MS / MINUTE_MS));
    let both = |used: Option<u64>, of: Option<u64>| Some((used?, of?));
    let rates = [
        both(used.messages, at_once(grant.messages))
            .map(|(used, of)| format!("{used} of {of} messages")),
        both(used.bytes, at_once(grant.bytes))
            .map(|(used, of)| format!("{} of {}", Size(used), Size(of))),
    ];
    let in_all = [
        both(used.envelopes_in_all, grant.envelopes_in_all)
            .map(|(used, of)| format!("{used} of {of} envelopes")),
        both(used.bytes_in_all, grant.bytes_in_all)
            .map(|(used, of)| format!("{} of {}", Size(used), Size(of))),
    ];
    let said = [(rates, "of ten minutes"), (in_all, "in all")].map(|(parts, when)| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => String::new(),
            false => format!("; used {when}: {}", parts.join(", ")),
        }
    });
    said.concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_and_who_came_beyond_is_said() {
        let mut grant: Grant = serde_json::from_value(serde_json::json!({
            "id": "aa", "kind": "grant", "depth": 1, "by_name": "", "since": "2026-11-20T00:00:00Z", "stands": true,
            "writes": true, "rights": [], "messages": 6, "bytes": 1024, "envelopes_in_all": 64, "bytes_in_all": 1_048_576,
            "used": {"messages": 7, "bytes": 512, "envelopes_in_all": 3, "bytes_in_all": 2048}
        }))
        .expect("a grant");
        assert!(given(&grant).ends_with(
            "; used of ten minutes: 7 of 60 messages, 512 B of 10 KiB; used in all: 3 of 64 envelopes, 2 KiB of 1 MiB"
        ), "{}", given(&grant));
        grant.used = None;
        assert!(!given(&grant).contains("used"));
        let came = |place: u32| {
            let came = serde_json::json!({
                "invite": "bb", "claim": "cc", "envelope": "dd", "place": place, "uses": 2, "beyond": place > 2
            });
            serde_json::from_value(came).ok()
        };
        grant.came = came(2);
        assert!(
            given(&grant).ends_with("; came by invite bb"),
            "{}",
            given(&grant)
        );
        grant.came = came(3);
        let beyond = "; beyond the uses of the invite: number 3 of 2 (claim cc, envelope dd)";
        assert!(given(&grant).ends_with(beyond), "{}", given(&grant));
    }
}
