// SPDX-License-Identifier: GPL-2.0-or-later
//! Makes a machine ready for experiments with tiered memory, and puts its settings back.
//!
//! Each of the [`items`] knows one thing that an experiment needs, looks whether the
//! [`machine`] has it, and plans what to change. [`setup`] writes a plan to the [`journal`]
//! before it makes it, and [`undo`] puts back what the journal has. What can be changed and put
//! back is a [`target`]: a file of the kernel, a swap device, a dax device, a file of ours.

pub mod args;
pub mod item;
pub mod items;
pub mod journal;
pub mod machine;
pub mod parse;
pub mod report;
pub mod setup;
pub mod target;
pub mod undo;

/// Name of the program, in messages.
pub const NAME: &str = "demeter-host";
