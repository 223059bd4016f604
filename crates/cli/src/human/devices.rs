//! Devices in words.

use super::plural;
use crate::plain::line;
use crate::schema::{Branch, Chosen, DeviceJoined, DeviceRemoved, OwnDevice, OwnDeviceTopic};

/// `way device list`.
#[must_use]
pub fn list(devices: &[OwnDevice]) -> String {
    let texts: Vec<String> = devices.iter().map(one).collect();
    texts.join("\n")
}

fn one(device: &OwnDevice) -> String {
    let name = if device.name.is_empty() {
        "a device without a name".to_owned()
    } else {
        line(&device.name)
    };
    let mut marks = Vec::new();
    if device.own {
        marks.push("this device".to_owned());
    } else if device.linked {
        marks.push("linked".to_owned());
    } else if let Some(seen) = &device.seen {
        marks.push(format!("last seen {}", line(seen)));
    }
    if let Some(since) = &device.since {
        marks.push(format!("yours since {}", line(since)));
    }
    let marks = match marks.is_empty() {
        true => String::new(),
        false => format!("  ({})", marks.join(", ")),
    };
    let mut text = format!("{name}{marks}");
    for topic in &device.topics {
        text.push_str(&format!("\n  {}", part(topic)));
        for tie in topic.ties.iter().filter(|_| device.own) {
            text.push_str(&format!(
                "\n    two devices changed your devices at once: act {} counts, act {} does not; \
                 `way device branches` says who can decide for the other",
                short(&tie.taken),
                short(&tie.other)
            ));
        }
    }
    text
}

fn part(topic: &OwnDeviceTopic) -> String {
    let seat = if topic.seated {
        match &topic.since {
            Some(since) => format!("since {}", line(since)),
            None => "from the beginning".to_owned(),
        }
    } else {
        "has no seat".to_owned()
    };
    let wrote = match &topic.seen {
        Some(seen) => format!("wrote last {}", line(seen)),
        None => "has not written".to_owned(),
    };
    let key = short(&topic.device);
    format!("{}  key {key}  {seat}, {wrote}", line(&topic.name))
}

/// Enough of a key or an act to name it.
fn short(text: &str) -> String {
    line(text).chars().take(12).collect()
}

/// `way device join`.
#[must_use]
pub fn joined(joined: &DeviceJoined) -> String {
    let topics = plural(u64::from(joined.topics), "topic", "topics");
    format!(
        "this is now a device of the same person as {}: {topics} handed over",
        line(&joined.name)
    )
}

/// `way device remove`.
#[must_use]
pub fn removed(removed: &DeviceRemoved) -> String {
    let device = line(&removed.device);
    let mut text = match removed.topics.as_slice() {
        [] => format!("{device} is not known to this device any more"),
        topics => {
            let topics: Vec<String> = topics.iter().map(|topic| line(topic)).collect();
            format!(
                "{device} is removed from {}; what it wrote so far stands\n\
                 if it removes this device at the same time, the one that was there first stays, unless \
                 another of yours, or who gave you your rights, decides otherwise (`way device choose`)",
                topics.join(", ")
            )
        }
    };
    for failed in &removed.failed {
        text.push_str(&format!(
            "\nnot removed from {}: {}",
            line(&failed.topic),
            line(&failed.reason)
        ));
    }
    text
}

/// `way device branches`.
#[must_use]
pub fn branches(branches: &[Branch]) -> String {
    if branches.is_empty() {
        return "no devices have changed a member's devices at once".to_owned();
    }
    let texts: Vec<String> = branches.iter().map(branch).collect();
    texts.join("\n")
}

fn branch(branch: &Branch) -> String {
    let names = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| line(name)).collect();
        names.join(", ")
    };
    let whose = if branch.own { "yours" } else { "another's" };
    let counts = if branch.counts {
        "counts"
    } else {
        "does not count"
    };
    let mut text = format!(
        "{}  {}, {whose}: {counts}",
        short(&branch.act),
        line(&branch.name)
    );
    if !branch.removes.is_empty() {
        text.push_str(&format!("; removes {}", names(&branch.removes)));
    }
    if !branch.adds.is_empty() {
        text.push_str(&format!("; adds {}", names(&branch.adds)));
    }
    text.push_str(&format!("; signed by {}", names(&branch.signed)));
    match branch.may.as_str() {
        "sign" => text.push_str("\n  this device can sign it (`way device choose`)"),
        "countersign" => text.push_str("\n  you can decide for it (`way device choose`)"),
        _ => {}
    }
    text
}

/// `way device choose`.
#[must_use]
pub fn chosen(chosen: &Chosen) -> String {
    let done = if chosen.countersigned {
        "countersigned"
    } else {
        "signed"
    };
    let counts = if chosen.counts {
        "it counts now"
    } else {
        "it does not count yet"
    };
    format!("{done} {}: {counts}", short(&chosen.act))
}
