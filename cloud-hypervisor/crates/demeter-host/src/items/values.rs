// SPDX-License-Identifier: GPL-2.0-or-later
//! Items that are values of files of the kernel.

use crate::item::{Change, Context, Item, Mode, SETUP, Unreadable, Verdict};
use crate::parse;

/// What a file should have.
pub struct Want {
    /// Its path
    path: &'static str,
    /// Values that will do; setup sets the first
    good: &'static [&'static str],
    /// Whether a kernel without the file will do
    optional: bool,
}

/// An item of files of the kernel, by what the host is to be.
pub struct Values {
    name: &'static str,
    why: &'static str,
    demeterhost: &'static [Want],
    tpphost: &'static [Want],
    /// What it means that none of the files is there
    absent: &'static str,
    /// Whether the kernel then decides anew how much memory it keeps free
    resizes_free: bool,
}

const fn want(path: &'static str, good: &'static [&'static str]) -> Want {
    Want {
        path,
        good,
        optional: false,
    }
}

const fn optional(path: &'static str, good: &'static [&'static str]) -> Want {
    Want {
        path,
        good,
        optional: true,
    }
}

/// Memory may be promised without being there.
pub const OVERCOMMIT: Values = Values {
    name: "overcommit",
    why: "the memory of VMs is taken when they touch it, and the kernel must not refuse to \
          promise nodes that are larger than what is free",
    demeterhost: WANT_OVERCOMMIT,
    tpphost: WANT_OVERCOMMIT,
    absent: "this kernel has no vm.overcommit_memory",
    resizes_free: false,
};
const WANT_OVERCOMMIT: &[Want] = &[want("/proc/sys/vm/overcommit_memory", &["1"])];

/// Who moves pages between tiers: guests alone, or the host.
pub const NUMA_BALANCING: Values = Values {
    name: "numa-balancing",
    why: "either the guests place pages, and the host must not move any, or the host does, and \
          then promotes, demotes and keeps head-room (TPP)",
    demeterhost: &[
        optional("/proc/sys/kernel/numa_balancing", &["0"]),
        optional("/sys/kernel/mm/numa/demotion_enabled", &["false", "0"]),
    ],
    tpphost: &[
        want("/proc/sys/kernel/numa_balancing", &["2"]),
        want("/sys/kernel/mm/numa/demotion_enabled", &["true", "1"]),
        // of our kernels: ten thousandths of the fast tier
        optional("/proc/sys/vm/demote_scale_factor", &["1000"]),
    ],
    absent: "this kernel moves no pages between nodes",
    resizes_free: false,
};

/// Huge pages for the memory of VMs, which is shared with the balloon's daemon.
pub const HUGE_PAGES: Values = Values {
    name: "huge-pages",
    why: "with small pages behind the memory of VMs, each miss in the TLB walks two page tables to \
          their ends, which hides what the tiers cost",
    demeterhost: WANT_HUGE_PAGES,
    tpphost: WANT_HUGE_PAGES,
    absent: "this kernel has no transparent huge pages",
    resizes_free: true,
};
const WANT_HUGE_PAGES: &[Want] = &[
    optional(
        "/sys/kernel/mm/transparent_hugepage/enabled",
        &["madvise", "always"],
    ),
    optional(
        "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
        &["advise", "always", "within_size", "force"],
    ),
];

/// No pages that VMs share because they are equal
pub const KSM: Values = Values {
    name: "ksm",
    why: "merged pages belong to several VMs at once and to no tier of any of them, and the \
          scanner takes time of a CPU",
    demeterhost: WANT_KSM,
    tpphost: WANT_KSM,
    absent: "this kernel merges no pages",
    resizes_free: false,
};
const WANT_KSM: &[Want] = &[optional("/sys/kernel/mm/ksm/run", &["0"])];

impl Values {
    fn wants(&self, mode: Mode) -> &'static [Want] {
        match mode {
            Mode::Demeterhost => self.demeterhost,
            Mode::Tpphost => self.tpphost,
        }
    }
}

impl Item for Values {
    fn name(&self) -> &'static str {
        self.name
    }

    fn why(&self) -> &'static str {
        self.why
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let mut found = Vec::new();
        let mut bad = Vec::new();
        let mut missing = Vec::new();
        for want in self.wants(context.mode) {
            match context.read(want.path)? {
                Some(text) => {
                    let value = parse::value(&text);
                    let line = format!("{} is {}", want.path, value);
                    if want.good.contains(&value) {
                        found.push(line);
                    } else {
                        bad.push(format!("{line}, not {}", want.good[0]));
                    }
                }
                None if want.optional => {}
                None => missing.push(format!("{} is not there", want.path)),
            }
        }
        Ok(match (missing.as_slice(), bad.as_slice()) {
            ([], []) if found.is_empty() => Verdict::not_applicable(self.absent),
            ([], []) => Verdict::ok(found.join(", ")),
            ([], bad) => Verdict::not(bad.join(", "), SETUP),
            (missing, _) => Verdict::not(
                missing.join(", "),
                format!("boot a kernel that has it, such as {}", context.mode.name()),
            ),
        })
    }

    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let mut changes = Vec::new();
        for want in self.wants(context.mode) {
            if let Some(text) = context.read(want.path)?
                && !want.good.contains(&parse::value(&text))
            {
                changes.push(Change::file(want.path, want.good[0]));
            }
        }
        if self.resizes_free && !changes.is_empty() {
            changes.insert(0, Change::free_memory_follows());
        }
        Ok(changes)
    }
}
