//! The node's side of the socket: reads requests, asks the node, writes objects.
//!
//! Whoever may open the socket is the owner of the home (folder 0700, socket 0600), so there is no
//! further authentication. Limits are against runaway programs, not against enemies.

use std::sync::Arc;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::failure::{Code, Failure};
use crate::request::{Ask, End, Last, LastLine, MAX_REQUEST, Request};
use crate::schema::{self, Version, to_line};
use crate::translate::{Answer, Asked, Local, Meaning, answer, meaning};
use node::command::Reply;

/// Connections at a time; further ones wait to be accepted. Guess: readers, a few scripts, a page.
pub const MAX_CONNECTIONS: usize = 64;

/// Serves until the task is dropped; then every connection is closed.
pub async fn serve<B: Backend>(listener: UnixListener, backend: Arc<B>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed, so this is always a permit.
        let permit = Arc::clone(&room).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let backend = Arc::clone(&backend);
                connections.spawn(async move {
                    let _permit = permit;
                    // An error here is the client's going away.
                    let _ = converse(stream, &*backend).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                // Out of descriptors, mostly: give the others a moment to close theirs.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse<B: Backend>(stream: UnixStream, backend: &B) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(line) = next_line(&mut reader).await? {
        let (answer, close) = match line {
            Ok(line) => {
                // Who asks and goes away is not waited for.
                tokio::select! {
                    answer = respond(&line, backend) => (answer, false),
                    () = gone(&mut reader) => return Ok(()),
                }
            }
            Err(failure) => (Answer::error(failure), true),
        };
        let mut text = answer.lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&to_line(&LastLine {
            v: Version,
            last: answer.last,
        }));
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
        if close {
            break;
        }
    }
    Ok(())
}

/// The next line, `None` at the end, or why it is none.
async fn next_line<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
) -> std::io::Result<Option<Result<Vec<u8>, Failure>>> {
    let mut line = Vec::new();
    let limit = MAX_REQUEST as u64 + 1;
    let read = reader.take(limit).read_until(b'\n', &mut line).await?;
    if read == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(Ok(line)));
    }
    if read as u64 == limit {
        let message = format!("a request of more than {MAX_REQUEST} bytes");
        return Ok(Some(Err(Failure::new(
            Code::Usage,
            message,
            "send it in several requests",
        ))));
    }
    // The connection ended in the middle of a line: nobody waits for an answer.
    Ok(None)
}

/// Returns when the other end has closed and nothing more is to be read. While there is a further
/// request it cannot be seen, so then this never returns.
async fn gone<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) {
    match reader.fill_buf().await {
        Ok([]) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

async fn respond<B: Backend>(line: &[u8], backend: &B) -> Answer {
    let ask = match serde_json::from_slice::<Request>(line) {
        Ok(request) => request.ask,
        Err(error) => {
            let message = format!("the request cannot be read: {error}");
            return Answer::error(Failure::new(Code::Usage, message, "see docs/spec/cli.md"));
        }
    };
    let asked = Asked::of(&ask);
    let name = match &ask {
        Ask::Name { name } => Some(name.clone()),
        _ => None,
    };
    match meaning(ask) {
        Err(failure) => Answer::error(failure),
        Ok(Meaning::Local(local)) => respond_locally(local, backend).await,
        Ok(Meaning::Command(command)) => {
            let change = *backend.changes().borrow();
            let reply = match backend.call(command).await {
                Ok(reply) => reply,
                Err(failure) => return Answer::error(failure),
            };
            match (name, reply) {
                (Some(name), reply) if !matches!(reply, Reply::Failed(_)) => {
                    match backend.keep_name(&name) {
                        Ok(()) => answer(&asked, reply),
                        Err(failure) => Answer::error(failure),
                    }
                }
                (_, reply) => {
                    let mut answer = answer(&asked, reply);
                    if let Last::End(end) = &mut answer.last
                        && end.last.is_some()
                    {
                        // Taken before the reading: what came meanwhile is seen as a change.
                        end.change = Some(change);
                    }
                    answer
                }
            }
        }
    }
}

async fn respond_locally<B: Backend>(local: Local, backend: &B) -> Answer {
    match local {
        Local::Changed(after) => {
            let mut changes = backend.changes();
            let change = match changes.wait_for(|change| *change > after).await {
                Ok(change) => *change,
                Err(_) => return Answer::error(going_down()),
            };
            let end = End {
                change: Some(change),
                ..End::default()
            };
            Answer {
                lines: Vec::new(),
                last: Last::End(end),
            }
        }
        Local::Backup(file) => match backend.backup(file.into()).await {
            Ok(done) => Answer::one(&done),
            Err(failure) => Answer::error(failure),
        },
        Local::Down => {
            backend.down();
            Answer::one(&schema::Done {
                v: Version,
                done: true,
            })
        }
    }
}

fn going_down() -> Failure {
    Failure::new(
        Code::NoNode,
        "the node is going down",
        "start it with `way up -d`",
    )
}
