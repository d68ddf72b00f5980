// SPDX-License-Identifier: GPL-2.0-or-later
//! All items, in the order in which setup takes them.

mod caches;
pub mod dax;
mod files;
mod frequency;
mod kernel;
mod kvm;
mod swap;
mod tiers;
mod values;
mod vms;

use crate::item::Item;

/// All items. Memory comes first, since tiers are made of it; caches are dropped last, since
/// what setup itself reads is in them.
pub const ITEMS: [&dyn Item; 15] = [
    &kernel::Kernel,
    &kernel::Entries,
    &kvm::Kvm,
    &kvm::Pebs,
    &vms::Vms,
    &dax::Dax,
    &tiers::Tiers,
    &swap::Swap,
    &values::OVERCOMMIT,
    &values::NUMA_BALANCING,
    &values::HUGE_PAGES,
    &values::KSM,
    &frequency::Frequency,
    &files::Files,
    &caches::Caches,
];
