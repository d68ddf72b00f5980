// SPDX-License-Identifier: GPL-2.0-or-later
//! The tiered balloon's device under a hostile guest: rings, requests, configuration, and the
//! API beside it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tiered_balloon::balloon::Balloon;
use tiered_balloon::tiered::Tiered;
use tiered_balloon_fuzz::{NODES, act};
use tiered_balloon_wire::capability;

fuzz_target!(|bytes: &[u8]| {
    let balloon = Balloon::new(NODES.to_vec());
    act(Box::new(Tiered::new(balloon, capability::ALL)), bytes);
});
