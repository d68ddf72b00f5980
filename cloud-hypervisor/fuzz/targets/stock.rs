// SPDX-License-Identifier: GPL-2.0-or-later
//! The plain virtio-balloon under a hostile guest.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tiered_balloon::balloon::Balloon;
use tiered_balloon::stock::Stock;
use tiered_balloon_fuzz::{NODES, act};

fuzz_target!(|bytes: &[u8]| {
    let balloon = Balloon::new(NODES.to_vec());
    act(Box::new(Stock::new(balloon)), bytes);
});
