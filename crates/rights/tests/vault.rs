//! Secret rows.

use rights::{DeviceSecret, Vault, VaultClosed};

use crate::support::{flips, rng};

fn vault(seed: u8) -> Vault {
    DeviceSecret::from_bytes([seed; 32]).vault()
}

#[test]
fn a_row_opens_under_its_name_with_its_homes_key_alone() {
    let row = vault(1).seal(b"keys/1", b"secret", &mut rng(5));
    assert_eq!(row.len(), 6 + Vault::OVERHEAD);
    assert_eq!(**vault(1).open(b"keys/1", &row).unwrap(), *b"secret");
    assert_eq!(vault(1).open(b"keys/2", &row), Err(VaultClosed));
    assert_eq!(vault(2).open(b"keys/1", &row), Err(VaultClosed));
    assert!(!row.windows(6).any(|bytes| bytes == b"secret"));
    assert!(
        vault(1)
            .open(b"empty", &vault(1).seal(b"empty", b"", &mut rng(5)))
            .is_ok()
    );
}

#[test]
fn a_damaged_row_does_not_open() {
    let row = vault(1).seal(b"keys/1", b"secret", &mut rng(5));
    for (_, flipped) in flips(&row) {
        assert_eq!(vault(1).open(b"keys/1", &flipped), Err(VaultClosed));
    }
    for len in 0..row.len() {
        assert_eq!(vault(1).open(b"keys/1", &row[..len]), Err(VaultClosed));
    }
}

#[test]
fn a_repeated_generator_repeats_no_key() {
    let one = vault(1).seal(b"keys/1", b"secret a", &mut rng(5));
    let two = vault(1).seal(b"keys/1", b"secret b", &mut rng(5));
    assert_ne!(one[1..25], two[1..25]);
}
