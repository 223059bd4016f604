//! 10,000 messages for somebody who is away, from somebody who is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use cli::client::Client;
use cli::request::{Ask, From, Text, WaitState};
use serde_json::Value;

use crate::stage::{Stage, until};
use crate::{Failed, Report, scaled};

/// The topic of this figure, and of others that publish in the same way.
pub(crate) const TOPIC: &str = "garden";
const PATIENCE: Duration = Duration::from_secs(300);

/// A message of 1 KiB that says which it is.
pub(crate) fn message(number: usize) -> String {
    let mut text = format!("message {number} ");
    let mut filler = blake3::Hasher::new();
    filler.update(&number.to_be_bytes());
    let mut random = [0; 512];
    filler.finalize_xof().fill(&mut random);
    text.push_str(&data_encoding::HEXLOWER.encode(&random));
    text.truncate(1024);
    text
}

pub(crate) fn measure(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let count = scaled(10_000);
    let stage = Stage::new(way)?;
    let core = stage.core("core")?;
    let (alice, bob) = (stage.up("alice")?, stage.up("bob")?);
    alice.uses(&core, "1GiB")?;
    bob.uses(&core, "1GiB")?;
    alice.way(&["topic", "create", TOPIC])?;
    let link = alice.text(&["invite", TOPIC], "link")?;
    bob.way(&["join", &link, "--yes"])?;
    let hello = ["send", TOPIC, "hello", "--wait", "delivered"];
    alice.way(&hello)?;
    bob.down()?;

    let messages: Vec<String> = (0..count).map(message).collect();
    let mut client = alice.client()?;
    let began = Instant::now();
    let mut last = String::new();
    for text in &messages {
        last = send(&mut client, text)?;
    }
    let stored = began.elapsed();
    let wait = Ask::Wait {
        id: last,
        state: WaitState::Held,
        of: None,
        timeout_ms: 300_000,
    };
    client.all(wait)?;
    let held = began.elapsed();
    drop(client);
    alice.down()?;
    report.note(
        "volume published",
        format!(
            "{count} messages of 1 KiB, each an envelope of its own, one after the other, in {} \
             ({}/s); promised by the core node after {}",
            seconds(stored),
            rate(count, stored),
            seconds(held)
        ),
    );

    let began = Instant::now();
    bob.up()?;
    let mut client = bob.client()?;
    let mut read: Vec<(String, String)> = Vec::new();
    let mut after = 0;
    let wanted = count + 1;
    until("the messages", PATIENCE, || {
        let ask = Ask::Read {
            topic: TOPIC.into(),
            from: From::After(after),
            limit: 1000,
        };
        let (lines, end) = client.all(ask)?;
        for line in lines {
            let line: Value = serde_json::from_str(&line)?;
            let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            match field("kind").as_str() {
                "text" => read.push((field("id"), field("text"))),
                "gap" => return Err(format!("a gap at line {}", line["n"]).into()),
                _ => {}
            }
        }
        after = end.last.unwrap_or(after);
        Ok((read.len() >= wanted && !end.more).then_some(()))
    })?;
    let took = began.elapsed();
    let ids: BTreeSet<&String> = read.iter().map(|(id, _)| id).collect();
    let expected = std::iter::once("hello").chain(messages.iter().map(String::as_str));
    let equal = read.iter().map(|(_, text)| text.as_str()).eq(expected);
    let once = ids.len() == wanted && read.len() == wanted;
    report.figure(
        "volume delivered",
        format!(
            "{} of {count} messages, once: {once}, in order and equal byte for byte: {equal}, in \
             {} from the subscriber's start ({}/s)",
            read.len().saturating_sub(1),
            seconds(took),
            rate(count, took)
        ),
        "all, once, in causal order",
        once && equal,
    );
    Ok(())
}

/// Publishes a message in an envelope of its own; its id, when it is durable.
pub(crate) fn send(client: &mut Client, text: &str) -> Result<String, Failed> {
    let ask = Ask::Send {
        to: TOPIC.into(),
        messages: vec![Text::Text(text.to_owned())],
        expires: None,
        best_effort: false,
    };
    let line: Value = serde_json::from_str(&client.one(ask)?)?;
    Ok(line["id"].as_str().ok_or("no id")?.to_owned())
}

/// Seconds with two digits.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{}.{:02} s", time.as_secs(), time.subsec_millis() / 10)
}

fn rate(count: usize, time: Duration) -> u128 {
    count as u128 * 1000 / time.as_millis().max(1)
}
