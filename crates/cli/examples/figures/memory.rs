//! What a node keeps in memory, and what it does when there is nothing to do.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use node::command::Command;

use crate::loader::{Loader, Wires};
use crate::stage::{Person, Stage, mib, until};
use crate::volume::{message, seconds};
use crate::{Failed, Report, scaled};

/// How long a node is left alone before it is looked at: what its start made has then been tidied
/// up, and topics that were looked through have left memory again.
const SETTLE: Duration = Duration::from_secs(70);
/// How long idling is watched.
const IDLE: Duration = Duration::from_secs(30);

/// Resident memory and idle CPU of running nodes that are left alone; each with what it has, and
/// its target in MiB.
fn look(nodes: &[(&Person, String, u64)], report: &mut Report) -> Result<(), Failed> {
    std::thread::sleep(SETTLE);
    let began = Instant::now();
    let before: Result<Vec<Duration>, Failed> =
        nodes.iter().map(|(person, ..)| person.cpu()).collect();
    std::thread::sleep(IDLE);
    for ((person, name, target), before) in nodes.iter().zip(before?) {
        let (used, time) = (person.cpu()?.saturating_sub(before), began.elapsed());
        let resident = person.kib("VmRSS")?;
        report.figure(
            &format!("memory {name}"),
            format!(
                "{} resident, of it {} anonymous; highest ever {}",
                mib(resident),
                mib(person.kib("RssAnon")?),
                mib(person.kib("VmHWM")?)
            ),
            format_args!("{target} MiB"),
            resident <= target * 1024,
        );
        let share = used.as_micros() * 10_000 / time.as_micros().max(1);
        report.figure(
            &format!("idle CPU {name}"),
            format!(
                "{}.{:02} % of a core ({} ms in {})",
                share / 100,
                share % 100,
                used.as_millis(),
                seconds(time)
            ),
            "1 %",
            share < 100,
        );
    }
    Ok(())
}

/// A home that has just been made.
pub(crate) fn fresh(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let stage = Stage::new(way)?;
    let alice = stage.up("alice")?;
    look(&[(&alice, "fresh home".to_owned(), 40)], report)
}

/// One topic with a long history, and ten links.
pub(crate) fn history(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let count = scaled(100_000);
    let stage = Stage::new(way)?;
    let alice = stage.up("alice")?;
    alice.way(&["topic", "create", "garden"])?;
    alice.down()?;
    let began = Instant::now();
    let mut loader = Loader::open(&alice, false, &Arc::new(Wires::default()))?;
    loader.publish((0..count).map(|n| ("garden".to_owned(), message(n).into_bytes())))?;
    loader.close()?;
    report.note(
        "memory history filled",
        format!("{count} envelopes in {}", seconds(began.elapsed())),
    );
    alice.up()?;
    let mut peers = Vec::new();
    for n in 0..10 {
        let peer = stage.up(&format!("peer{n}"))?;
        // Who is kept by one side alone is a stranger to the other, and let go of soon.
        alice.way(&["peer", "add", &address(&peer)?])?;
        peer.way(&["peer", "add", &address(&alice)?])?;
        peers.push(peer);
    }
    until("ten links", Duration::from_secs(30), || {
        let linked = alice.way(&["peers"])?;
        let linked = linked.iter().filter(|peer| peer["linked"] == true).count();
        Ok((linked == peers.len()).then_some(()))
    })?;
    let name = format!("restarted, {count} envelopes of 1 KiB, 10 links");
    look(&[(&alice, name, 64)], report)
}

fn address(person: &Person) -> Result<String, Failed> {
    let id = person.way(&["id"])?.pop().unwrap_or_default();
    let address = id["addresses"][0].as_str();
    Ok(address.ok_or("a node without an address")?.to_owned())
}

/// Many topics with a short history each: alone, and all of them shared with a core node.
pub(crate) fn topics(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let (topics, each) = (scaled(1000), 100);
    let stage = Stage::new(way)?;
    let core = stage.core("core")?;
    let (alone, alice) = (stage.up("alone")?, stage.up("alice")?);
    alice.uses(&core, "1GiB")?;
    for person in [&alone, &alice, &core] {
        person.down()?;
    }
    let began = Instant::now();
    let mut loader = Loader::open(&alone, false, &Arc::new(Wires::default()))?;
    fill(&mut loader, topics, each)?;
    loader.close()?;
    let wires = Arc::new(Wires::default());
    let keeper = Loader::open(&core, true, &wires)?;
    let mut writer = Loader::open(&alice, false, &wires)?;
    for last in fill(&mut writer, topics, each)? {
        writer.wait_held(last)?;
    }
    writer.close()?;
    keeper.close()?;
    let took = seconds(began.elapsed());
    report.note(
        "memory topics filled",
        format!("{topics} topics of {each} envelopes, in three homes, in {took}"),
    );
    for person in [&alone, &core, &alice] {
        let began = Instant::now();
        person.up()?;
        let name = format!("memory topics: start of {}", person.name);
        report.note(&name, seconds(began.elapsed()));
    }
    until(
        "the link with the core node",
        Duration::from_secs(30),
        || {
            let peers = alice.way(&["peers"])?;
            Ok(peers
                .iter()
                .any(|peer| peer["linked"] == true)
                .then_some(()))
        },
    )?;
    let name = format!("restarted, {topics} idle topics of {each} envelopes of 1 KiB");
    let shared = format!("{name}, shared with a linked core node");
    let held = format!("the core node, {name}");
    look(
        &[
            (&alone, name, 120),
            (&alice, shared, 120),
            (&core, held, 120),
        ],
        report,
    )?;
    // They were idle, not forgotten.
    let began = Instant::now();
    let word = ["send", "topic-0000", "a word", "--wait", "held"];
    alice.way(&word)?;
    report.note(
        "memory topics: a word in an idle topic held",
        seconds(began.elapsed()),
    );
    Ok(())
}

/// Makes topics and publishes in each; the ids of the last messages.
fn fill(loader: &mut Loader, topics: usize, each: usize) -> Result<Vec<String>, Failed> {
    let name = |topic| format!("topic-{topic:04}");
    let fill = (0..topics).map(|topic| {
        loader.ask(Command::TopicCreate {
            name: name(topic),
            messages: None,
        })?;
        loader.publish((0..each).map(|n| (name(topic), message(n).into_bytes())))
    });
    fill.collect()
}
