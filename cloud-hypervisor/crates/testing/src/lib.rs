// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest and a hypervisor for tests, fuzzers and the benchmark of the tiered balloon: memory
//! in memory files, a driver's side of rings, and a vhost-user front end that does what Cloud
//! Hypervisor does. What goes wrong panics.

#![forbid(unsafe_code)]

mod daemon;
mod driver;
mod frontend;
mod guest;
mod ring;

pub use daemon::{Daemon, wait_until};
pub use driver::{Answer, Driver};
pub use frontend::{FrontEnd, Memory, PROTOCOL_FEATURES, VIRTIO_FEATURES};
pub use guest::{Guest, NODE_BYTES, NODE_FRAMES, Part};
pub use ring::{QUEUE_SIZE, Ring};
