//! Text forms: bech32m for ids that have a kind, hexadecimal for the rest.
//!
//! Each name has exactly one lower-case text and its upper-case twin (what QR codes store most
//! tightly). Mixed case, other padding bits and bech32's older checksum are refused, so that two
//! texts are the same name only if they are equal without regard to case.

use core::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use thiserror::Error;

use crate::id::{Id, Kind, Scheme};

/// Longest text that is looked at: `engine1`/`domain1`/`member1`, 53 digits, 6 of checksum. What is
/// longer is refused before any work.
const MAX_TEXT: usize = 66;

/// The text is no id or name. Whoever typed or sent it is at fault; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TextError {
    /// Too short, too long, a wrong character, a wrong checksum, or mixed case.
    #[error("not an id: a character is wrong or missing, or upper and lower case are mixed")]
    Garbled,
    /// A well-formed text whose prefix is no kind of id.
    #[error("not an id: its prefix names no kind")]
    UnknownKind,
    /// The scheme byte is unknown, or the text is not the one form of its bytes.
    #[error("not an id: unknown scheme or padding")]
    UnknownScheme,
    /// An id, but of another kind than the place asks for.
    #[error("this is the id of a {found}, and a {wanted} was asked for")]
    OtherKind {
        /// The kind that was asked for.
        wanted: &'static str,
        /// The kind that was given.
        found: &'static str,
    },
    /// Not 64 hexadecimal digits.
    #[error("not 64 hexadecimal digits in one case")]
    NotHex,
}

pub(crate) fn write_id(f: &mut fmt::Formatter<'_>, id: &Id) -> fmt::Result {
    let mut data = [0; 33];
    data[0] = id.scheme() as u8;
    data[1..].copy_from_slice(id.as_bytes());
    let hrp = Hrp::parse(id.kind().name()).map_err(|_| fmt::Error)?;
    let text = bech32::encode::<Bech32m>(hrp, &data).map_err(|_| fmt::Error)?;
    // `pad` and not `write_str`, so that tables can be aligned.
    f.pad(&text)
}

pub(crate) fn read_id(text: &str) -> Result<Id, TextError> {
    if text.len() > MAX_TEXT {
        return Err(TextError::Garbled);
    }
    let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| TextError::Garbled)?;
    let kind = Kind::from_name(&checked.hrp().to_lowercase()).ok_or(TextError::UnknownKind)?;
    let mut data = [0_u8; 33];
    let mut bytes = checked.byte_iter();
    if bytes.len() != data.len() {
        return Err(TextError::Garbled);
    }
    data.fill_with(|| bytes.next().unwrap_or_default());
    let [scheme, rest @ ..] = data;
    let scheme = Scheme::from_u8(scheme).ok_or(TextError::UnknownScheme)?;
    let id = Id::new(kind, scheme, rest);
    // Padding bits are not covered by the decoder; only the one true form passes.
    if !id.to_string().eq_ignore_ascii_case(text) {
        return Err(TextError::UnknownScheme);
    }
    Ok(id)
}

pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8; 32]) -> fmt::Result {
    for byte in bytes {
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

pub(crate) fn write_short(f: &mut fmt::Formatter<'_>, bytes: &[u8; 32]) -> fmt::Result {
    for byte in bytes.iter().take(4) {
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

pub(crate) fn read_hex(text: &str) -> Result<[u8; 32], TextError> {
    let digits = text.as_bytes();
    let one_case =
        !(digits.iter().any(u8::is_ascii_lowercase) && digits.iter().any(u8::is_ascii_uppercase));
    if digits.len() != 64 || !one_case {
        return Err(TextError::NotHex);
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else {
            return Err(TextError::NotHex);
        };
        *byte = (hex_digit(high)? << 4) | hex_digit(low)?;
    }
    Ok(out)
}

fn hex_digit(digit: u8) -> Result<u8, TextError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(TextError::NotHex),
    }
}
