// SPDX-License-Identifier: GPL-2.0-or-later
//! The tiered balloon's device, for its daemon, its tests and its fuzzers.
//!
//! `args` is the command line; `backend` has rings and the connection to a hypervisor, `vring`
//! a ring; `device` is what the personalities `tiered` and `stock` have in common: they handle
//! requests as bytes; `balloon` has nodes and targets, `memory` the files and what of them is
//! in the balloon, `counters` the figures; `api` is what clients ask, `http` the server
//! that they ask; `socket` and `sandbox` are what their names say.

#![forbid(unsafe_code)]

pub mod api;
pub mod args;
pub mod backend;
pub mod balloon;
pub mod counters;
pub mod device;
pub mod http;
pub mod memory;
pub mod sandbox;
pub mod socket;
pub mod stock;
pub mod tiered;
pub mod vring;
