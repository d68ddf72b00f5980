// SPDX-License-Identifier: GPL-2.0-or-later
//! `static`: each VM gets the size that the configuration gives it. Should memory be short,
//! because a VM that does not answer holds some, the others share what is left by weight.

use super::{Policy, Vm, proportional};

/// The policy.
pub struct Static;

impl Policy for Static {
    fn divide(&self, budget: u64, vms: &[Vm]) -> Vec<u64> {
        let sized: Vec<Vm> = vms
            .iter()
            .map(|vm| Vm {
                ceiling: vm.size.unwrap_or(vm.floor),
                ..vm.clone()
            })
            .collect();
        proportional::divide(budget, &sized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_given_while_there_is_memory() {
        let vm = |size| Vm {
            weight: 1.0,
            floor: 10,
            ceiling: 1000,
            size: Some(size),
            given: 0,
            curve: None,
        };
        let vms = [vm(100), vm(300)];
        assert_eq!(Static.divide(500, &vms), [100, 300]);
        assert_eq!(Static.divide(400, &vms), [100, 300]);
        assert_eq!(Static.divide(300, &vms), [100, 200]);
    }
}
