//! Sealed bodies of unicast: from one node or engine to a node's sealing key.
//!
//! ```text
//! key id 8 ‖ enc 32 ‖ ct
//! key id = kdf("hint", sealing key)[0..8]
//! HPKE to the sealing key in the recipient's advert, name "unicast", fields
//! source key 32 ‖ destination id 34; associated data = header without fields 8 and 9
//! ```
//!
//! Only the holder of the sealing key opens it; that the source meant it, for this recipient and
//! under this header, is bound by the header's signature and by what is sealed with it. The
//! plaintext is that of other bodies: messages, padded.

use identity::seal::hpke::{HpkeSecret, open as hpke_open, seal as hpke_seal};
use identity::seal::{hash, kdf};
use identity::{Id, SealingKey};
use machine::Rng;
use wire::Header;
use wire::limits::{MAX_BODY, MAX_MESSAGES};
use wire::plain::{Message, decode_messages, encode_messages};
use zeroize::Zeroizing;

use crate::body::{Opened, SealRefused};
use crate::secret::first;

/// Names a sealing key where something is sealed to it.
#[must_use]
pub fn key_hint(key: &SealingKey) -> [u8; 8] {
    first(&kdf("hint", &[key.as_bytes()]))
}

/// Seals messages to the owner of `to`. The header's fields 8 and 9 are filled in from the result.
pub fn seal_unicast(
    to: &SealingKey,
    header: &Header,
    messages: &[Message],
    rng: &mut Rng,
) -> Result<Vec<u8>, SealRefused> {
    if messages.is_empty() || messages.len() > usize::from(MAX_MESSAGES) {
        return Err(SealRefused::Messages(messages.len()));
    }
    if messages.len() != usize::from(header.count) {
        return Err(SealRefused::Count {
            given: messages.len(),
            announced: header.count,
        });
    }
    let plain = Zeroizing::new(encode_messages(messages));
    // An overhead of 56 bytes: less than that of a topic's body, for which `plain` has room.
    if plain.len() > wire::limits::MAX_PLAIN {
        return Err(SealRefused::TooLong(plain.len()));
    }
    let aad = header.encode_without_body();
    // A generator whose state was restored (a machine set back while it runs) still gives another
    // encapsulation for another plaintext.
    let seed = Zeroizing::new(kdf(
        "unicast seed",
        &[&rng.array::<32>(), &hash(&[&aad]), &plain],
    ));
    let mut own = Rng::from_seed(*seed);
    let destination = id_bytes(&header.destination);
    let fields: [&[u8]; 2] = [header.author.as_bytes(), &destination];
    let (enc, sealed) = hpke_seal(to, "unicast", &fields, &aad, &plain, &mut own)
        .map_err(|_| SealRefused::BadKey)?;
    Ok([key_hint(to).as_slice(), &enc, &sealed].concat())
}

/// Opens a unicast body with whichever of these keys it names: the present one and those whose
/// envelopes may still be on their way.
#[must_use]
pub fn open_unicast(keys: &[HpkeSecret], header: &Header, body: &[u8]) -> Opened {
    if body.len() > MAX_BODY {
        return Opened::Malformed;
    }
    let parts = body.split_first_chunk::<8>().and_then(|(hint, rest)| {
        let (enc, sealed) = rest.split_first_chunk::<32>()?;
        Some((hint, enc, sealed))
    });
    let Some((hint, enc, sealed)) = parts else {
        return Opened::Malformed;
    };
    let Some(key) = keys.iter().find(|key| key_hint(&key.public()) == *hint) else {
        return Opened::NoKey;
    };
    let destination = id_bytes(&header.destination);
    let fields: [&[u8]; 2] = [header.author.as_bytes(), &destination];
    let plain = hpke_open(
        key,
        "unicast",
        &fields,
        enc,
        &header.encode_without_body(),
        sealed,
    )
    .map(Zeroizing::new);
    match plain.ok().and_then(|plain| decode_messages(&plain).ok()) {
        Some(messages) if messages.len() == usize::from(header.count) => Opened::Messages(messages),
        Some(_) | None => Opened::Malformed,
    }
}

/// An id as on the wire: kind, scheme, 32 bytes.
fn id_bytes(id: &Id) -> [u8; 34] {
    id.to_wire()
}
