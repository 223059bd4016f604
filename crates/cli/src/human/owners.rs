//! Owners in words.

use super::{members, minutes, short};
use crate::plain::line;
use crate::schema::{Owner, Owners, Proposal};

/// `way owners list`.
#[must_use]
pub fn list(owners: &Owners) -> String {
    let mut text = format!(
        "{} of {} own {}",
        owners.threshold,
        owners.devices.len(),
        line(&owners.name)
    );
    for device in &owners.devices {
        text.push_str(&format!("\n  {}", called(device)));
    }
    for missing in &owners.missing {
        text.push_str(&format!("\n{}", line(missing)));
    }
    text
}

fn called(owner: &Owner) -> String {
    let name = line(&owner.name);
    if owner.own {
        format!("{name} (this device)")
    } else {
        name
    }
}

/// `way owners pending`.
#[must_use]
pub fn pending(all: &[Proposal]) -> String {
    if all.is_empty() {
        return "nothing waits for signatures".to_owned();
    }
    let texts: Vec<String> = all.iter().map(one).collect();
    texts.join("\n")
}

/// `way owners sign` and `way owners propose`.
#[must_use]
pub fn one(proposal: &Proposal) -> String {
    let id: String = line(&proposal.id).chars().take(12).collect();
    let names = |owners: &[Owner]| {
        let names: Vec<String> = owners.iter().map(called).collect();
        names.join(", ")
    };
    let state = if proposal.done {
        "published".to_owned()
    } else {
        let signed = match names(&proposal.signed) {
            nobody if nobody.is_empty() => "nobody yet".to_owned(),
            signed => signed,
        };
        format!(
            "signed by {signed}; {} more, of {}",
            proposal.lacks,
            names(&proposal.waits_for)
        )
    };
    let since = minutes(&proposal.since);
    let mut text = format!(
        "{id}  {}: {} (since {since})",
        line(&proposal.name),
        line(&proposal.text)
    );
    for given in &proposal.gives {
        let (rights, messages) = (&given.rights, given.messages);
        let bounds = members::bounds(rights, (messages, given.bytes));
        text.push_str(&format!("\n  {}: {bounds}", line(&given.name)));
    }
    for end in proposal.takes.iter().filter(|end| end.cascade) {
        let grant = short(&end.grant);
        text.push_str(&format!("\n  {grant}: with all that was given out of it"));
    }
    text.push_str(&format!("\n  {state}"));
    text
}
