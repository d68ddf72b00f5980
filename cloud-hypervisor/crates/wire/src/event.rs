// SPDX-License-Identifier: GPL-2.0-or-later
//! Events, from device to driver.

use crate::bytes;

/// Bytes of `struct virtio_tb_event`.
pub const EVENT_SIZE: usize = 16;

/// What the device tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// That many pages are to be in the balloon of a node.
    Target {
        /// Place of the node in the configuration.
        node: u16,
        /// Pages to be in its balloon.
        pages: u64,
    },
    /// Send statistics.
    Statistics,
    /// The device goes away: deflate all.
    Deflate,
    /// The device has come back: say hello again.
    Hello,
}

impl Event {
    /// Returns the event as it lies in the driver's buffer.
    pub fn encode(&self) -> [u8; EVENT_SIZE] {
        let (number, node, value) = match *self {
            Event::Target { node, pages } => (1u16, node, pages),
            Event::Statistics => (2, 0, 0),
            Event::Deflate => (3, 0, 0),
            Event::Hello => (4, 0, 0),
        };
        let mut event = [0; EVENT_SIZE];
        event[0..2].copy_from_slice(&number.to_le_bytes());
        event[2..4].copy_from_slice(&node.to_le_bytes());
        event[8..16].copy_from_slice(&value.to_le_bytes());
        event
    }

    /// Returns what the driver reads in its buffer; none if that is no event.
    pub fn parse(mut bytes: &[u8]) -> Option<Event> {
        let number = bytes::u16(&mut bytes)?;
        let node = bytes::u16(&mut bytes)?;
        let _reserved = bytes::u32(&mut bytes)?;
        let value = bytes::u64(&mut bytes)?;
        Some(match number {
            1 => Event::Target { node, pages: value },
            2 => Event::Statistics,
            3 => Event::Deflate,
            4 => Event::Hello,
            _ => return None,
        })
    }
}
