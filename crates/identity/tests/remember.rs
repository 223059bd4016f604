//! Verified signatures may be remembered, and nobody can tell but by the clock.

use identity::{BadSignature, Context, SecretKey, Signature, remember, remembered};

const BYTES: &[u8] = b"what was signed";

/// The one test that switches the memory on and off: it is of the whole process.
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
        0,
        "nothing is, as long as nobody asked for it"
    );
    for on in [true, false, true] {
        remember(on);
        for round in 0..3 {
            assert_eq!(public.verify(Context::Receipt, BYTES, &good), Ok(()));
            assert!(!on || remembered() > 0, "round {round}");
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
    }
    remember(false);
}
