// SPDX-License-Identifier: GPL-2.0-or-later
//! Divides the fast memory of a host among its VMs, by a policy.

pub mod curve;
pub mod policy;
