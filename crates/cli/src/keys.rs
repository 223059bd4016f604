//! The key file: the node key and the device secret.
//!
//! A text file (`keys.toml`), mode 0600, written once and whole. With a passphrase the two secrets
//! are sealed with XChaCha20-Poly1305 under a key that Argon2id (RFC 9106) makes of it; the costs
//! stand in the file, so that they can be raised later. A wrong passphrase and a damaged file
//! cannot be told apart there, and the message says so. A plain file carries a checksum instead.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// RFC 9106's second recommended option: 64 MiB, three passes; 0.6 s measured on a small machine.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// What a file may ask for at most: more would only tie the machine up.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;
/// A key file is a few hundred bytes.
pub const MAX_FILE: usize = 4096;

const FORMAT: u32 = 0;
const SEAL_CONTEXT: &[u8] = b"waystation/keys/v0";
const HEAD: &str = "\
# The keys of a Waystation node. Whoever has this file (and its passphrase, if it has one)
# is this node: keep it secret, and never run two copies of it. `way backup` copies it safely.
";

/// The secrets of a home. They are wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Keys {
    /// Seed of the node key.
    pub node: [u8; 32],
    /// The device secret, of which device keys of topics are derived.
    pub device: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(secret)")
    }
}

/// A passphrase, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(pub Vec<u8>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(secret)")
    }
}

/// Why a key file could not be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeysError {
    /// The file is encrypted and no passphrase was given.
    #[error("the keys are encrypted and no passphrase was given")]
    PassphraseNeeded,
    /// It does not open.
    #[error("the passphrase is wrong (or the key file is damaged)")]
    PassphraseWrong,
    /// Not a key file, or damaged.
    #[error("the key file is damaged: {0}")]
    Damaged(String),
    /// Written by a later version.
    #[error("the key file has format {0}, which this version of way cannot read")]
    Format(u32),
    /// The operating system gave no randomness.
    #[error("the system gave no randomness: {0}")]
    NoRandomness(String),
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain: Option<Plain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Plain {
    node: String,
    device: String,
    check: String,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Sealed {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    nonce: String,
    secret: String,
}

impl Keys {
    /// New keys from the operating system's randomness.
    ///
    /// # Errors
    /// When it gives none.
    pub fn generate() -> Result<Self, KeysError> {
        Ok(Self {
            node: random()?,
            device: random()?,
        })
    }

    /// The text of the key file, sealed if there is a passphrase.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn write(&self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, KeysError> {
        let file = match passphrase {
            None => File {
                format: FORMAT,
                plain: Some(Plain {
                    node: HEXLOWER.encode(&self.node),
                    device: HEXLOWER.encode(&self.device),
                    check: self.check(),
                }),
                sealed: None,
            },
            Some(passphrase) => File {
                format: FORMAT,
                plain: None,
                sealed: Some(self.seal(passphrase)?),
            },
        };
        // A struct of numbers and strings always has a TOML form.
        let body = Zeroizing::new(toml::to_string(&file).expect("keys have a TOML form"));
        Ok(Zeroizing::new(format!("{HEAD}{}", body.as_str())))
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn read(text: &str, passphrase: Option<&Passphrase>) -> Result<Self, KeysError> {
        let file = parse(text)?;
        match (&file.plain, &file.sealed) {
            (Some(plain), None) => {
                let keys = Self {
                    node: bytes(&plain.node)?,
                    device: bytes(&plain.device)?,
                };
                if keys.check() != plain.check {
                    return Err(KeysError::Damaged("its checksum does not fit".into()));
                }
                Ok(keys)
            }
            (None, Some(sealed)) => Self::open(sealed, passphrase),
            _ => Err(KeysError::Damaged(
                "it must be either plain or sealed".into(),
            )),
        }
    }

    /// Whether the text is that of a sealed key file.
    ///
    /// # Errors
    /// When it is not that of a key file at all.
    pub fn is_sealed(text: &str) -> Result<bool, KeysError> {
        Ok(parse(text)?.sealed.is_some())
    }

    fn check(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("waystation v1 key file check");
        hasher.update(&self.node).update(&self.device);
        let hash = hasher.finalize();
        HEXLOWER.encode(&hash.as_bytes()[..4])
    }

    fn seal(&self, passphrase: &Passphrase) -> Result<Sealed, KeysError> {
        let salt: [u8; 16] = random()?;
        let nonce: [u8; 24] = random()?;
        let costs = Params::new(MEMORY_KIB, PASSES, LANES, Some(32))
            .expect("the costs above are within Argon2's limits");
        let key = stretch(passphrase, &salt, costs)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(64));
        plain.extend_from_slice(&self.node);
        plain.extend_from_slice(&self.device);
        let secret = XChaCha20Poly1305::new((&*key).into())
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: &plain,
                    aad: SEAL_CONTEXT,
                },
            )
            .expect("64 bytes are below the cipher's limit");
        Ok(Sealed {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: HEXLOWER.encode(&salt),
            nonce: HEXLOWER.encode(&nonce),
            secret: HEXLOWER.encode(&secret),
        })
    }

    fn open(sealed: &Sealed, passphrase: Option<&Passphrase>) -> Result<Self, KeysError> {
        let passphrase = passphrase.ok_or(KeysError::PassphraseNeeded)?;
        if sealed.memory_kib > MAX_MEMORY_KIB
            || sealed.passes > MAX_PASSES
            || sealed.lanes > MAX_LANES
        {
            return Err(KeysError::Damaged("it asks for unreasonable work".into()));
        }
        let costs = Params::new(sealed.memory_kib, sealed.passes, sealed.lanes, Some(32))
            .map_err(|error| KeysError::Damaged(error.to_string()))?;
        let salt: [u8; 16] = bytes(&sealed.salt)?;
        let nonce: [u8; 24] = bytes(&sealed.nonce)?;
        let secret: [u8; 80] = bytes(&sealed.secret)?;
        let key = stretch(passphrase, &salt, costs)?;
        let plain = XChaCha20Poly1305::new((&*key).into())
            .decrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: &secret,
                    aad: SEAL_CONTEXT,
                },
            )
            .map_err(|_| KeysError::PassphraseWrong)?;
        let plain = Zeroizing::new(plain);
        let (node, device) = plain
            .split_at_checked(32)
            .ok_or(KeysError::PassphraseWrong)?;
        match (node.try_into(), device.try_into()) {
            (Ok(node), Ok(device)) => Ok(Self { node, device }),
            _ => Err(KeysError::PassphraseWrong),
        }
    }
}

fn parse(text: &str) -> Result<File, KeysError> {
    if text.len() > MAX_FILE {
        return Err(KeysError::Damaged("it is too long".into()));
    }
    // The parser's own message would quote the line, which may hold a secret.
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            text.as_bytes()
                .iter()
                .take(span.start)
                .filter(|b| **b == b'\n')
                .count()
                + 1
        });
        KeysError::Damaged(format!("line {line} cannot be read"))
    })?;
    if file.format != FORMAT {
        return Err(KeysError::Format(file.format));
    }
    Ok(file)
}

fn stretch(
    passphrase: &Passphrase,
    salt: &[u8; 16],
    costs: Params,
) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, costs)
        .hash_password_into(&passphrase.0, salt, &mut *key)
        .map_err(|error| KeysError::Damaged(error.to_string()))?;
    Ok(key)
}

fn random<const N: usize>() -> Result<[u8; N], KeysError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| KeysError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], KeysError> {
    let decoded = HEXLOWER.decode(text.as_bytes()).map(Zeroizing::new);
    decoded
        .ok()
        .and_then(|bytes| bytes.as_slice().try_into().ok())
        .ok_or_else(|| KeysError::Damaged("a value has the wrong length or letters".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Passphrase {
        Passphrase(text.as_bytes().to_vec())
    }

    #[test]
    fn plain_keys_come_back() {
        let keys = Keys::generate().unwrap();
        let text = keys.write(None).unwrap();
        assert_eq!(Keys::read(&text, None).unwrap(), keys);
        assert!(!Keys::is_sealed(&text).unwrap());
        assert_ne!(keys, Keys::generate().unwrap());
    }

    #[test]
    fn sealed_keys_need_their_passphrase() {
        let keys = Keys::generate().unwrap();
        let text = keys.write(Some(&phrase("correct horse"))).unwrap();
        assert!(Keys::is_sealed(&text).unwrap());
        assert!(!text.contains(&HEXLOWER.encode(&keys.node)));
        assert_eq!(Keys::read(&text, None), Err(KeysError::PassphraseNeeded));
        assert_eq!(
            Keys::read(&text, Some(&phrase("wrong"))),
            Err(KeysError::PassphraseWrong)
        );
        assert_eq!(
            Keys::read(&text, Some(&phrase("correct horse"))).unwrap(),
            keys
        );
    }

    #[test]
    fn any_changed_letter_of_a_plain_file_is_noticed() {
        let text = Keys {
            node: [1; 32],
            device: [2; 32],
        }
        .write(None)
        .unwrap();
        let secret_starts = text.find("format").unwrap();
        for at in secret_starts..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[at] = if other[at] == b'3' { b'4' } else { b'3' };
            let other = String::from_utf8(other).unwrap();
            assert!(Keys::read(&other, None).is_err(), "letter {at} of {other}");
        }
    }

    #[test]
    fn hostile_files_are_refused_and_never_quoted() {
        let sealed = "format = 0\n[sealed]\nmemory_kib = 4294967295\npasses = 1\nlanes = 1\nsalt = \"\"\nnonce = \"\"\nsecret = \"\"";
        assert!(matches!(
            Keys::read(sealed, Some(&phrase("x"))),
            Err(KeysError::Damaged(_))
        ));
        assert_eq!(Keys::read("format = 9", None), Err(KeysError::Format(9)));
        let broken = "format = 0\n[plain]\nnode = 'SECRETSECRET";
        let error = Keys::read(broken, None).unwrap_err().to_string();
        assert!(
            error.contains("line 3") && !error.contains("SECRET"),
            "{error}"
        );
        assert!(Keys::read(&"#".repeat(MAX_FILE + 1), None).is_err());
        assert!(Keys::read("", None).is_err());
    }
}
