//! What the home of a member holds and nobody else may.

use std::error::Error;

use cli::home::Home;
use cli::keys::Keys;
use machine::Base as _;
use rights::{Access, DeviceSecret};
use store::FjallStore;

use super::search::Needle;

/// First byte of the key of a row with what is held of a topic's epoch.
const EPOCH: u8 = b'e';
/// Rows of a vault that are looked at; a home in a test has a handful.
const MOST: usize = 1000;

/// Every secret in the key file and in the vault of a home whose node is down, with the meeting
/// secrets that follow from them. The secret derived for core nodes is not among them.
pub(crate) fn secrets(home: &Home) -> Result<Vec<Needle>, Box<dyn Error + Send + Sync>> {
    let keys = Keys::read(&std::fs::read_to_string(home.keys())?, None)?;
    let mut needles = vec![
        Needle::new("a node key", &keys.node),
        Needle::new("a device secret", &keys.device),
    ];
    let vault = DeviceSecret::from_bytes(keys.device).vault();
    let (store, _) = FjallStore::open(&home.store(), &node::tables(), &store::Options::default())?;
    let mut epochs = 0;
    for (key, row) in store.scan(node::rows::VAULT, (&[], &[u8::MAX; 8]), MOST, false)? {
        let plain = vault.open(&[b"vault ", key.as_slice()].concat(), &row)?;
        if key.first() == Some(&EPOCH) {
            let access = Access::from_bytes(&plain)?;
            let meeting = access
                .meeting()
                .ok_or("a member without a meeting secret")?;
            let epoch = access.epoch_secret().ok_or("a member that does not read")?;
            needles.push(Needle::new("an epoch secret", epoch.as_bytes()));
            needles.push(Needle::new("a meeting secret", meeting.as_bytes()));
            epochs += 1;
        } else {
            needles.push(Needle::new("a secret of the vault", &plain));
        }
    }
    if epochs == 0 {
        return Err("the home has no topic".into());
    }
    Ok(needles)
}
