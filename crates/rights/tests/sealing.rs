//! Topic sealing keys: when they turn, and when they are destroyed.

use identity::seal::hpke::HpkeSecret;
use rights::SealingKeys;
use rights::limits::{MAX_SEALING_SECRETS, SEALING_KEPT_MS, SEALING_TURN_MS};

use crate::support::{DAY, NOW, flips, rng};

fn keys() -> SealingKeys {
    SealingKeys::new(HpkeSecret::from_bytes([1; 32]))
}

#[test]
fn a_key_that_opened_something_turns_a_day_later_and_not_before() {
    let now = NOW.as_millis();
    let mut keys = keys();
    let first = keys.public();
    assert_eq!(keys.turn_due(), None, "unused");
    let other = HpkeSecret::from_bytes([2; 32]).public();
    assert!(!keys.opened(&other, now));
    assert_eq!(keys.turn_due(), None);
    assert!(keys.opened(&first, now));
    assert!(!keys.opened(&first, now + DAY), "the first time counts");
    assert_eq!(keys.turn_due(), Some(now + SEALING_TURN_MS));
    let second = keys.turn(now + DAY, &mut rng(3));
    assert_ne!(first, second);
    assert_eq!(keys.public(), second);
    assert_eq!(keys.turn_due(), None);
    let opens: Vec<_> = keys.secrets().map(HpkeSecret::public).collect();
    assert_eq!(opens, [second, first], "both open, the newest first");
    assert!(!keys.opened(&first, now), "an old one turns nothing");
}

#[test]
fn a_replaced_key_is_destroyed_after_two_weeks_or_with_the_history() {
    for (history, kept) in [
        (None, SEALING_KEPT_MS),
        (Some(DAY), DAY),
        (Some(90 * DAY), 14 * DAY),
    ] {
        let now = NOW.as_millis();
        let mut keys = keys();
        keys.turn(now, &mut rng(3));
        assert_eq!(keys.forget_due(history), Some(now + kept));
        assert!(!keys.forget(now + kept - 1, history));
        assert_eq!(keys.secrets().count(), 2);
        let row = keys.to_bytes();
        assert!(keys.forget(now + kept, history));
        assert_eq!(keys.secrets().count(), 1);
        assert_eq!(keys.forget_due(history), None);
        // Nothing of the old key is in the row that is written now.
        let old = [1; 32];
        let holds = |row: &[u8]| row.windows(32).any(|part| part == old);
        assert!(holds(&row) && !holds(&keys.to_bytes()));
    }
}

#[test]
fn a_wrong_clock_keeps_no_key_for_longer() {
    let now = NOW.as_millis();
    let mut keys = keys();
    let first = keys.public();
    // Both noted decades ahead.
    assert!(keys.opened(&first, now * 2));
    keys.turn(now * 2, &mut rng(3));
    assert!(keys.forget(now, None), "put right");
    assert_eq!(keys.forget_due(None), Some(now + SEALING_KEPT_MS));
    assert!(keys.forget(now + SEALING_KEPT_MS, None));
    let newest = keys.public();
    assert!(keys.opened(&newest, now * 2));
    assert!(keys.forget(now, None));
    assert_eq!(keys.turn_due(), Some(now + SEALING_TURN_MS));
    // A clock at its very beginning loses no key.
    let mut keys = self::keys();
    let first = keys.public();
    keys.opened(&first, 0);
    keys.turn(0, &mut rng(4));
    let again = SealingKeys::from_bytes(&keys.to_bytes()).unwrap();
    assert_eq!(again.secrets().count(), 2);
}

#[test]
fn keys_are_few_and_the_oldest_goes_first() {
    let mut keys = keys();
    let mut rng = rng(3);
    let mut all = vec![keys.public()];
    for n in 0..40 {
        all.insert(0, keys.turn(NOW.as_millis() + n, &mut rng));
    }
    all.truncate(MAX_SEALING_SECRETS);
    let kept: Vec<_> = keys.secrets().map(HpkeSecret::public).collect();
    assert_eq!(kept, all);
    let again = SealingKeys::from_bytes(&keys.to_bytes()).unwrap();
    assert_eq!(
        again.secrets().map(HpkeSecret::public).collect::<Vec<_>>(),
        all
    );
}

#[test]
fn a_row_comes_back_as_it_was_and_nothing_else_is_a_row() {
    let mut keys = keys();
    let first = keys.public();
    keys.opened(&first, 5);
    keys.turn(6, &mut rng(3));
    let row = keys.to_bytes();
    let again = SealingKeys::from_bytes(&row).unwrap();
    assert_eq!(again.to_bytes(), row);
    assert_eq!(again.public(), keys.public());
    for len in (0..row.len()).filter(|len| *len != 0) {
        assert!(SealingKeys::from_bytes(&row[..len]).is_none(), "{len}");
    }
    assert!(SealingKeys::from_bytes(&[]).is_none());
    let many = row[..48].repeat(MAX_SEALING_SECRETS + 1);
    assert!(SealingKeys::from_bytes(&many).is_none());
    // Whatever else stands there is a set of keys or none; nothing panics.
    for (_, flipped) in flips(&row) {
        let _ = SealingKeys::from_bytes(&flipped).map(|keys| keys.to_bytes());
    }
    assert!(!format!("{keys:?}").contains("[1, 1, 1"), "never printed");
}
