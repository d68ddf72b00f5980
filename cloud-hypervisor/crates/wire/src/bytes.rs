// SPDX-License-Identifier: GPL-2.0-or-later
//! Little-endian numbers, cut off the front of a slice or to be written.

/// Cuts a number off the front of `bytes`; none if `bytes` is too short.
macro_rules! take {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(bytes: &mut &[u8]) -> Option<$type> {
            let (first, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(<$type>::from_le_bytes(*first))
        }
    };
}

take!(u16, u16);
take!(u32, u32);
take!(u64, u64);

/// Returns how many entries an array has, as a field of 32 bits.
pub(crate) fn count(entries: usize) -> [u8; 4] {
    u32::try_from(entries).unwrap_or(u32::MAX).to_le_bytes()
}
