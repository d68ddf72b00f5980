// SPDX-License-Identifier: GPL-2.0-or-later
//! Says which targets can change right away on the way from what VMs have to what they shall
//! have. Pure logic.
//!
//! Memory is given only when it is free: a VM's *claim* to a tier is what it has or may take,
//! and claims together never exceed the tier because of a step. So those who shrink go first,
//! and those who grow get what the others have really given back. What a VM loses of one tier
//! it gets of the other before, as far as there is room; where both tiers are full, it goes
//! without a small part of its memory for the moment of the exchange.

use crate::config::Tiers;
use crate::policy::CHUNK;

/// A VM. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vm {
    /// Memory of both tiers together.
    pub memory: u64,
    /// What it has or may take, or the host holds for it.
    pub claim: Tiers<u64>,
    /// What it shall have at the moment.
    pub target: Tiers<u64>,
    /// Fast memory that it shall have in the end, at most `memory`; `None` if it stays as it is.
    pub wish: Option<u64>,
}

/// Part of its memory that a VM can be without during an exchange.
const LENT: u64 = 64;

impl Vm {
    /// The targets in the end.
    pub fn goal(&self) -> Tiers<u64> {
        self.wish.map_or(self.target, |fast| Tiers {
            fast,
            slow: self.memory.saturating_sub(fast),
        })
    }

    /// Whether the VM has what it shall have in the end. Of what it gave back, less than a chunk
    /// may never come, such as parts of huge pages.
    pub fn arrived(&self) -> bool {
        let goal = self.goal();
        let has = |claim: u64, goal: u64| claim >= goal && claim - goal < CHUNK;
        let all = has(self.claim.fast, goal.fast) && has(self.claim.slow, goal.slow);
        self.wish.is_none() || (self.target == goal && all)
    }
}

/// Returns the targets that each VM is to have now.
pub fn next(tiers: Tiers<u64>, vms: &[Vm]) -> Vec<Tiers<u64>> {
    let claims = |of: fn(&Vm) -> u64| vms.iter().map(of).sum::<u64>();
    let mut room = Tiers {
        fast: tiers.fast.saturating_sub(claims(|vm| vm.claim.fast)),
        slow: tiers.slow.saturating_sub(claims(|vm| vm.claim.slow)),
    };
    let step = |vm: &Vm| {
        let goal = vm.goal();
        let grown = Tiers {
            fast: grow(vm.target.fast, vm.claim.fast, goal.fast, &mut room.fast),
            slow: grow(vm.target.slow, vm.claim.slow, goal.slow, &mut room.slow),
        };
        let least = vm.memory - (vm.memory / LENT).max(CHUNK).min(vm.memory);
        let fast = shrink(grown.fast, goal.fast, least.saturating_sub(grown.slow));
        let slow = shrink(grown.slow, goal.slow, least.saturating_sub(fast));
        Tiers { fast, slow }
    };
    vms.iter().map(step).collect()
}

/// The target of one who may grow: what it claims anyway, and what there is room for.
fn grow(target: u64, claim: u64, goal: u64, room: &mut u64) -> u64 {
    let more = goal.saturating_sub(claim).min(*room);
    *room -= more;
    goal.min(claim + more).max(target)
}

/// The target of one who may shrink, as far as the VM as a whole can.
fn shrink(target: u64, goal: u64, least: u64) -> u64 {
    goal.max(least).min(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const M: u64 = 1 << 20;

    fn vm(fast: u64, slow: u64, wish: u64) -> Vm {
        let now = Tiers {
            fast: fast * M,
            slow: slow * M,
        };
        Vm {
            memory: (fast + slow) * M,
            claim: now,
            target: now,
            wish: Some(wish * M),
        }
    }

    fn tiers(fast: u64, slow: u64) -> Tiers<u64> {
        Tiers {
            fast: fast * M,
            slow: slow * M,
        }
    }

    #[test]
    fn who_loses_gets_of_the_other_tier_at_once() {
        let vms = [vm(512, 512, 128), vm(128, 896, 512)];
        let steps = next(tiers(640, 4096), &vms);
        assert_eq!(steps[0], tiers(128, 896));
        // There is no fast memory yet, so this one lends a little.
        assert_eq!(steps[1], tiers(128, 896 - 16));
    }

    #[test]
    fn who_grows_gets_what_was_given_back() {
        let mut vms = [vm(512, 512, 128), vm(128, 896, 512)];
        vms[0].target = tiers(128, 896);
        vms[0].claim = tiers(300, 896);
        let steps = next(tiers(640, 4096), &vms);
        assert_eq!(steps[0], tiers(128, 896));
        assert_eq!(steps[1], tiers(128 + 212, 896 - 212 - 16));
    }

    #[test]
    fn who_stays_is_left_alone_and_counts() {
        let mut vms = [vm(600, 424, 0), vm(128, 896, 512)];
        vms[0].wish = None;
        let steps = next(tiers(640, 2048), &vms);
        assert_eq!(steps[0], tiers(600, 424));
        assert_eq!(steps[1].fast, 128 * M);
    }

    #[test]
    fn who_has_not_given_back_yet_may_keep_it() {
        let mut vms = [vm(512, 512, 400), vm(128, 896, 128)];
        vms[0].target = tiers(128, 896);
        vms[0].claim = tiers(512, 896);
        // There is no room at all, and it needs none.
        assert_eq!(next(tiers(640, 1792), &vms)[0].fast, 400 * M);
    }

    #[test]
    fn a_vm_that_was_given_all_shrinks_at_once() {
        let mut all = vm(1024, 1024, 256);
        all.memory = 1024 * M;
        assert_eq!(next(tiers(256, 768), &[all])[0], tiers(256, 768));
    }

    /// VMs with what they have, use and shall have, in steps of 4 KiB; and room beside that.
    fn hosts() -> impl Strategy<Value = (Vec<(u64, u64, u64)>, u64, u64)> {
        let vm = (1u64..100_000).prop_flat_map(|memory| (Just(memory), 0..=memory, 0..=memory));
        (prop::collection::vec(vm, 1..7), 0u64..1000, 0u64..1000)
    }

    proptest! {
        #[test]
        fn memory_is_never_given_twice_and_all_arrive(
            (vms, fast, slow) in hosts(),
            hurry in prop::collection::vec(1u64..5000, 6),
        ) {
            let page = 4096;
            let mut vms: Vec<Vm> = vms
                .iter()
                .map(|&(memory, has, wish)| {
                    let has = Tiers { fast: has * page, slow: (memory - has) * page };
                    Vm { memory: memory * page, claim: has, target: has, wish: Some(wish * page) }
                })
                .collect();
            let sum = |vms: &[Vm], of: fn(&Vm) -> u64| vms.iter().map(of).sum::<u64>();
            let most = |now, then, more| u64::max(now, then) + more * page;
            let tiers = Tiers {
                fast: most(sum(&vms, |vm| vm.claim.fast), sum(&vms, |vm| vm.goal().fast), fast),
                slow: most(sum(&vms, |vm| vm.claim.slow), sum(&vms, |vm| vm.goal().slow), slow),
            };
            for turn in 0.. {
                let steps = next(tiers, &vms);
                for (i, (vm, step)) in vms.iter_mut().zip(steps).enumerate() {
                    let lent = (vm.memory / LENT).max(CHUNK);
                    prop_assert!(step.fast + step.slow + lent >= vm.memory);
                    vm.target = step;
                    // A guest takes at once what it may, and gives back in its own time.
                    let follow = |claim: u64, target: u64| {
                        target.max(claim.saturating_sub(hurry[i] * page * 20))
                    };
                    vm.claim = Tiers {
                        fast: follow(vm.claim.fast, step.fast),
                        slow: follow(vm.claim.slow, step.slow),
                    };
                }
                prop_assert!(sum(&vms, |vm| vm.claim.fast) <= tiers.fast);
                prop_assert!(sum(&vms, |vm| vm.claim.slow) <= tiers.slow);
                if vms.iter().all(Vm::arrived) {
                    break;
                }
                prop_assert!(turn < 100_000, "{vms:?}");
            }
        }
    }
}
