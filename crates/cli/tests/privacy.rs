//! What a core node's home holds of those whom it serves: nothing that could be read.

#[path = "../examples/figures/search.rs"]
pub(crate) mod search;
#[path = "../examples/figures/secrets.rs"]
mod secrets;

use crate::fake;
use crate::people::{Person, World};
use search::Needle;

const TOPIC: &str = "orchard-at-the-brook";
const NAME: &str = "Philippa of the Orchard";
const TEXTS: [&str; 4] = [
    "The plums are ripe since yesterday.",
    "Bring the long ladder and two baskets.",
    "Only one basket is left, the other has no bottom.",
    "Then we carry them in the wheelbarrow, slowly.",
];

pub(crate) fn secrets_of(person: &Person) -> Vec<Needle> {
    secrets::secrets(&fake::home(&person.home)).unwrap()
}

#[test]
fn a_core_node_can_read_nothing_that_it_keeps() {
    let world = World::new();
    let core = world.core("core");
    let (alice, bob) = (world.up("alice"), world.up("bob"));
    alice.way(&["name", NAME]);
    alice.uses(&core);
    bob.uses(&core);
    alice.creates(TOPIC);
    bob.joins(&alice.invites(TOPIC, "1"));
    let [one, two, three, four] = TEXTS;
    alice.way(&["send", TOPIC, one, "--wait", "delivered"]);
    bob.way(&["send", TOPIC, two, "--wait", "delivered"]);
    // Each alone with the core node, which so has kept both.
    bob.down();
    alice.way(&["send", TOPIC, three, "--wait", "held"]);
    alice.down();
    bob.up(&[]);
    assert_eq!(bob.next(TOPIC, 3), [one, two, three]);
    bob.way(&["send", TOPIC, four, "--wait", "held"]);
    bob.down();
    core.down();

    let mut needles: Vec<Needle> = TEXTS
        .map(|text| Needle::new("a text", text.as_bytes()))
        .into();
    needles.push(Needle::new("the topic's name", TOPIC.as_bytes()));
    needles.push(Needle::new("a member's name", NAME.as_bytes()));
    needles.extend(secrets_of(&alice));
    needles.extend(secrets_of(&bob));
    // Node key, device secret, author key, epoch and meeting secret of each, at least.
    assert!(needles.len() >= TEXTS.len() + 2 + 2 * 5);
    let searched = search::search(&core.home, &needles).unwrap();
    assert!(searched.bytes > 10_000 && searched.files > 5, "it was used");
    assert_eq!(searched.found, Vec::<String>::new());
    // The search sees what is there: a member's key file has its keys, in hex.
    let own = search::search(&alice.home, &needles).unwrap();
    assert!(
        own.found.iter().any(|found| found.contains("in hex")),
        "{:?}",
        own.found
    );
}
