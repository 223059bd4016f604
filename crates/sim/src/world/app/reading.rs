//! Public topics: who founds one tells where it is found, and who reads one looks for it.

use super::super::host::{Around, Host, Note};
use super::{Asked, Seat, Stage};
use node::command::public::{PublicCommand, PublicReply};
use node::command::{Command, Reply};
use std::time::Duration;

/// How long after somebody has found a public topic of which nothing came it looks for it again.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

impl Host {
    /// Whether somebody has found a public topic of which nothing has come yet.
    pub(super) fn looks_on(&self, seat: &Seat) -> bool {
        let held = self.watch.holdings.topic(seat.topic);
        let found = seat.reads && seat.may_join && seat.taking_part == Stage::Done && !seat.left;
        found && held.is_none_or(|held| held.placed == 0)
    }

    /// Whoever founds a public topic tells where it is found, and whoever reads one looks for it: one
    /// time by the link, the next by the id alone.
    pub(super) fn read_seats(&mut self, around: &mut Around<'_>) {
        let agreed = self.app.cores.iter();
        let agreed = agreed.map(|(_, stage)| *stage).all(|at| at == Stage::Done);
        for at in 0..self.app.seats.len() {
            let again = self.looks_on(&self.app.seats[at]);
            let seat = &mut self.app.seats[at];
            let (since, times) = seat.looked;
            let looks = seat.taking_part == Stage::Wanted
                || (again && around.now.since(since) >= LOOK_AGAIN);
            if let (true, Stage::Done, Stage::Wanted, Some(id)) =
                (seat.founds && agreed, seat.taking_part, seat.link, seat.id)
            {
                seat.link = Stage::Asked;
                let topic = id.to_string();
                let link = Command::Public(PublicCommand::Link { topic });
                self.give(around, Asked::Link(at), link);
            } else if seat.reads
                && seat.may_join
                && looks
                && let Some(link) = around.net.links.public(seat.topic)
            {
                let id = around.facts.topic(seat.topic, |topic| topic.id);
                let id = id.filter(|_| self.no.wrapping_add(times) % 2 == 1);
                seat.looked = (around.now, times.wrapping_add(1));
                seat.taking_part = Stage::Asked;
                let join = Command::Join {
                    link: id.map_or_else(|| link.clone(), |id| id.to_string()),
                    name: None,
                    timeout_ms: 30_000,
                };
                self.give(around, Asked::Join(at), join);
            }
        }
    }

    /// The link of a public topic is told to everybody.
    pub(super) fn tells_all(&mut self, around: &mut Around<'_>, at: usize, reply: Reply) {
        if let Reply::Public(PublicReply::Link { link, .. }) = reply {
            let topic = self.app.seats[at].topic;
            self.note(around, Note::Public { topic, link });
        }
    }
}
