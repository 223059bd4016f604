//! How soon a core node with a long history serves after its start.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::request::{Ask, From};

use crate::loader::{Loader, Wires};
use crate::stage::{Person, Stage, mib, until};
use crate::volume::{message, seconds};
use crate::{Failed, Report, scaled};

const TOPIC: &str = "garden";
const TARGET: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn measure(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let count = scaled(1_000_000);
    let stage = Stage::new(way)?;
    let core = stage.core("core")?;
    let alice = stage.up("alice")?;
    alice.uses(&core, "32GiB")?;
    alice.way(&["topic", "create", TOPIC])?;
    let link = alice.text(&["invite", TOPIC, "--uses", "3"], "link")?;
    let mut members = Vec::new();
    for name in ["bob", "carol", "dave"] {
        let member = stage.up(name)?;
        member.uses(&core, "1MiB")?;
        member.way(&["join", &link, "--yes"])?;
        member.way(&["send", TOPIC, "here", "--wait", "held"])?;
        member.down()?;
        members.push(member);
    }
    alice.down()?;
    core.down()?;

    let began = Instant::now();
    let wires = Arc::new(Wires::default());
    let mut keeper = Loader::open(&core, true, &wires)?;
    let mut writer = Loader::open(&alice, false, &wires)?;
    let messages = (0..count).map(|n| (TOPIC.to_owned(), message(n).into_bytes()));
    let last = writer.publish(messages)?;
    let published = began.elapsed();
    writer.wait_held(last)?;
    writer.close()?;
    keeper.ask(node::command::Command::Status)?;
    keeper.close()?;
    report.note(
        "core filled",
        format!(
            "{count} envelopes of 1 KiB published in {}, held by the core node after {}",
            seconds(published),
            seconds(began.elapsed())
        ),
    );
    for (member, after) in members.iter().zip(["way down", "kill -9", "kill -9 again"]) {
        let began = Instant::now();
        core.up()?;
        let up = began.elapsed();
        first_envelope(member)?;
        let took = began.elapsed();
        report.figure(
            &format!("core start after {after}"),
            format!(
                "{}: its command answers after {}, a member that was away reads its first \
                 envelope after {}",
                core.name,
                seconds(up),
                seconds(took)
            ),
            seconds(TARGET),
            took <= TARGET,
        );
        report.note("core memory while it serves", mib(core.kib("VmRSS")?));
        // While it serves, and the member takes.
        core.kill()?;
        member.kill()?;
    }
    Ok(())
}

/// Starts a member and waits for the first message that it had not when it was away.
fn first_envelope(member: &Person) -> Result<(), Failed> {
    member.up()?;
    let mut client = member.client()?;
    until("the first envelope", PATIENCE, || {
        let ask = Ask::Read {
            topic: TOPIC.into(),
            from: From::Last,
            limit: 1,
        };
        let (lines, _) = client.all(ask)?;
        let got = lines.iter().any(|line| line.contains("\"message "));
        Ok(got.then_some(()))
    })
}
