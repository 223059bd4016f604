//! Contents under the real driver: in order, durable before it is said, and none too slow for the node.

use crate::world::GUARD;
use driver::{Contents, End, Host, Opened, Options, start};
use machine::{
    ContentDone, ContentEffect, ContentName, Cx, Effect, Machine, MemoryBase, Outbox, Ports, Time,
};
use std::sync::mpsc::{Sender, channel};
use store::Content;

/// Contents of the test.
const CONTENTS: u8 = 3;

/// Pieces of each.
const PIECES: u64 = 200;

/// Bytes of a piece.
const PIECE: u32 = 1024;

fn name(of: u8) -> ContentName {
    ContentName([of; 32])
}

fn bytes(of: u8, piece: u64) -> Vec<u8> {
    let one = [of, piece.to_le_bytes()[0]];
    one.repeat(usize::try_from(PIECE).expect("small") / one.len())
}

/// What the machine asks for, in order: each piece is written and read, and at the end all is removed.
fn effects() -> Vec<ContentEffect> {
    let mut all = Vec::new();
    for piece in 0..PIECES {
        for of in 0..CONTENTS {
            let (name, at, bytes) = (name(of), piece * u64::from(PIECE), bytes(of, piece));
            all.push(ContentEffect::Write { name, at, bytes });
            let len = PIECE;
            all.push(ContentEffect::Read { name, at, len });
        }
    }
    all.push(ContentEffect::List { after: None });
    all.extend((0..CONTENTS).map(|of| ContentEffect::Delete(name(of))));
    all.push(ContentEffect::List { after: None });
    all
}

/// What is to come of it.
fn completions() -> Vec<ContentDone> {
    let mut here: Vec<ContentName> = (0..CONTENTS).map(name).collect();
    let completion = |effect| match effect {
        ContentEffect::Write { name, at, .. } => ContentDone::Written(name, at),
        ContentEffect::Read { name, at, .. } => {
            let piece = bytes(name.0[0], at / u64::from(PIECE));
            ContentDone::Read(name, at, Some(piece))
        }
        // The one after all are removed finds none.
        ContentEffect::List { .. } => ContentDone::Listed(std::mem::take(&mut here)),
        ContentEffect::Delete(name) => ContentDone::Deleted(name),
    };
    effects().into_iter().map(completion).collect()
}

#[derive(Debug)]
enum Do {
    Begin,
    Done(ContentDone),
}

#[derive(Debug)]
struct Wires;

impl Ports for Wires {
    type Held = ContentDone;
    type Verbatim = ();
    type Advisory = ();
}

/// Asks for everything at once, and says what came of it.
struct Keeper;

impl Machine for Keeper {
    type Input = Do;
    type Output = Effect<Wires>;

    fn handle(&mut self, _: &mut Cx<'_>, input: Do, out: &mut Outbox<Effect<Wires>>) {
        match input {
            Do::Begin => effects()
                .into_iter()
                .for_each(|effect| out.push(Effect::Content(effect))),
            Do::Done(done) => out.push(Effect::Held(done)),
        }
    }

    fn on_deadline(&mut self, _: &mut Cx<'_>, _: &mut Outbox<Effect<Wires>>) {}

    fn deadline(&self) -> Option<Time> {
        None
    }
}

struct Ear {
    said: Sender<ContentDone>,
    contents: Contents<Do>,
}

impl Host<Wires> for Ear {
    fn held(&mut self, done: ContentDone) {
        let _ = self.said.send(done);
    }

    fn verbatim(&mut self, (): ()) {}

    fn advisory(&mut self, (): ()) {}

    fn content(&mut self, effect: ContentEffect) {
        self.contents.take(effect);
    }
}

#[test]
fn effects_on_contents_are_carried_out_in_order() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let runtime = tokio::runtime::Runtime::new().expect("threads can be had");
    let (sender, said) = channel();
    let open = |_| Ok(Opened::new(Keeper, MemoryBase::default(), |_| Ok(())));
    let (at, tokio) = (content.clone(), runtime.handle().clone());
    let node = start(Options::default(), open, move |handle| Ear {
        said: sender,
        contents: Contents::new(at, handle, tokio, Do::Done),
    });
    let node = node.expect("threads can be had");
    node.handle().send_blocking(Do::Begin, 0).expect("it runs");
    for expected in completions() {
        assert_eq!(said.recv_timeout(GUARD).expect("it comes"), expected);
    }
    assert_eq!(content.list(None, 10).expect("listed"), []);
    node.handle().stop();
    assert_eq!(node.wait(), End::Stopped);
}
