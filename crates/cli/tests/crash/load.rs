//! Those who use the nodes while they are being killed: one writes, one asks, one reads. Each has
//! a thread, speaks with its node over the socket, and connects again when the node is back.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use cli::client::Client;
use cli::failure::{Code, Failure};
use cli::request::{Ask, From as Begin, Text};
use machine::Rng;
use serde_json::Value;

use super::ledger::Ledger;
use crate::fake;

/// The topic of a run.
pub(crate) const TOPIC: &str = "garden";
/// How long who finds no node waits before it looks again, and who is paced between two steps.
const PAUSE: Duration = Duration::from_millis(8);
/// Messages in one request, at most.
const BATCH: u64 = 8;
/// Bytes of one message, at most.
const LENGTH: u64 = 2000;

/// Runs a step with a connection until the run is over; a step that fails because the node is gone
/// begins again with a new one.
fn again_and_again(
    home: PathBuf,
    ledger: Arc<Ledger>,
    mut step: impl FnMut(&mut Client, &Ledger) -> Result<(), Failure> + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let home = fake::home(&home);
        while !ledger.book().over {
            let Ok(mut client) = Client::connect(&home) else {
                std::thread::park_timeout(PAUSE);
                continue;
            };
            while !ledger.book().over {
                match step(&mut client, &ledger) {
                    Ok(()) => {}
                    Err(failure) if failure.code == Code::NoNode => break,
                    Err(failure) => {
                        ledger.find(format!("refused: {failure}"));
                        break;
                    }
                }
            }
        }
    })
}

/// Writes while it may; every message is another.
pub(crate) fn writer(home: PathBuf, ledger: Arc<Ledger>, mut rng: Rng) -> JoinHandle<()> {
    again_and_again(home, ledger, move |client, ledger| {
        std::thread::park_timeout(PAUSE);
        if !ledger.wait(Duration::from_millis(100), |book| book.writing || book.over)
            || ledger.book().over
        {
            return Ok(());
        }
        let count = 1 + rng.below(BATCH);
        let first = ledger.note(|book| {
            book.tried += count;
            book.tried - count
        });
        let text = |message: u64, length: u64| {
            Text::Text(format!(
                "{message} {}",
                "x".repeat(usize::try_from(length).unwrap())
            ))
        };
        let messages = (first..first + count)
            .map(|message| text(message, rng.below(LENGTH)))
            .collect();
        let ask = Ask::Send {
            to: TOPIC.into(),
            messages,
            expires: None,
            best_effort: false,
        };
        let (lines, _) = client.all(ask)?;
        if lines.len() as u64 != count {
            ledger.find(format!("{count} messages, {} answers", lines.len()));
        }
        ledger.note(|book| {
            for (message, line) in (first..).zip(&lines) {
                let line: Value = serde_json::from_str(line).unwrap();
                book.sent
                    .insert(message, line["id"].as_str().unwrap().into());
            }
        });
        Ok(())
    })
}

/// Asks where messages stand, and writes down every promise.
pub(crate) fn asker(home: PathBuf, ledger: Arc<Ledger>, mut rng: Rng) -> JoinHandle<()> {
    again_and_again(home, ledger, move |client, ledger| {
        std::thread::park_timeout(PAUSE);
        let asked = {
            let book = ledger.book();
            let unknown: Vec<_> = book
                .sent
                .iter()
                .filter(|(message, _)| !book.delivered.contains(message))
                .collect();
            let some = usize::try_from(rng.below(unknown.len().max(1) as u64)).unwrap();
            unknown.get(some).map(|(m, id)| (**m, (*id).clone()))
        };
        let Some((message, id)) = asked else {
            ledger.wait(Duration::from_millis(100), |book| {
                book.over || book.sent.len() > book.delivered.len()
            });
            return Ok(());
        };
        let line = client.one(Ask::Why { id: Some(id) })?;
        let why: Value = serde_json::from_str(&line).unwrap();
        ledger.note(|book| {
            if why["held"].as_u64().unwrap() > 0 {
                book.held.insert(message);
            }
            if why["delivered"].as_u64().unwrap() > 0 {
                book.delivered.insert(message);
            }
        });
        Ok(())
    })
}

/// Reads on behind the durable cursor, and moves it, as `way read --new --follow` does.
pub(crate) fn reader(home: PathBuf, ledger: Arc<Ledger>, mut rng: Rng) -> JoinHandle<()> {
    again_and_again(home, ledger, move |client, ledger| {
        let limit = 1 + u32::try_from(rng.below(100)).unwrap();
        let ask = Ask::Read {
            topic: TOPIC.into(),
            from: Begin::Cursor,
            limit,
        };
        let cursor = ledger.cursor();
        let (lines, end) = client.all(ask)?;
        let lines: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if lines.is_empty() {
            drop(cursor);
            let after = end.change.unwrap_or(0);
            return client.ask(Ask::Changed { after }, drop).map(drop);
        }
        ledger.show(&lines);
        let n = lines.last().and_then(|line| line["n"].as_u64()).unwrap();
        client.one(Ask::Confirm {
            topic: TOPIC.into(),
            n,
        })?;
        ledger.confirmed(n);
        Ok(())
    })
}
