// SPDX-License-Identifier: GPL-2.0-or-later
//! Sizes of memory as people write them: `512M`, `1G`, `1GiB`, or bytes. All units are powers
//! of 1024, as for hypervisors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Bytes, which are written and read with a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A node and a size of it, written `PXM=SIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PxmSize {
    /// Proximity domain of the node.
    pub pxm: u32,
    /// Bytes.
    pub bytes: u64,
}

/// Why a size could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SizeError {
    /// No size.
    #[error("'{0}' is no size: write 512M, 4G, 1GiB or bytes")]
    Size(String),
    /// No node with a size.
    #[error("'{0}' is no PXM=SIZE: write 0=512M for 512 MiB of the node of proximity domain 0")]
    PxmSize(String),
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        parse_size::Config::new()
            .with_binary()
            .parse_size(text)
            .map(Size)
            .map_err(|_| SizeError::Size(crate::printable(text)))
    }
}

impl fmt::Display for Size {
    /// Writes it exactly, with the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "G"), (20, "M"), (10, "K")];
        let text = units
            .iter()
            .find(|(shift, _)| self.0 != 0 && self.0.trailing_zeros() >= *shift)
            .map_or(self.0.to_string(), |(shift, unit)| {
                format!("{}{unit}", self.0 >> shift)
            });
        f.pad(&text)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Size {
    /// Reads a number of bytes, or a text with a unit.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"512M\", or bytes")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes)
                    .map(Size)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl FromStr for PxmSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let wrong = || SizeError::PxmSize(crate::printable(text));
        let (pxm, size) = text.split_once('=').ok_or_else(wrong)?;
        if !pxm.bytes().all(|c| c.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(PxmSize {
            pxm: pxm.parse().map_err(|_| wrong())?,
            bytes: size.parse::<Size>()?.0,
        })
    }
}

impl fmt::Display for PxmSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pxm, Size(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("512M", 512 << 20),
            ("1G", 1 << 30),
            ("1GiB", 1 << 30),
            ("1.5G", 3 << 29),
            ("2MB", 2 << 20),
            ("3k", 3 << 10),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in [
            "",
            "G",
            "-1",
            "1X",
            "1 2 G M",
            "99999999999G",
            "0x10",
            "\u{1b}[1m",
        ] {
            let error = text.parse::<Size>().unwrap_err().to_string();
            assert!(error.ends_with("write 512M, 4G, 1GiB or bytes"), "{text}");
            assert!(!error.contains('\u{1b}'));
        }
    }

    #[test]
    fn nodes_are_proximity_domains() {
        let node = PxmSize {
            pxm: 1,
            bytes: 5 << 30,
        };
        assert_eq!("1=5G".parse(), Ok(node));
        assert_eq!(node.to_string(), "1=5G");
        for text in [
            "",
            "1",
            "=1G",
            "+1=1G",
            "x=1G",
            "4294967296=1G",
            "1=",
            "1=G",
        ] {
            assert!(text.parse::<PxmSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn files_may_hold_numbers_or_texts() {
        let sizes: Vec<Size> = serde_json::from_str(r#"["1G", 4096]"#).unwrap();
        assert_eq!(sizes, [Size(1 << 30), Size(4096)]);
        assert!(serde_json::from_str::<Size>("-1").is_err());
        assert!(serde_json::from_str::<Size>("1.5").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(bytes: u64) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = text.parse::<Size>();
            let _ = text.parse::<PxmSize>();
        }
    }
}
