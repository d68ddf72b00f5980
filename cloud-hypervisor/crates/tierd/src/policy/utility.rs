// SPDX-License-Identifier: GPL-2.0-or-later
//! `utility`: memory goes where it is hottest (water-filling). The curves descend, so to give
//! each chunk to the VM whose next one is hottest is the best that can be done with them.
//!
//! Against noise, what a VM has counts more than what it might get, by the hysteresis: a chunk
//! moves only if it is that much hotter elsewhere. And nothing moves at all while no VM would
//! gain or lose more than that share of the accesses that its fast memory serves.

use super::{Policy, Vm, proportional};

/// The policy.
pub struct Utility {
    hysteresis: f64,
}

/// Chunks of a VM that are worth the same.
struct Run {
    vm: usize,
    chunks: u64,
    worth: f64,
}

impl Utility {
    /// Makes it, with a hysteresis of at least 0.
    pub fn new(hysteresis: f64) -> Self {
        Self { hysteresis }
    }

    fn runs<'a>(&'a self, i: usize, vm: &'a Vm) -> impl Iterator<Item = Run> + 'a {
        let given = vm.given.clamp(vm.floor, vm.ceiling);
        let parts = [
            (vm.floor, given, 1.0 + self.hysteresis),
            (given, vm.ceiling, 1.0),
        ];
        parts.into_iter().flat_map(move |(from, to, factor)| {
            let part = vm.curve.into_iter().flat_map(move |c| c.part(from, to));
            part.map(move |(chunks, heat)| Run {
                vm: i,
                chunks,
                worth: heat * vm.weight * factor,
            })
        })
    }

    /// Gives each chunk above the floors to the VM to which it is worth most.
    fn fill(&self, budget: u64, vms: &[Vm]) -> Vec<u64> {
        let mut filled = vms.to_vec();
        let mut left = budget - vms.iter().map(|vm| vm.floor).sum::<u64>();
        let each = vms.iter().enumerate();
        let mut runs: Vec<Run> = each.flat_map(|(i, vm)| self.runs(i, vm)).collect();
        runs.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        for run in runs {
            let chunks = run.chunks.min(left);
            filled[run.vm].floor += chunks;
            left -= chunks;
        }
        // Nobody has a use for the rest, and it would be a waste to leave it.
        proportional::divide(budget, &filled)
    }

    /// Whether the VM would hardly notice to have `share` instead of what it has.
    fn alike(&self, vm: &Vm, share: u64) -> bool {
        let worth = |chunks| vm.curve.map_or(0.0, |curve| curve.worth(chunks));
        let now = worth(vm.given);
        share == vm.given
            || (vm.curve.is_some() && (worth(share) - now).abs() <= now * self.hysteresis)
    }
}

impl Policy for Utility {
    fn divide(&self, budget: u64, vms: &[Vm]) -> Vec<u64> {
        // VMs without a curve get what `proportional` would give them, no more and no less.
        let fair = proportional::divide(budget, vms);
        let mut bounds = vms.to_vec();
        for (vm, fair) in bounds.iter_mut().zip(fair) {
            if vm.curve.is_none() {
                (vm.floor, vm.ceiling) = (fair, fair);
            }
        }
        let shares = self.fill(budget, &bounds);
        let given: Vec<u64> = vms.iter().map(|vm| vm.given).collect();
        let allowed = vms
            .iter()
            .all(|vm| (vm.floor..=vm.ceiling).contains(&vm.given))
            && given.iter().sum::<u64>() == shares.iter().sum::<u64>();
        let alike = vms
            .iter()
            .zip(&shares)
            .all(|(vm, share)| self.alike(vm, *share));
        if allowed && alike { given } else { shares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Curve;
    use crate::policy::PAGES_PER_CHUNK;
    use tiered_balloon_api::Heat;

    fn curve(points: &[(u64, u64)]) -> Curve {
        let told: Vec<_> = points
            .iter()
            .map(|&(chunks, heat)| Heat {
                pages: chunks * PAGES_PER_CHUNK,
                heat,
            })
            .collect();
        Curve::read(&told, 1000).unwrap().unwrap()
    }

    fn vm(given: u64, curve: Option<&Curve>) -> Vm<'_> {
        Vm {
            weight: 1.0,
            floor: 10,
            ceiling: 1000,
            size: None,
            given,
            curve,
        }
    }

    #[test]
    fn memory_goes_where_it_is_hottest() {
        let (a, b) = (
            curve(&[(50, 900), (500, 10)]),
            curve(&[(100, 500), (500, 20)]),
        );
        let vms = [vm(10, Some(&a)), vm(10, Some(&b))];
        let utility = Utility::new(0.0);
        assert_eq!(utility.divide(120, &vms), [50, 70]);
        assert_eq!(utility.divide(200, &vms), [50, 150]);
        assert_eq!(utility.divide(700, &vms), [200, 500]);
        // Beyond what is hot, it is divided by weight.
        assert_eq!(utility.divide(1200, &vms), [600, 600]);
    }

    #[test]
    fn who_tells_nothing_gets_its_fair_share() {
        let hot = curve(&[(1000, 1 << 39)]);
        let vms = [vm(10, Some(&hot)), vm(10, None), vm(10, None)];
        assert_eq!(Utility::new(0.1).divide(300, &vms), [100, 100, 100]);
    }

    #[test]
    fn a_lie_brings_the_ceiling_and_takes_no_floor() {
        let (lie, honest) = (curve(&[(1000, 1 << 39)]), curve(&[(100, 50)]));
        let mut vms = [vm(10, Some(&lie)), vm(10, Some(&honest))];
        assert_eq!(Utility::new(0.1).divide(300, &vms), [290, 10]);
        vms[0].ceiling = 120;
        assert_eq!(Utility::new(0.1).divide(300, &vms), [120, 180]);
    }

    #[test]
    fn hysteresis_holds_what_is_nearly_as_hot() {
        let (a, b) = (curve(&[(1000, 1000)]), curve(&[(1000, 1080)]));
        let vms = [vm(190, Some(&a)), vm(10, Some(&b))];
        assert_eq!(Utility::new(0.1).divide(200, &vms), [190, 10]);
        assert_eq!(Utility::new(0.0).divide(200, &vms), [10, 190]);
        // Not when it cannot be held: there is less of it now.
        assert_eq!(Utility::new(0.1).divide(100, &vms), [90, 10]);
    }

    #[test]
    fn a_vm_that_gains_much_from_little_gets_it() {
        let (large, small) = (curve(&[(1000, 5)]), curve(&[(14, 9000)]));
        let vms = [vm(900, Some(&large)), vm(10, Some(&small))];
        assert_eq!(Utility::new(0.1).divide(910, &vms), [896, 14]);
    }
}
