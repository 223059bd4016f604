//! The key at which a page begins, kept beside its neighbours so that a search stays in one place.

/// Longest edge that needs no memory of its own. Most are shorter: an edge is cut after the first
/// byte that tells two pages apart.
const SHORT: usize = 22;

/// Some bytes, mostly few.
#[derive(Clone)]
pub(super) enum Edge {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

impl Edge {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT];
        match (short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(bytes);
                Self::Short(len, short)
            }
            _ => Self::Long(bytes.into()),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }

    /// Bytes of memory beyond its own place.
    pub(super) const fn memory(&self) -> usize {
        match self {
            Self::Short(..) => 0,
            Self::Long(bytes) => bytes.len() + 16,
        }
    }
}
