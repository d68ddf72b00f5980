// SPDX-License-Identifier: GPL-2.0-or-later
//! `proportional`: each VM gets memory by its weight; what floors and ceilings add or leave is
//! divided by weight among the others.

use super::{Policy, Vm};

/// The policy.
pub struct Proportional;

impl Policy for Proportional {
    fn divide(&self, budget: u64, vms: &[Vm]) -> Vec<u64> {
        divide(budget, vms)
    }
}

/// Divides so that `share = level * weight`, cut to floor and ceiling, with the one level that
/// uses up the budget (weighted max-min fairness).
pub fn divide(budget: u64, vms: &[Vm]) -> Vec<u64> {
    let share = |vm: &Vm, level: f64| (level * vm.weight).clamp(vm.floor as f64, vm.ceiling as f64);
    let used = |level: f64| vms.iter().map(|vm| share(vm, level).floor()).sum::<f64>();
    let mut low = 0.0;
    let mut high = vms
        .iter()
        .map(|vm| vm.ceiling as f64 / vm.weight)
        .fold(1.0, f64::max);
    // Each turn halves what is left, so the level is as exact as numbers are.
    for _ in 0..128 {
        let middle = low + (high - low) / 2.0;
        if used(middle) <= budget as f64 {
            low = middle;
        } else {
            high = middle;
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let mut shares: Vec<u64> = vms.iter().map(|vm| share(vm, low) as u64).collect();
    // Rounding left at most a chunk for each; who is next to get one gets it.
    let mut left = budget.saturating_sub(shares.iter().sum());
    let mut order: Vec<usize> = (0..vms.len()).collect();
    let missing = |i: usize| share(&vms[i], high) - share(&vms[i], high).floor();
    order.sort_by(|a, b| missing(*b).total_cmp(&missing(*a)));
    loop {
        let before = left;
        for &i in &order {
            let more = u64::from(left > 0 && shares[i] < vms[i].ceiling);
            shares[i] += more;
            left -= more;
        }
        if left == before {
            return shares;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(weight: f64, floor: u64, ceiling: u64) -> Vm<'static> {
        Vm {
            weight,
            floor,
            ceiling,
            size: None,
            given: 0,
            curve: None,
        }
    }

    #[test]
    fn shares_follow_weights() {
        let vms = [vm(1.0, 0, 1000), vm(2.0, 0, 1000), vm(1.0, 0, 1000)];
        assert_eq!(divide(400, &vms), [100, 200, 100]);
        assert_eq!(divide(401, &vms).iter().sum::<u64>(), 401);
        assert_eq!(divide(0, &vms), [0, 0, 0]);
        assert_eq!(divide(99_999, &vms), [1000, 1000, 1000]);
        assert_eq!(divide(7, &[]), [0; 0]);
    }

    #[test]
    fn what_floors_and_ceilings_change_falls_to_the_others() {
        let vms = [
            vm(1.0, 200, 1000),
            vm(1.0, 0, 50),
            vm(1.0, 0, 1000),
            vm(3.0, 0, 1000),
        ];
        assert_eq!(divide(650, &vms), [200, 50, 100, 300]);
    }

    #[test]
    fn weights_far_apart_are_no_trouble() {
        let vms = [vm(0.001, 0, 1 << 40), vm(1000.0, 0, 1 << 40)];
        let shares = divide(1 << 40, &vms);
        assert_eq!(shares.iter().sum::<u64>(), 1 << 40);
        assert!(shares[0].abs_diff((1 << 40) / 1_000_001) <= 1, "{shares:?}");
    }
}
