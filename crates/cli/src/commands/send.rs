//! `send`: text from the argument or from standard input, one message or a stream of lines.

use std::io::{BufRead, BufReader, IsTerminal as _, Read as _};
use std::time::{Duration, Instant};

use super::Context;
use crate::args::{Send, Wait};
use crate::client::{Client, object};
use crate::failure::{Code, Exit, Failure};
use crate::human;
use crate::output::{Outcome, Stop, note};
use crate::request::{Ask, Text, WaitState};
use crate::schema;
use crate::when::now_ms;

/// Longest message, in bytes: what fits into one sealed body. The node has the same limit.
pub const MAX_MESSAGE: usize = 60 * 1024;
/// A batch of lines is sent when it has so many messages, …
const BATCH_MESSAGES: usize = 1024;
/// … so many bytes, or when standard input has nothing more at the moment.
const BATCH_BYTES: usize = 512 * 1024;
/// Warnings that are remembered as told. Where core nodes think of more, they are told again.
const MAX_WARNED: usize = 64;

/// `way send`.
///
/// # Errors
/// The node's failure; `not-yet` when a wait ran out: then the message is safe.
pub fn run(context: &mut Context, send: Send) -> Outcome {
    let mut client = context.client()?;
    let mut sender = Sender::new(send.to, send.wait, send.of);
    let patience = send.timeout.duration(now_ms());
    if send.lines {
        sender.stream(context, &mut client, patience)?;
    } else {
        let text = match send.text {
            Some(text) => text.into_bytes(),
            None => whole_input()?,
        };
        let messages = vec![checked(text)?];
        sender.batch(context, &mut client, messages, patience)?;
    }
    Ok(Exit::Done)
}

/// Says what was sent, once it has come as far as was asked.
pub(super) struct Sender {
    to: String,
    wait: Option<Wait>,
    of: Option<u32>,
    deadline: Option<Instant>,
    /// What was warned of already.
    warned: Vec<String>,
}

impl Sender {
    pub(super) const fn new(to: String, wait: Option<Wait>, of: Option<u32>) -> Self {
        Self {
            to,
            wait,
            of,
            deadline: None,
            warned: Vec::new(),
        }
    }

    fn stream(
        &mut self,
        context: &mut Context,
        client: &mut Client,
        patience: Duration,
    ) -> Result<(), Stop> {
        let mut input = BufReader::with_capacity(BATCH_BYTES, std::io::stdin());
        while let Some(batch) = next_batch(&mut input)? {
            self.batch(context, client, batch, patience)?;
        }
        Ok(())
    }

    /// Sends a batch; prints an id for each message once it has come as far as was asked.
    fn batch(
        &mut self,
        context: &mut Context,
        client: &mut Client,
        messages: Vec<Text>,
        patience: Duration,
    ) -> Result<(), Stop> {
        let ask = Ask::Send {
            to: self.to.clone(),
            messages,
            expires: None,
            best_effort: false,
        };
        self.ask(context, client, ask, patience)
    }

    /// Asks for something that is answered as messages that were sent.
    pub(super) fn ask(
        &mut self,
        context: &mut Context,
        client: &mut Client,
        ask: Ask,
        patience: Duration,
    ) -> Result<(), Stop> {
        let (lines, end) = client.all(ask)?;
        self.warn(context.out.json, end.warnings);
        let sent = lines
            .iter()
            .map(|line| object(line))
            .collect::<Result<Vec<schema::Sent>, _>>()?;
        // From the batch's being stored, not from the start: a stream may be long.
        self.deadline = Instant::now().checked_add(patience);
        let waited = match self.wait {
            None | Some(Wait::Stored) => Ok(sent.clone()),
            Some(Wait::Held) => self.wait_for(client, &sent, WaitState::Held),
            Some(Wait::Delivered) => self.wait_for(client, &sent, WaitState::Delivered),
        };
        // The ids are printed in any case: what is stored is safe, and can be asked about.
        let (shown, failed) = match waited {
            Ok(reached) => (reached, None),
            Err(failure) => (sent, Some(failure)),
        };
        for object in &shown {
            if context.out.json {
                context.out.line(&schema::to_line(object))?;
            } else {
                context.out.line(&object.id)?;
            }
        }
        context.out.flush()?;
        failed.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Says on standard error what will soon be refused: once for each core node and reason, however
    /// many batches there are.
    fn warn(&mut self, json: bool, warnings: Vec<schema::Problem>) {
        for warning in warnings {
            let told = without_percent(&warning.text);
            if self.warned.contains(&told) {
                continue;
            }
            if self.warned.len() >= MAX_WARNED {
                self.warned.clear();
            }
            self.warned.push(told);
            if json {
                let v = schema::Version;
                note(&schema::to_line(&schema::Warned { v, warning }));
            } else {
                note(&human::warning(&warning));
            }
        }
    }

    fn wait_for(
        &self,
        client: &mut Client,
        sent: &[schema::Sent],
        state: WaitState,
    ) -> Result<Vec<schema::Sent>, Failure> {
        let mut reached = Vec::with_capacity(sent.len());
        // The last first: when it has arrived, the others mostly have.
        for message in sent.iter().rev() {
            let left = self.deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            let timeout_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let ask = Ask::Wait {
                id: message.id.clone(),
                state,
                of: self.of,
                timeout_ms,
            };
            let mut done: schema::Sent = object(&client.one(ask)?)?;
            done.to.clone_from(&message.to);
            reached.push(done);
        }
        reached.reverse();
        Ok(reached)
    }
}

/// A warning without its percentages, which move while a stream goes on.
fn without_percent(text: &str) -> String {
    let mut told = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" %") {
        told.push_str(before.trim_end_matches(|c: char| c.is_ascii_digit()));
        told.push_str(" %");
        rest = after;
    }
    told.push_str(rest);
    told
}

/// All of standard input, without the line end that `echo` adds.
fn whole_input() -> Result<Vec<u8>, Failure> {
    if std::io::stdin().is_terminal() {
        note("write the message and end it with Ctrl-D");
    }
    let mut text = Vec::new();
    let most = MAX_MESSAGE as u64 + 2;
    std::io::stdin()
        .take(most)
        .read_to_end(&mut text)
        .map_err(|error| unreadable(&error))?;
    text.pop_if(|last| *last == b'\n');
    Ok(text)
}

/// The next messages, as many as are there; `None` at the end.
fn next_batch<R: std::io::Read>(input: &mut BufReader<R>) -> Result<Option<Vec<Text>>, Failure> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
        // Only what is buffered is taken without waiting.
        if !batch.is_empty() && !input.buffer().contains(&b'\n') {
            break;
        }
        let mut line = Vec::new();
        let most = MAX_MESSAGE as u64 + 2;
        let read = input
            .take(most)
            .read_until(b'\n', &mut line)
            .map_err(|error| unreadable(&error))?;
        if read == 0 {
            break;
        }
        line.pop_if(|last| *last == b'\n');
        bytes += line.len();
        // An empty line is no message.
        if !line.is_empty() {
            batch.push(checked(line)?);
        } else if batch.is_empty() {
            continue;
        }
    }
    Ok(if batch.is_empty() { None } else { Some(batch) })
}

fn checked(text: Vec<u8>) -> Result<Text, Failure> {
    if text.is_empty() {
        return Err(Failure::new(Code::Usage, "there is no text to send", ""));
    }
    if text.len() > MAX_MESSAGE {
        return Err(Failure::new(
            Code::Usage,
            format!("a message may have at most {MAX_MESSAGE} bytes"),
            "send it in several messages, or its lines with --lines",
        ));
    }
    Ok(Text::of(text))
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("cannot read standard input: {error}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives what a slow program writes, piece by piece.
    struct Pieces(Vec<&'static [u8]>);

    impl std::io::Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            into[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    #[test]
    fn a_warning_is_the_same_whatever_its_percentage_and_another_for_another_node() {
        let of = |node: &str, percent: u32| {
            without_percent(&format!("{node} is nearly full: {percent} % of it, 3"))
        };
        assert_eq!(of("node1a", 88), of("node1a", 100));
        assert_ne!(of("node1a", 88), of("node2a", 88));
        assert_eq!(without_percent("7 nodes, 8"), "7 nodes, 8");
    }

    fn batches(pieces: Vec<&'static [u8]>) -> Vec<Vec<String>> {
        let mut input = BufReader::new(Pieces(pieces));
        let mut all = Vec::new();
        while let Some(batch) = next_batch(&mut input).unwrap() {
            all.push(
                batch
                    .into_iter()
                    .map(|text| String::from_utf8(text.into_bytes().unwrap()).unwrap())
                    .collect(),
            );
        }
        all
    }

    #[test]
    fn a_batch_is_what_is_there() {
        assert_eq!(
            batches(vec![b"a\nb\nc", b"d\n", b"e"]),
            [vec!["a", "b"], vec!["cd"], vec!["e"]]
        );
        assert_eq!(batches(vec![b"\n\n\na\n\nb\n"]), [vec!["a", "b"]]);
        assert_eq!(batches(vec![b"\n", b"\n"]), Vec::<Vec<String>>::new());
        assert_eq!(batches(vec![]), Vec::<Vec<String>>::new());
    }

    #[test]
    fn too_long_a_line_is_refused() {
        let long = vec![b'x'; MAX_MESSAGE + 1];
        let mut input = BufReader::new(long.as_slice());
        assert_eq!(next_batch(&mut input).unwrap_err().code, Code::Usage);
        let fits = vec![b'x'; MAX_MESSAGE];
        let mut input = BufReader::new(fits.as_slice());
        assert_eq!(next_batch(&mut input).unwrap().unwrap().len(), 1);
    }
}
