//! Public topics: founded, and where they are found.

use crate::command::public::{PublicCommand, PublicReply};
use crate::command::{Code, Failure, Reply};
use crate::node::{Inner, Turn};
use wire::TopicLink;

impl Inner {
    /// `way topic create --public`, and `way topic link`.
    pub(super) fn public(
        &mut self,
        turn: &mut Turn<'_, '_>,
        command: PublicCommand,
    ) -> Result<Reply, Failure> {
        match command {
            PublicCommand::Create { name, messages } => {
                self.topic_create(turn, &name, (true, messages))
            }
            PublicCommand::Link { topic } => self.topic_link(turn, &topic),
        }
    }

    fn topic_link(&mut self, turn: &mut Turn<'_, '_>, topic: &str) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let keys = self.member(local)?;
        if !keys.is_public() {
            return Err(Failure::new(
                Code::Refused,
                "the topic is not public: whoever is to read it is invited",
                "`way invite` makes a link for that",
            ));
        }
        let topic = keys.id;
        // Without an address the id has to do.
        let mut at = self.ways(turn, local).map_or(Vec::new(), |(at, _)| at);
        let text = loop {
            let link = TopicLink {
                topic,
                at: at.clone(),
            };
            match link.to_text() {
                Ok(text) => break text,
                // Two long names do not fit.
                Err(_) if at.pop().is_some() => {}
                Err(why) => return Err(Failure::new(Code::Failed, why.to_string(), "")),
            }
        };
        Ok(Reply::Public(PublicReply::Link {
            topic,
            link: text,
            nodes: u32::try_from(at.len()).unwrap_or(u32::MAX),
        }))
    }
}
