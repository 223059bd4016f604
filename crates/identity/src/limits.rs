//! Limits of compositions.

/// Devices of one composition. A form with more is refused: who wants more devices than this first
/// removes one.
pub const MAX_DEVICES: usize = 16;

/// What the shares of a composition's devices sum to. Other sums are refused, so that a share is a
/// part in 256 of what the composition may spend, and no sum of rates exceeds the whole.
pub const SHARES: u16 = 256;
