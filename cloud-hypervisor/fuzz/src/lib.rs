// SPDX-License-Identifier: GPL-2.0-or-later
//! What fuzzers share: bytes as a sequence of actions of a hostile guest, and a VM that they
//! act on. A VM has no hypervisor: rings are served by calling the back end as its thread does.

#![forbid(unsafe_code)]

mod input;
mod vm;

use tiered_balloon::memory::NodeSize;
use tiered_balloon_testing::NODE_BYTES;
use tiered_balloon_wire::PAGE_SIZE;

pub use input::Input;
pub use vm::{Vm, act};

/// The nodes of the guest.
pub const NODES: [NodeSize; 2] = {
    let pages = NODE_BYTES / PAGE_SIZE;
    [NodeSize { pxm: 0, pages }, NodeSize { pxm: 1, pages }]
};
