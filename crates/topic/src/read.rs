//! Reading lines: the texts are opened here, from the sealed bodies.

use crate::draft::ReadError;
use crate::limits::{MAX_READ, MAX_READ_BYTES};
use crate::lines::{Line, LineKind, Page, ReadFrom};
use crate::rows::{self, GapReason, Run, RunKind, Shown};
use crate::state::Topic;
use crate::topics::Env;
use identity::PublicKey;
use machine::Cx;
use std::collections::BTreeMap;
use wire::plain::Message;

impl Topic {
    pub(crate) fn read(
        &self,
        env: &mut Env<'_, '_>,
        from: ReadFrom,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let limit = limit.min(MAX_READ);
        let first = self.first_line(env.cx, from)?;
        let mut page = Page {
            lines: Vec::new(),
            next: first,
            more: false,
        };
        let mut names = BTreeMap::new();
        let mut bytes = 0_usize;
        for (start, run) in self.runs(env.cx, first, limit) {
            let skip = page.next.saturating_sub(start);
            let room = limit.saturating_sub(page.lines.len());
            if room == 0 || bytes >= MAX_READ_BYTES {
                break;
            }
            let lines = self.lines_of(env, (start, run), &mut names);
            let lines = lines
                .into_iter()
                .skip(usize::try_from(skip).unwrap_or(usize::MAX));
            for line in lines.take(room) {
                page.next = line.n.saturating_add(1);
                bytes = bytes.saturating_add(match &line.kind {
                    LineKind::Message(message) => message.bytes.len(),
                    LineKind::Join
                    | LineKind::Leave
                    | LineKind::Gap { .. }
                    | LineKind::Withdrawn { .. }
                    | LineKind::Restored { .. } => 0,
                });
                page.lines.push(line);
            }
        }
        page.more = page.next < self.row.next_line;
        Ok(page)
    }

    /// The runs that hold the lines from `first` on, enough for `limit` lines.
    fn runs(&self, cx: &mut Cx<'_>, first: u64, limit: usize) -> Vec<(u64, Run)> {
        let Some((start, run)) = self.run_at(cx, first) else {
            return Vec::new();
        };
        let mut runs = vec![(start, run)];
        let from = rows::key_number(self.local, start.saturating_add(1));
        let end = first.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX));
        let to = rows::key_number(self.local, end);
        for (key, row) in cx.store.scan(rows::LINE, &from, &to, limit) {
            if let (Some(start), Some(run)) = (rows::number_of(&key), Run::decode(&row)) {
                runs.push((start, run));
            }
        }
        runs
    }

    /// The run that holds a line.
    fn run_at(&self, cx: &mut Cx<'_>, line: u64) -> Option<(u64, Run)> {
        if line >= self.row.next_line {
            return None;
        }
        // A run is not longer than an envelope has messages.
        let longest = u64::from(wire::limits::MAX_MESSAGES);
        let low = rows::key_number(self.local, line.saturating_sub(longest));
        let high = rows::key_number(self.local, line.saturating_add(1));
        let (key, row) = cx
            .store
            .scan_back(rows::LINE, &low, &high, 1)
            .into_iter()
            .next()?;
        Some((rows::number_of(&key)?, Run::decode(&row)?))
    }

    fn first_line(&self, cx: &mut Cx<'_>, from: ReadFrom) -> Result<u64, ReadError> {
        Ok(match from {
            ReadFrom::Line(line) => line.max(1),
            ReadFrom::Unconfirmed => self.row.confirmed.saturating_add(1),
            ReadFrom::After(id) => {
                if !self.lace.contains(&mut cx.store, &id) {
                    return Err(ReadError::NoEnvelope);
                }
                match self.shown(cx, &id) {
                    Some(Shown::Gap(line) | Shown::Lines(line)) => {
                        let count = self.run_at(cx, line).map_or(1, |(_, run)| run.count);
                        line.saturating_add(u64::from(count))
                    }
                    None => self.row.next_line,
                }
            }
            ReadFrom::Time(time) => self.line_at(cx, time),
        })
    }

    /// The first line of that time or later, by halving: right where claimed times do not fall.
    fn line_at(&self, cx: &mut Cx<'_>, time: u64) -> u64 {
        let (mut low, mut high) = (1, self.row.next_line);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.run_at(cx, middle) {
                Some((start, run)) if run.at < time => {
                    low = start.saturating_add(u64::from(run.count)).max(middle + 1);
                }
                Some((start, _)) => high = start.max(low).min(middle),
                None => break,
            }
        }
        low
    }

    fn lines_of(
        &self,
        env: &mut Env<'_, '_>,
        (start, run): (u64, Run),
        names: &mut BTreeMap<PublicKey, Option<String>>,
    ) -> Vec<Line> {
        let Some(held) = self.lace.envelope(&mut env.cx.store, &run.id) else {
            return Vec::new();
        };
        let author = held.envelope.header.author;
        let device = self.device_of(&held.envelope).unwrap_or(author);
        let name = names
            .entry(device)
            .or_insert_with(|| self.name(env.cx, &device))
            .clone();
        let mut messages = match (run.kind, &held.body) {
            (RunKind::Messages, lace::Body::Here(body)) => env
                .host
                .open(env.cx, self.local, &held.envelope, body)
                .map(|messages| messages.into_iter().map(Some).collect::<Vec<_>>())
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        let count = held.envelope.header.count;
        let by = self.withdrawn_by(env.cx, &run.id);
        let of = match self.shown(env.cx, &run.id) {
            Some(Shown::Lines(line) | Shown::Gap(line)) => line,
            None => 0,
        };
        (0..run.count)
            .map(|place| Line {
                n: start.saturating_add(u64::from(place)),
                envelope: run.id,
                index: run.index.saturating_add(place),
                author,
                device,
                name: name.clone(),
                number: held.envelope.header.number,
                at: run.at,
                kind: match run.kind {
                    RunKind::Withdrawn => LineKind::Withdrawn { of: Some(of), by },
                    RunKind::Restored => LineKind::Restored { of },
                    _ if !held.effective => LineKind::Withdrawn { of: None, by },
                    RunKind::Messages => {
                        let message: Option<Message> =
                            messages.get_mut(usize::from(place)).and_then(Option::take);
                        // It was here when its line was given.
                        let gone = LineKind::Gap {
                            reason: GapReason::Expired,
                            messages: 1,
                        };
                        message.map_or(gone, LineKind::Message)
                    }
                    RunKind::Join => LineKind::Join,
                    RunKind::Leave => LineKind::Leave,
                    RunKind::Gap(reason) => LineKind::Gap {
                        reason,
                        messages: count,
                    },
                },
            })
            .collect()
    }

    /// The name that a device gave itself.
    pub(crate) fn name(&self, cx: &mut Cx<'_>, device: &PublicKey) -> Option<String> {
        let key = rows::key_bytes(self.local, &[device.as_bytes()]);
        String::from_utf8(cx.store.get(rows::NAME, &key)?).ok()
    }

    /// The title that the founder gave the topic.
    pub(crate) fn title(&self, cx: &mut Cx<'_>) -> Option<String> {
        String::from_utf8(cx.store.get(rows::NAME, &rows::key(self.local))?).ok()
    }
}
