//! What signing, checking and opening cost, so that one can tell what dominates a simulated day,
//! and what remembering saves.
//!
//! `cargo run --release -p sim --example crypto-figures`

use identity::{Context, GrantId, SecretKey};
use machine::{Rng, WallTime};
use rights::{DeviceSecret, Founded, OpenCache, SenderKeys, Subject, found, open, seal};
use std::hint::black_box;
use std::time::Instant;
use wire::plain::Message;
use wire::{Class, Header, Parameters};

const NOW: WallTime = WallTime::from_millis(1_780_000_000_000);
const DAY_MS: u64 = 86_400_000;
const ROUNDS: u64 = 2_000;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let mut rng = Rng::from_seed([1; 32]);
    let device = DeviceSecret::generate(&mut rng);
    let parameters = Parameters {
        history_days: 90,
        lifespan: 30 * DAY_MS,
    };
    let topic = found(&device, NOW, parameters, &mut rng)?;
    let author = SecretKey::generate(&mut rng);
    signatures(&author);
    bodies(&topic, &author, &mut rng)
}

fn signatures(author: &SecretKey) {
    let bytes = [3; 32];
    let signature = author.sign(Context::Envelope, &bytes);
    let public = author.public();
    time("sign an envelope's id", || {
        author.sign(Context::Envelope, &bytes)
    });
    time("verify it", || {
        public.verify(Context::Envelope, &bytes, &signature)
    });
    identity::remember(true);
    time("verify it, remembered", || {
        public.verify(Context::Envelope, &bytes, &signature)
    });
    identity::remember(false);
}

fn bodies(topic: &Founded, author: &SecretKey, rng: &mut Rng) -> Result<(), Failed> {
    let header = header(topic, author);
    let subject = Subject::of(&header).ok_or("not to a topic")?;
    let messages = [Message::text("w".repeat(100))];
    let epoch = topic.ring.newest_clean().ok_or("no epoch")?.epoch();
    let mut senders = SenderKeys::new();
    let mut first = Rng::from_seed([2; 32]);
    time("seal 100 B, new sender key", || {
        seal(
            &mut SenderKeys::new(),
            epoch,
            &subject,
            &messages,
            &mut first,
        )
    });
    time("seal 100 B, same sender key", || {
        seal(&mut senders, epoch, &subject, &messages, &mut first)
    });
    let body = seal(&mut senders, epoch, &subject, &messages, rng)?;
    let signed = wire::sign_envelope(header.clone(), body.clone(), author)?.into_inner();
    let raw = signed.envelope.to_raw(signed.body);
    let subject = Subject::of(&signed.envelope.header).ok_or("not to a topic")?;
    time("sign an envelope, body and all", || {
        wire::sign_envelope(header.clone(), body.clone(), author)
    });
    time("check an envelope", || wire::check(raw.clone()));
    identity::remember(true);
    time("check an envelope, remembered", || wire::check(raw.clone()));
    identity::remember(false);
    time("open its body, first of its author", || {
        open(&mut OpenCache::new(), &topic.ring, &subject, &body)
    });
    identity::remember(true);
    time("open it, first, remembered", || {
        open(&mut OpenCache::new(), &topic.ring, &subject, &body)
    });
    identity::remember(false);
    let mut cache = OpenCache::new();
    time("open its body, author known", || {
        open(&mut cache, &topic.ring, &subject, &body)
    });
    Ok(())
}

fn header(topic: &Founded, author: &SecretKey) -> Header {
    Header {
        destination: topic.topic.to_id(),
        author: author.public(),
        number: 2,
        previous: [7; 32],
        generation: 2,
        created: NOW.as_millis(),
        expires: NOW.as_millis() + DAY_MS,
        body_len: 0,
        body_hash: [0; 32],
        count: 1,
        class: Class::Content,
        grant: GrantId::from_bytes(*topic.topic.as_bytes()),
        hops: 8,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: Default::default(),
    }
}

/// Prints the fastest of ten parts, which others that use the machine disturb least.
fn time<T>(what: &str, mut call: impl FnMut() -> T) {
    let mut best = f64::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        for _ in 0..ROUNDS / 10 {
            black_box(call());
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / (ROUNDS / 10) as f64);
    }
    println!("{what:<36} {:>7.2} us", best / 1_000.0);
}
