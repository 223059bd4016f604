//! Verified signatures and secrets agreed on may be remembered, and nobody can tell but by the
//! clock. The one test of its process: whatever is signed elsewhere while the memory is on would be
//! counted with it.

use identity::seal::NotOpened;
use identity::seal::hpke::{HpkeSecret, derive_key_pair, export_receiver, export_sender};
use identity::{BadSignature, Context, SecretKey, Signature, remember, remembered};
use machine::Rng;

const BYTES: &[u8] = b"what was signed";

#[test]
fn a_memory_changes_no_verdict() {
    let key = SecretKey::from_seed([9; 32]);
    let public = key.public();
    let other = SecretKey::from_seed([10; 32]).public();
    let good = key.sign(Context::Receipt, BYTES);
    let forged = (0..64).map(|at| {
        let mut bytes = good.to_bytes();
        bytes[at] ^= 1;
        Signature::from_bytes(bytes)
    });
    let forged: Vec<Signature> = forged.collect();
    assert_eq!(public.verify(Context::Receipt, BYTES, &good), Ok(()));
    assert_eq!(
        remembered(),
        (0, 0),
        "nothing is, as long as nobody asked for it"
    );
    for on in [true, false, true] {
        remember(on);
        let signed = key.sign(Context::Show, BYTES);
        assert_eq!(
            remembered().0,
            usize::from(on),
            "what was signed here is known"
        );
        assert_eq!(public.verify(Context::Show, BYTES, &signed), Ok(()));
        let pairs = [1, 1, 2].map(|seed| derive_key_pair(&[seed; 32]).1);
        assert!(pairs[0] == pairs[1] && pairs[1] != pairs[2]);
        assert_eq!(pairs[0], derive_key_pair(&[1; 32]).0.public());
        for round in 0..3 {
            assert_eq!(public.verify(Context::Receipt, BYTES, &good), Ok(()));
            assert!(!on || remembered().0 > 0, "round {round}");
            // Each of them twice: a refusal is not remembered as anything.
            for forged in forged.iter().chain(&forged) {
                let verdict = public.verify(Context::Receipt, BYTES, forged);
                assert_eq!(verdict, Err(BadSignature));
            }
            for _ in 0..2 {
                let bad = Err(BadSignature);
                assert_eq!(public.verify(Context::Receipt, b"what was", &good), bad);
                assert_eq!(public.verify(Context::MailReceipt, BYTES, &good), bad);
                assert_eq!(other.verify(Context::Receipt, BYTES, &good), bad);
            }
        }
        for _ in 0..2 {
            secrets_are_as_ever();
            assert!(!on || remembered().1 > 0);
        }
    }
    remember(false);
}

fn secrets_are_as_ever() {
    let secret = HpkeSecret::from_bytes([5; 32]);
    let mut rng = Rng::from_seed([6; 32]);
    let (enc, agreed) =
        export_sender::<32>(&secret.public(), "sender", &[b"f"], "key", &mut rng).unwrap();
    let of = |secret: &HpkeSecret, field: &[u8], label, enc| {
        export_receiver::<32>(secret, "sender", &[field], label, enc)
    };
    assert_eq!(of(&secret, b"f", "key", &enc), Ok(agreed));
    let mut other = enc;
    other[3] ^= 1;
    assert_ne!(of(&secret, b"f", "key", &other), Ok(agreed));
    assert_ne!(of(&secret, b"g", "key", &enc), Ok(agreed));
    assert_ne!(of(&secret, b"f", "key2", &enc), Ok(agreed));
    assert_ne!(
        of(&HpkeSecret::from_bytes([7; 32]), b"f", "key", &enc),
        Ok(agreed)
    );
    let small_order = [0; 32];
    assert_eq!(of(&secret, b"f", "key", &small_order), Err(NotOpened));
    // Another length is another secret, not the beginning of this one.
    let short = export_receiver::<16>(&secret, "sender", &[b"f"], "key", &enc).unwrap();
    let long = export_receiver::<48>(&secret, "sender", &[b"f"], "key", &enc).unwrap();
    assert_ne!(short, agreed[..16]);
    assert_ne!(long[..32], agreed);
}
