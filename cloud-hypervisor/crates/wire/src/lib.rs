// SPDX-License-Identifier: GPL-2.0-or-later
//! What the tiered balloon's driver and device say to each other.
#![no_std]
#![forbid(unsafe_code)]
