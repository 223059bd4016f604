//! What a core node's home says about those whom it serves.

use std::path::Path;
use std::time::Duration;

use crate::search::{Needle, search};
use crate::secrets::secrets;
use crate::stage::{Stage, until};
use crate::{Failed, Report};

const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "orchard-at-the-brook";
const NAMES: [&str; 2] = ["Wilhelmina-of-the-mill", "Bartholomew-the-baker"];
const TEXTS: [&str; 4] = [
    "The plums are ripe since yesterday.",
    "Bring the long ladder and two baskets.",
    "Only one basket is left, the other has no bottom.",
    "Then we carry them in the wheelbarrow, slowly.",
];

pub(crate) fn measure(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let stage = Stage::new(way)?;
    let core = stage.core("core")?;
    let (alice, bob) = (stage.person("alice")?, stage.person("bob")?);
    for (person, name) in [&alice, &bob].into_iter().zip(NAMES) {
        person.way(&["up", "-d", "--name", name, "--listen", "127.0.0.1:0"])?;
        person.uses(&core, "64MiB")?;
    }
    alice.way(&["topic", "create", TOPIC])?;
    let link = alice.text(&["invite", TOPIC], "link")?;
    bob.way(&["join", &link, "--yes"])?;
    let [one, two, three, four] = TEXTS;
    alice.way(&["send", TOPIC, one, "--wait", "delivered"])?;
    bob.way(&["send", TOPIC, two, "--wait", "delivered"])?;
    // Each alone with the core node.
    bob.down()?;
    alice.way(&["send", TOPIC, three, "--wait", "held"])?;
    alice.down()?;
    bob.up()?;
    until("what the core node kept", PATIENCE, || {
        let lines = bob.way(&["read", TOPIC])?;
        Ok(lines.iter().any(|line| line["text"] == three).then_some(()))
    })?;
    bob.way(&["send", TOPIC, four, "--wait", "held"])?;
    bob.down()?;
    core.down()?;

    let mut needles: Vec<Needle> = TEXTS
        .map(|text| Needle::new("a text", text.as_bytes()))
        .into();
    needles.push(Needle::new("the topic's name", TOPIC.as_bytes()));
    needles.extend(NAMES.map(|name| Needle::new("a member's name", name.as_bytes())));
    needles.extend(secrets(&alice.home)?);
    needles.extend(secrets(&bob.home)?);
    let searched = search(core.home.folder(), &needles)?;
    report.figure(
        "privacy",
        format!(
            "{} texts, names and secrets, each in five forms, in {} bytes of {} files: {} found {}",
            needles.len(),
            searched.bytes,
            searched.files,
            searched.found.len(),
            searched.found.join("; ")
        ),
        "none",
        searched.found.is_empty(),
    );
    // What the search can see: what a member's own home has.
    let own = search(alice.home.folder(), &needles)?;
    report.note(
        "privacy, the same search in a member's home",
        format!("{} found", own.found.len()),
    );
    Ok(())
}
