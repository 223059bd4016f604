//! Each flow of this crate once, as a node uses it: founding, sealing, inviting, joining, proving a
//! topic to a member and to a core node.
//!
//! `cargo run -p rights --example flows`

use identity::seal::hpke::HpkeSecret;
use identity::{Context, EnvelopeId, GrantId, NodeId, SecretKey};
use machine::{Rng, WallTime};
use rights::{
    Access, AtCore, CoreSecret, DeviceSecret, Founded, Incarnation, Invitation, InviteSeed,
    LinkSecret, Match, OpenCache, Opened, Role, Round, SenderKeys, Show, ShownAtCore, Standing,
    Subject, core_token, found, handed_to_guest, issue_ticket, open, seal,
};
use wire::plain::{BoxContents, Message};
use wire::{Class, Header, Parameters};

const NOW: WallTime = WallTime::from_millis(1_780_000_000_000);
const DAY_MS: u64 = 86_400_000;

type Failed = Box<dyn std::error::Error>;

#[allow(
    dead_code,
    reason = "the test includes this file and calls `flows` alone"
)]
fn main() -> Result<(), Failed> {
    flows()
}

/// All flows, one after the other.
pub(crate) fn flows() -> Result<(), Failed> {
    let mut rng = Rng::from_seed([1; 32]);
    let ada = DeviceSecret::generate(&mut rng);
    let topic = founding(&ada, &mut rng)?;
    sealing(&topic, &mut rng)?;
    let (seed, sealed_box) = inviting(&topic, &mut rng)?;
    let bob = DeviceSecret::generate(&mut rng);
    let (invitation, standing) = joining(&bob, &seed, &sealed_box, &mut rng)?;
    proving_to_a_member(&topic, &invitation, &standing, &mut rng)?;
    proving_to_a_core(&topic, &standing, &mut rng)
}

fn founding(device: &DeviceSecret, rng: &mut Rng) -> Result<Founded, Failed> {
    let parameters = Parameters {
        history_days: 90,
        lifespan: 30 * DAY_MS,
    };
    let founded = found(device, NOW, parameters, rng)?;
    // A row for the vault, and the ring back from it after a restart.
    let (epoch, access) = founded.ring.secrets().next().ok_or("nothing held")?;
    let row = device.vault().seal(b"ring/1", &access, rng);
    let access = device.vault().open(b"ring/1", &row)?;
    let mut ring = rights::KeyRing::new(founded.topic, &founded.genesis)?;
    ring.unlock(epoch, Access::from_bytes(&access)?)?;
    assert!(ring.reads());
    // The founder's first author: its certificate is the first item of envelope 1.
    let incarnation = Incarnation::begin(&founded.device, founded.topic, 0, rng);
    incarnation.certificate.verify(founded.topic)?;
    Ok(founded)
}

fn sealing(topic: &Founded, rng: &mut Rng) -> Result<(), Failed> {
    let author = SecretKey::generate(rng);
    let messages = [Message::text("The lighthouse is lit.")];
    let header = Header {
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
    };
    // The writer: sender keys live as long as the process. `wire::sign_envelope` fills in fields 8
    // and 9 from the body.
    let mut senders = SenderKeys::new();
    let epoch = topic.ring.newest_clean().ok_or("no epoch")?.epoch();
    let subject = Subject::of(&header).ok_or("not to a topic")?;
    let body = seal(&mut senders, epoch, &subject, &messages, rng)?;
    let envelope = wire::sign_envelope(header, body, &author)?.into_inner();
    // A reader.
    let mut cache = OpenCache::new();
    let subject = Subject::of(&envelope.envelope.header).ok_or("not to a topic")?;
    let opened = open(
        &mut cache,
        &topic.ring,
        &subject,
        &envelope.body.ok_or("no body")?,
    );
    assert_eq!(opened, Opened::Messages(messages.to_vec()));
    Ok(())
}

fn inviting(topic: &Founded, rng: &mut Rng) -> Result<(InviteSeed, Vec<u8>), Failed> {
    let seed = InviteSeed::generate(rng);
    // First the control envelope with this item; its id then goes into the box.
    let invite = seed.item(topic.topic, 1, NOW.as_millis() + DAY_MS);
    let (epoch, access) =
        handed_to_guest(&topic.ring, &topic.genesis, &invite).ok_or("may not read")?;
    let mut contents = BoxContents {
        genesis: topic.genesis.clone(),
        invite,
        invite_at: EnvelopeId::from_bytes([9; 32]),
        title: "Workshop".into(),
        inviter: "Ada".into(),
        cores: Vec::new(),
        handed: Some((epoch, *access)),
        device: topic.device.public(),
        signature: topic.device.sign(Context::InviteBox, b""),
    };
    contents.sign(&topic.device);
    // Deposited under `seed.locator()`; the seed itself goes into the link.
    Ok((seed.clone(), seed.seal_box(&contents, rng)?))
}

fn joining(
    device: &DeviceSecret,
    seed: &InviteSeed,
    sealed_box: &[u8],
    rng: &mut Rng,
) -> Result<(Invitation, Standing), Failed> {
    let invitation = seed.open_box(sealed_box)?;
    let key = device.key_in(invitation.topic, &invitation.genesis);
    let sealing = HpkeSecret::generate(rng).public();
    // Certificate and claim are the first items of envelope 1, whose deps name
    // `invitation.invite_at` and whose field 12 is `invitation.grant`.
    let claim = seed.claim(
        invitation.topic,
        invitation.grant,
        key.public(),
        sealing,
        NOW,
    );
    let incarnation = Incarnation::begin(&key, invitation.topic, 0, rng);
    incarnation.certificate.verify(invitation.topic)?;
    let standing = Standing {
        device: key,
        grant: invitation.grant,
        claim: Some(claim),
    };
    Ok((invitation, standing))
}

/// Both ends of a link whose dialler is `one`.
fn link(one: NodeId, two: NodeId, rng: &mut Rng) -> (LinkSecret, LinkSecret) {
    let exporter = rng.array();
    let end = |role| LinkSecret::new(&exporter, one, two, role);
    (end(Role::Dialler), end(Role::Acceptor))
}

fn proving_to_a_member(
    topic: &Founded,
    invitation: &Invitation,
    bobs: &Standing,
    rng: &mut Rng,
) -> Result<(), Failed> {
    let mut node = || SecretKey::generate(rng).node_id();
    let (at_bob, at_ada) = {
        let (one, two) = (node(), node());
        link(one, two, rng)
    };
    // Both ends begin a round with all topics that the link may share, and send the list.
    let meeting = invitation.ring.meeting_secrets().next().ok_or("not held")?;
    let topics = [(topic.topic, meeting)];
    let (bobs_round, bobs_list) = Round::begin(0, &at_bob, &topics, 0, rng)?;
    let (adas_round, adas_list) = Round::begin(0, &at_ada, &topics, 0, rng)?;
    // Bob finds the topic in Ada's list and shows himself; Ada judges, then looks up in the topic
    // whether the claim's key is that of the invite it names, and whether the device stands.
    let found: Vec<Match> = bobs_round.matches(&adas_list)?;
    let show = Show::build(&at_bob, found.first().ok_or("no match")?, bobs);
    let shown = show.verify(&at_ada, &adas_round)?;
    assert_eq!((shown.topic, shown.claim), (topic.topic, bobs.claim));
    // And the other way round.
    let grant = GrantId::from_bytes(*topic.topic.as_bytes());
    let adas = Standing {
        device: topic.device.clone(),
        grant,
        claim: None,
    };
    let found = adas_round.matches(&bobs_list)?;
    let show = Show::build(&at_ada, found.first().ok_or("no match")?, &adas);
    assert_eq!(
        show.verify(&at_bob, &bobs_round)?.device,
        topic.genesis.founder()
    );
    Ok(())
}

fn proving_to_a_core(topic: &Founded, standing: &Standing, rng: &mut Rng) -> Result<(), Failed> {
    let (client, core_key) = (SecretKey::generate(rng).node_id(), SecretKey::generate(rng));
    let core = core_key.node_id();
    // What the client hands its core node with the genesis, once; the core keeps it in its vault
    // and lists the topic under this token.
    let secret: CoreSecret = topic.ring.core_secrets().next().ok_or("not held")?;
    let token = core_token(&secret, core);
    let (at_client, at_core) = link(client, core, rng);
    let proof = AtCore::of_device(&secret, &at_client, topic.topic, standing, rng);
    assert_eq!(proof.token, token);
    let shown = proof.verify(&secret, &at_core, topic.topic, NOW)?;
    assert!(matches!(shown, ShownAtCore::Device(shown) if shown.grant == standing.grant));
    // That core node fetches at another, with a ticket by the client's device.
    let until = WallTime::from_millis(NOW.as_millis() + DAY_MS);
    let ticket = issue_ticket(&standing.device, topic.topic, core, NOW, until);
    let other = SecretKey::generate(rng).node_id();
    let (at_core, at_other) = link(core, other, rng);
    let proof = AtCore::of_core(&secret, &at_core, &ticket, rng);
    let shown = proof.verify(&secret, &at_other, topic.topic, NOW)?;
    assert_eq!(shown, ShownAtCore::Core(ticket));
    Ok(())
}
