// SPDX-License-Identifier: GPL-2.0-or-later
//! Divides the fast memory of a host among its VMs, by a policy.
//!
//! A round goes through the modules in this order: [`observe`] asks the VMs' daemons how
//! things are, [`policy`] divides the fast memory, [`steps`] says which targets can change
//! right away without giving memory twice, and [`control`] sets them and looks again.

pub mod args;
pub mod config;
pub mod control;
pub mod curve;
pub mod observe;
pub mod policy;
pub mod report;
pub mod steps;

/// Name of the program, in messages.
pub const NAME: &str = "tierd";
