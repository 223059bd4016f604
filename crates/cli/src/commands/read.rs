//! `read` and `inbox`: pages of lines, and with `--follow` whatever comes, across restarts.

use std::time::Duration;

use super::Context;
use crate::args::{Inbox, Read};
use crate::client::{Client, object};
use crate::failure::{Code, Exit, Failure};
use crate::human;
use crate::output::{Outcome, Stop, note};
use crate::request::{Ask, End, From as Begin};
use crate::schema;
use crate::when::{Since, now_ms};

/// Lines asked for at a time.
const PAGE: u32 = 500;
/// How often a follower looks whether the node is back. Guess: a person does not notice it.
const AGAIN: Duration = Duration::from_millis(200);

/// `way read`.
///
/// # Errors
/// The node's failure.
pub fn read(context: &mut Context, read: Read) -> Outcome {
    let from_start = read.new || read.since.is_some();
    let begin = match (&read.since, read.new, read.limit) {
        (_, true, _) => Begin::Cursor,
        (Some(Since::Line(n)), ..) => Begin::After(*n),
        (Some(Since::Id(id)), ..) => Begin::AfterMessage(id.clone()),
        (Some(Since::Time(when)), ..) => Begin::Time(
            when.resolve(now_ms())
                .map_err(|error| Failure::new(Code::Usage, format!("--since: {error}"), ""))?,
        ),
        (None, false, Some(_)) => Begin::Last,
        (None, false, None) => Begin::After(0),
    };
    let mut source = Lines {
        topic: read.topic,
        begin,
        confirm: read.new,
    };
    // The last so many are one page, whatever comes after them is beyond the limit's business.
    let limit = match (from_start, read.limit) {
        (false, Some(limit)) if read.follow => {
            let shown = pages(context, &mut source, Progress::new(Some(limit)), false)?;
            return follow(
                context,
                &mut source,
                Progress {
                    left: None,
                    ..shown
                },
            );
        }
        (_, limit) => limit,
    };
    follow_if(read.follow, context, &mut source, Progress::new(limit))
}

/// `way inbox`.
///
/// # Errors
/// The node's failure.
pub fn inbox(context: &mut Context, inbox: &Inbox) -> Outcome {
    follow_if(inbox.follow, context, &mut Mails, Progress::new(None))
}

fn follow_if(
    follow: bool,
    context: &mut Context,
    source: &mut impl Source,
    progress: Progress,
) -> Outcome {
    if follow {
        self::follow(context, source, progress)
    } else {
        pages(context, source, progress, false)?;
        Ok(Exit::Done)
    }
}

/// Something that is read in pages of numbered lines.
trait Source {
    /// The next page after what has been shown.
    fn ask(&mut self, progress: &Progress, limit: u32) -> Ask;
    /// The number of a line, and its words.
    fn words(&self, line: &str) -> Result<(u64, String), Failure>;
    /// What to say when lines up to this number have been printed.
    fn confirm(&self, n: u64) -> Option<Ask>;
    /// Learns from the end of a page.
    fn learn(&mut self, end: &End);
}

/// How far the reading has come.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The greatest number that was printed or looked at in this run.
    last: Option<u64>,
    /// How many more lines are wanted.
    left: Option<u64>,
    /// The change to wait after.
    change: u64,
    /// Up to where the durable cursor was moved.
    confirmed: u64,
}

impl Progress {
    fn new(left: Option<u64>) -> Self {
        Self {
            last: None,
            left,
            change: 0,
            confirmed: 0,
        }
    }
}

struct Lines {
    topic: String,
    begin: Begin,
    confirm: bool,
}

impl Source for Lines {
    fn ask(&mut self, progress: &Progress, limit: u32) -> Ask {
        let from = match progress.last {
            Some(n) => Begin::After(n),
            None => self.begin.clone(),
        };
        Ask::Read {
            topic: self.topic.clone(),
            from,
            limit,
        }
    }

    fn words(&self, line: &str) -> Result<(u64, String), Failure> {
        let entry: schema::Line = object(line)?;
        Ok((entry.n, human::topic_line(&entry)))
    }

    fn confirm(&self, n: u64) -> Option<Ask> {
        self.confirm.then(|| Ask::Confirm {
            topic: self.topic.clone(),
            n,
        })
    }

    fn learn(&mut self, end: &End) {
        // From now on by id: the local name may change while one follows.
        if let Some(topic) = &end.topic {
            self.topic.clone_from(topic);
        }
    }
}

struct Mails;

impl Source for Mails {
    fn ask(&mut self, progress: &Progress, limit: u32) -> Ask {
        Ask::Inbox {
            after: progress.last.unwrap_or(0),
            limit,
        }
    }

    fn words(&self, line: &str) -> Result<(u64, String), Failure> {
        let mail: schema::Mail = object(line)?;
        Ok((mail.n, human::mail(&mail)))
    }

    fn confirm(&self, _: u64) -> Option<Ask> {
        None
    }

    fn learn(&mut self, _: &End) {}
}

/// Prints all there is now.
fn pages(
    context: &mut Context,
    source: &mut impl Source,
    mut progress: Progress,
    following: bool,
) -> Result<Progress, Stop> {
    let mut client = context.client()?;
    print_pages(context, &mut client, source, &mut progress, following)?;
    Ok(progress)
}

fn print_pages(
    context: &mut Context,
    client: &mut Client,
    source: &mut impl Source,
    progress: &mut Progress,
    following: bool,
) -> Result<(), Stop> {
    loop {
        let limit = progress
            .left
            .map_or(PAGE, |left| u32::try_from(left).unwrap_or(PAGE));
        // The last so many come in one answer; all else in pages.
        let limit = if following || progress.last.is_some() {
            limit.min(PAGE)
        } else {
            limit
        };
        let (lines, end) = client.all(source.ask(progress, limit))?;
        for line in &lines {
            let (n, words) = source.words(line)?;
            // After a restart an unconfirmed line comes again; it has been printed.
            if progress.last.is_some_and(|last| n <= last) {
                continue;
            }
            context
                .out
                .line(if context.out.json { line } else { &words })?;
            progress.last = Some(n);
            progress.left = progress.left.map(|left| left.saturating_sub(1));
        }
        context.out.flush()?;
        source.learn(&end);
        progress.change = end.change.unwrap_or(0);
        let looked = end.last.unwrap_or(0).max(progress.last.unwrap_or(0));
        // When the limit cut the page short, what was not printed must not be passed over.
        let reached = if progress.left == Some(0) {
            progress.last
        } else {
            Some(looked)
        };
        if let Some(n) = reached {
            if let Some(confirm) = source.confirm(n)
                && n > progress.confirmed
            {
                client.one(confirm)?;
                progress.confirmed = n;
            }
            progress.last = Some(n);
        }
        if !end.more || progress.left == Some(0) {
            return Ok(());
        }
    }
}

/// Prints what there is and what comes, until the limit is reached.
fn follow(context: &mut Context, source: &mut impl Source, mut progress: Progress) -> Outcome {
    let mut said = false;
    let mut begun = progress.last.is_some();
    loop {
        match follow_once(context, source, &mut progress, &mut begun) {
            Ok(()) => return Ok(Exit::Done),
            Err(Stop::Failed(failure)) if failure.code == Code::NoNode && begun => {
                if !said && !context.out.json {
                    note("way: the node is down; going on when it is back");
                }
                said = true;
                std::thread::sleep(AGAIN);
            }
            Err(stop) => return Err(stop),
        }
    }
}

fn follow_once(
    context: &mut Context,
    source: &mut impl Source,
    progress: &mut Progress,
    begun: &mut bool,
) -> Result<(), Stop> {
    let mut client = context.client()?;
    *begun = true;
    loop {
        print_pages(context, &mut client, source, progress, true)?;
        if progress.left == Some(0) {
            return Ok(());
        }
        let end = client.ask(
            Ask::Changed {
                after: progress.change,
            },
            drop,
        )?;
        progress.change = end.change.unwrap_or(progress.change);
    }
}
