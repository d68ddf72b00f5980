// SPDX-License-Identifier: GPL-2.0-or-later
//! What the tiered balloon's driver and device say to each other.
//!
//! `linux/include/uapi/linux/virtio_tiered_balloon.h` defines the format and says what each
//! field means; names here are those of the header without `VIRTIO_TB_`. A test compiles the
//! header and compares. Whatever is parsed here comes from a guest, so nothing of it is
//! trusted: a parser takes any bytes, reads each once, and never panics.
//!
//! All numbers are little endian. Pages and frames are those of 4 KiB.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bytes;
mod config;
mod event;
mod request;
mod statistics;

pub use config::{CONFIG_NODE_SIZE, CONFIG_SIZE, ConfigNode, encode_config};
pub use event::{EVENT_SIZE, Event};
pub use request::{
    HELLO_SIZE, Hello, RANGE_SIZE, REQUEST_SIZE, RESPONSE_SIZE, Range, RangeKind, Ranges, Request,
    Response, encode_hello, encode_ranges, encode_response, max_request_size,
};
pub use statistics::{
    HEAT_SIZE, Heat, NODE_STATISTICS_SIZE, NodeStatistics, STATISTICS_SIZE, Statistics,
};

/// Virtio ID of the device: one that is reserved and used by no other.
pub const VIRTIO_ID: u32 = 13;
/// First word of the configuration, "DTBL".
pub const MAGIC: u32 = 0x4c42_5444;
/// Version of the format that this crate speaks.
pub const VERSION: u32 = 1;
/// Most nodes of a device.
pub const MAX_NODES: usize = 15;
/// Logarithm of the size of a page, whatever the guest's pages are.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes of a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// Most ranges of one request.
pub const MAX_RANGES: usize = 256;
/// Most points of the curve of heat.
pub const HEAT_POINTS: usize = 16;

/// What a device can do, in its configuration; what a driver takes of it, in hello.
pub mod capability {
    /// The device asks for statistics.
    pub const STATISTICS: u32 = 1 << 0;
    /// Free pages may be reported.
    pub const FREE_REPORTING: u32 = 1 << 1;
    /// The driver may deflate before it is asked.
    pub const DEFLATE_ON_OOM: u32 = 1 << 2;
    /// All of them.
    pub const ALL: u32 = STATISTICS | FREE_REPORTING | DEFLATE_ON_OOM;
    /// Bits and their names, in the API.
    pub const NAMES: [(u32, &str); 3] = [
        (STATISTICS, "statistics"),
        (FREE_REPORTING, "free_reporting"),
        (DEFLATE_ON_OOM, "deflate_on_oom"),
    ];
}

/// Queues of the device, by their number.
pub mod queue {
    /// From driver to device, answered in order.
    pub const REQUESTS: usize = 0;
    /// Buffers that the device fills with events.
    pub const EVENTS: usize = 1;
    /// From driver to device.
    pub const STATISTICS: usize = 2;
    /// How many queues there are.
    pub const COUNT: usize = 3;
}

/// How a request, or one of its ranges, went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// To hello: inflate all that you hold once more.
    Resync = 1,
    /// Unknown type, wrong length, count or version.
    BadRequest = 2,
    /// The configuration has no such node.
    BadNode = 3,
    /// Empty, or not within the node.
    BadRange = 4,
    /// A capability that was not taken.
    Refused = 5,
    /// The host could not do it; nothing has changed.
    Failed = 6,
}

impl Status {
    /// Returns the status of that number.
    pub fn from_number(number: u32) -> Option<Status> {
        const ALL: [Status; 7] = [
            Status::Ok,
            Status::Resync,
            Status::BadRequest,
            Status::BadNode,
            Status::BadRange,
            Status::Refused,
            Status::Failed,
        ];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}
