// SPDX-License-Identifier: GPL-2.0-or-later
//! Policies: each divides the fast memory of the host among VMs. A policy is a file in this
//! folder and a line in [`POLICIES`]; docs/policies.md says what one may rely on.
//!
//! Policies are functions of what they are shown. What must be remembered or smoothed is done
//! before; that no memory is given twice, and when it is moved, is done after.

mod proportional;
mod static_sizes;
mod utility;

use crate::curve::Curve;

/// Bytes that memory is divided in: a huge page, what the balloon moves at once.
pub const CHUNK: u64 = 2 << 20;

/// Pages of a chunk, as guests count.
pub const PAGES_PER_CHUNK: u64 = CHUNK / tiered_balloon_api::PAGE;

/// Hysteresis if the configuration says nothing: curves of Demeter scatter less than that.
pub const DEFAULT_HYSTERESIS: f64 = 0.1;

/// A VM as a policy sees it. Sizes are chunks of fast memory.
#[derive(Clone, Debug)]
pub struct Vm<'a> {
    /// What it counts, compared with others; above 0 and finite.
    pub weight: f64,
    /// What it gets at least.
    pub floor: u64,
    /// What it gets at most; not less than `floor`.
    pub ceiling: u64,
    /// What the configuration gives it, for `static`; between `floor` and `ceiling`.
    pub size: Option<u64>,
    /// Its target at the moment.
    pub given: u64,
    /// What fast memory is worth to it, if it tells.
    pub curve: Option<&'a Curve>,
}

/// A way to divide fast memory.
pub trait Policy: Send {
    /// Divides `budget` chunks. The floors of all `vms` fit in it.
    ///
    /// Returns for each VM what it gets, between its floor and ceiling, together at most
    /// `budget`. It is the same whenever it is asked the same.
    fn divide(&self, budget: u64, vms: &[Vm]) -> Vec<u64>;
}

/// What policies can be told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How much hotter, as a share, memory of another VM must be than what a VM has to lose.
    pub hysteresis: f64,
}

/// A policy by name.
#[derive(Debug)]
pub struct Entry {
    /// What the configuration calls it.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Whether each VM must have a size.
    pub needs_sizes: bool,
    /// Makes it.
    pub make: fn(Settings) -> Box<dyn Policy>,
}

/// All policies.
pub const POLICIES: &[Entry] = &[
    Entry {
        name: "static",
        about: "the sizes that the configuration gives",
        needs_sizes: true,
        make: |_| Box::new(static_sizes::Static),
    },
    Entry {
        name: "proportional",
        about: "shares by weight, within floors and ceilings",
        needs_sizes: false,
        make: |_| Box::new(proportional::Proportional),
    },
    Entry {
        name: "utility",
        about: "to whom it is worth most, by the heat that guests report",
        needs_sizes: false,
        make: |settings| Box::new(utility::Utility::new(settings.hysteresis)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tiered_balloon_api::Heat;

    /// Any curve that a guest can make us believe.
    fn curve() -> impl Strategy<Value = Vec<Heat>> {
        prop::collection::vec((0u64..300_000, 0u64..1 << 39), 0..16).prop_map(|points| {
            let (mut pages, mut heat): (Vec<_>, Vec<_>) = points.into_iter().unzip();
            pages.sort_unstable();
            heat.sort_unstable_by(|a, b| b.cmp(a));
            let points = pages.into_iter().zip(heat);
            points.map(|(pages, heat)| Heat { pages, heat }).collect()
        })
    }

    type Any = (f64, u64, u64, u64, u64, Vec<Heat>);

    fn vms() -> impl Strategy<Value = (u64, Vec<Any>)> {
        let vm = (
            0.001f64..1000.0,
            0u64..500,
            0u64..2000,
            0u64..2000,
            0u64..2500,
            curve(),
        );
        (0u64..20_000, prop::collection::vec(vm, 0..12))
    }

    proptest! {
        #[test]
        fn every_policy_keeps_floors_ceilings_and_budget((more, any) in vms()) {
            let curves: Vec<_> = any
                .iter()
                .map(|vm| Curve::read(&vm.5, 2500).unwrap())
                .collect();
            let vms: Vec<Vm> = any
                .iter()
                .zip(&curves)
                .map(|((weight, floor, room, size, given, _), curve)| Vm {
                    weight: *weight,
                    floor: *floor,
                    ceiling: floor + room,
                    size: Some(floor + size % (room + 1)),
                    given: *given,
                    curve: curve.as_ref(),
                })
                .collect();
            let floors: u64 = vms.iter().map(|vm| vm.floor).sum();
            let budget = floors + more;
            for entry in POLICIES {
                let policy = (entry.make)(Settings { hysteresis: 0.1 });
                let shares = policy.divide(budget, &vms);
                prop_assert_eq!(shares.len(), vms.len());
                for (share, vm) in shares.iter().zip(&vms) {
                    prop_assert!((vm.floor..=vm.ceiling).contains(share), "{}", entry.name);
                }
                let most = |vm: &Vm| if entry.needs_sizes { vm.size.unwrap() } else { vm.ceiling };
                let all = vms.iter().map(most).sum::<u64>().min(budget);
                prop_assert_eq!(shares.iter().sum::<u64>(), all, "{}", entry.name);
                prop_assert_eq!(policy.divide(budget, &vms), shares);
            }
        }
    }

    #[test]
    fn names_are_told_apart() {
        let names: std::collections::BTreeSet<_> = POLICIES.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), POLICIES.len());
    }
}
