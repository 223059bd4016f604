//! How soon a core node with a long history serves after its start.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::request::{Ask, From};

use crate::loader::{Loader, Wires};
use crate::stage::{Person, Stage, mib, until};
use crate::volume::{TOPIC, message, seconds, send};
use crate::{Failed, Report, scaled};

const TARGET: Duration = Duration::from_secs(5);
/// How long the core node is under load before it is killed, and by how many programs.
const LOAD: Duration = Duration::from_secs(10);
const PROGRAMS: usize = 8;
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
    for (member, after) in members
        .iter()
        .zip(["way down", "kill -9", "kill -9 under load"])
    {
        if after.ends_with("load") {
            under_load(&core, &alice)?;
        }
        let began = Instant::now();
        core.up()?;
        let up = began.elapsed();
        first_envelope(member)?;
        let took = began.elapsed();
        report.figure(
            &format!("core start after {after}"),
            format!(
                "its commands answer after {}, a member that was away reads its first envelope \
                 after {}",
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

/// Ends the core node while it takes what several programs of a member publish.
fn under_load(core: &Person, writer: &Person) -> Result<(), Failed> {
    core.up()?;
    writer.up()?;
    let end = Instant::now() + LOAD;
    let published = std::thread::scope(|scope| {
        let program = |program| {
            move || -> Result<usize, Failed> {
                let mut client = writer.client()?;
                let mut sent = 0;
                while Instant::now() < end {
                    send(&mut client, &message(program * 1_000_000 + sent))?;
                    sent += 1;
                }
                Ok(sent)
            }
        };
        let programs: Vec<_> = (1..=PROGRAMS).map(|n| scope.spawn(program(n))).collect();
        std::thread::sleep(LOAD.mul_f32(0.9));
        core.kill()?;
        let mut published = 0;
        for program in programs {
            published += program.join().map_err(|_| "a program panicked")??;
        }
        Ok::<usize, Failed>(published)
    })?;
    println!("core killed while {PROGRAMS} programs published {published} more");
    writer.down()
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
