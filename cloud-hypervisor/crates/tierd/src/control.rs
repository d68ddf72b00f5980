// SPDX-License-Identifier: GPL-2.0-or-later
//! The controller: asks, lets the policy divide, and moves memory step by step.
//!
//! A VM that does not answer keeps what it had: that stays reserved until it answers. One that
//! cannot give back what others need keeps that too, for as long; the others divide the rest.

use std::thread;
use std::time::{Duration, Instant};

use log::{info, warn};
use tiered_balloon_api::{Client, NodeTarget, Size, Stats};

use crate::config::{Config, Tiers, VmConfig};
use crate::curve::{Curve, NEWER};
use crate::observe::{self, Fault, Known};
use crate::policy::{self, CHUNK, Policy};
use crate::steps;

/// Longest that a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time between two looks while memory moves.
const LOOK: Duration = Duration::from_millis(100);

/// Rounds for which the last curve of a guest holds when it tells none.
const CURVE_ROUNDS: u32 = 10;

/// Divides the tiers of a host among its VMs.
pub struct Controller {
    config: Config,
    policy: Box<dyn Policy>,
    members: Vec<Member>,
    /// Why nothing is divided; `None` if it is.
    held: Option<String>,
}

/// A VM.
pub struct Member {
    /// Its configuration.
    pub config: VmConfig,
    client: Client,
    /// What it has, or had when it last answered; `None` if it never did.
    pub known: Option<Known>,
    /// Why it cannot be told what to do; `None` if it can.
    pub fault: Option<Fault>,
    /// What it claimed when memory was last divided.
    before: Option<Tiers<u64>>,
    /// What it cannot give back, in bytes.
    pub short: Tiers<u64>,
    /// What fast memory is worth to it, smoothed.
    pub curve: Option<Curve>,
    /// Rounds since it told a curve.
    silent: u32,
    /// What is wrong with its curve.
    lie: Option<String>,
    /// Chunks of fast memory that the policy gives it.
    pub share: Option<u64>,
}

impl Member {
    fn new(config: VmConfig) -> Self {
        Self {
            client: Client::new(&config.api, PATIENCE),
            config,
            known: None,
            fault: None,
            before: None,
            short: Tiers::default(),
            curve: None,
            silent: 0,
            lie: None,
            share: None,
        }
    }

    /// What is reserved for it, in bytes. A VM that never answered may have all that it is
    /// allowed; if it was not started, its floor is kept for it.
    pub fn claim(&self) -> Tiers<u64> {
        if let Some(known) = &self.known {
            return known.claim;
        }
        let config = &self.config;
        let absent = self.fault.as_ref().is_some_and(|fault| fault.absent);
        let fast = if absent { config.floor } else { config.ceiling };
        Tiers {
            fast: fast * CHUNK,
            slow: config.memory.saturating_sub(config.floor) * CHUNK,
        }
    }

    /// What it has, if it can be told what to do.
    fn ready(&self) -> Option<&Known> {
        self.known.as_ref().filter(|_| self.fault.is_none())
    }

    /// Takes what was found out about it, and says what has changed.
    fn found(&mut self, found: Result<Known, Fault>) {
        let name = &self.config.name;
        match found {
            Ok(known) => {
                if self.fault.take().is_some() {
                    info!("{name}: answers again");
                }
                self.known = Some(known);
            }
            Err(fault) => {
                if self.fault.as_ref() != Some(&fault) {
                    warn!("{name}: keeps what it has: {}", fault.reason);
                }
                self.fault = Some(fault);
            }
        }
    }

    /// Takes its statistics, which are fresh if they are younger than `age`.
    fn told(&mut self, stats: Option<Stats>, age: Duration) {
        let fresh = |stats: &Stats| {
            stats
                .age_ms
                .is_some_and(|ms| u128::from(ms) <= age.as_millis())
        };
        let told = stats.filter(fresh).and_then(|stats| stats.statistics);
        let heat = told.map(|told| told.heat).unwrap_or_default();
        let lie = match Curve::read(&heat, self.config.memory) {
            Ok(Some(newer)) => {
                self.silent = 0;
                match &mut self.curve {
                    Some(curve) => curve.approach(&newer, NEWER),
                    none => *none = Some(newer),
                }
                None
            }
            Ok(None) => {
                self.silent = self.silent.saturating_add(1);
                None
            }
            Err(lie) => {
                self.silent = CURVE_ROUNDS;
                Some(lie.to_string())
            }
        };
        if self.silent >= CURVE_ROUNDS {
            self.curve = None;
        }
        if let Some(lie) = lie.as_ref().filter(|lie| self.lie.as_ref() != Some(*lie)) {
            warn!(
                "{}: its curve of heat is not believed: {lie}",
                self.config.name
            );
        }
        self.lie = lie;
    }

    /// Finds out what it cannot give back: what it has too much, and has had since memory was
    /// last divided.
    fn find_short(&mut self) {
        let short = |claim: u64, target: u64, before: Option<u64>| {
            let over = claim.saturating_sub(target);
            let moved = before.is_none_or(|before| before >= claim + CHUNK);
            if moved || over < CHUNK { 0 } else { over }
        };
        let was = self.short;
        self.short = self.ready().map_or(Tiers::default(), |known| Tiers {
            fast: short(
                known.claim.fast,
                known.target.fast,
                self.before.map(|b| b.fast),
            ),
            slow: short(
                known.claim.slow,
                known.target.slow,
                self.before.map(|b| b.slow),
            ),
        });
        self.before = self.ready().map(|known| known.claim);
        let tiers = [
            ("fast", was.fast, self.short.fast),
            ("slow", was.slow, self.short.slow),
        ];
        for (tier, was, short) in tiers {
            let name = &self.config.name;
            if was == 0 && short > 0 {
                warn!("{name}: cannot give back {} of {tier} memory", Size(short));
            } else if was > 0 && short == 0 {
                info!("{name}: gives back {tier} memory again");
            }
        }
    }

    fn step(&self) -> steps::Vm {
        let claim = self.claim();
        steps::Vm {
            memory: self.config.memory * CHUNK,
            claim,
            target: self.ready().map_or(claim, |known| known.target),
            wish: self.ready().and(self.share).map(|share| share * CHUNK),
        }
    }
}

impl Controller {
    /// Makes a controller; it knows nothing of the VMs yet.
    pub fn new(config: Config) -> Self {
        Self {
            policy: (config.policy.make)(config.settings),
            members: config.vms.iter().cloned().map(Member::new).collect(),
            config,
            held: None,
        }
    }

    /// Takes another configuration. What is known of VMs that are in both stays known.
    pub fn reload(&mut self, config: Config) {
        let mut old = std::mem::replace(self, Self::new(config)).members;
        for member in &mut self.members {
            let same = |old: &Member| {
                old.config.name == member.config.name && old.config.api == member.config.api
            };
            if let Some(i) = old.iter().position(same) {
                let old = old.swap_remove(i);
                *member = Member {
                    config: member.config.clone(),
                    share: None,
                    ..old
                };
            }
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The VMs, in the order of the configuration.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Why memory is not divided, if it is not.
    pub fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }

    /// Asks all VMs for all, at the beginning of a round.
    pub fn observe(&mut self) {
        // Statistics come at most as often as memory is divided.
        let age = (3 * self.config.interval).max(Duration::from_secs(5));
        let ask = |member: &Member| {
            let known = observe::vm(&member.client, &member.config);
            let stats = known.is_ok().then(|| observe::stats(&member.client));
            (known, stats)
        };
        let answers = ask_all(&self.members, ask);
        for (member, (known, stats)) in self.members.iter_mut().zip(answers) {
            let (known, stats) = match (known, stats) {
                (Ok(_), Some(Err(error))) => (Err(error), None),
                (known, stats) => (known, stats.and_then(Result::ok)),
            };
            member.found(known);
            member.told(stats, age);
            member.find_short();
        }
    }

    /// Asks those who can be told what to do what they have by now.
    fn look(&mut self) {
        let ask = |member: &Member| {
            let ready = member.ready();
            ready.map(|_| observe::vm(&member.client, &member.config))
        };
        let answers = ask_all(&self.members, ask);
        for (member, found) in self.members.iter_mut().zip(answers) {
            if let Some(found) = found {
                member.found(found);
            }
        }
    }

    /// Lets the policy divide. If it cannot, because those who keep what they have leave too
    /// little, all stays as it is.
    pub fn divide(&mut self) {
        let before: Vec<_> = self.members.iter().map(|member| member.share).collect();
        let held = self.try_divide().err();
        if held.is_some() {
            self.members
                .iter_mut()
                .for_each(|member| member.share = None);
        }
        if held != self.held {
            match &held {
                Some(why) => warn!("nothing is divided: {why}"),
                None => info!("memory is divided again"),
            }
        }
        self.held = held;
        for (member, before) in self.members.iter().zip(before) {
            let now = member.known.as_ref().map(|known| known.target.fast);
            if let (Some(now), Some(share)) = (now, member.share) {
                let share = share * CHUNK;
                if share != now && member.share != before {
                    let (now, share) = (Size(now), Size(share));
                    let name = &member.config.name;
                    info!("{name}: shall have {share} of fast memory, has {now}");
                }
            }
        }
    }

    fn try_divide(&mut self) -> Result<(), String> {
        let ready = |member: &Member| member.ready().is_some();
        let shares = self.share_out(&ready)?;
        // Those who are short shall give back, but the others cannot count on it. Slow memory
        // that somebody keeps is no matter as long as there is enough for all without it.
        let scarce = self.slow_is_scarce(&shares);
        let hinders = |member: &Member| member.short.fast > 0 || scarce && member.short.slow > 0;
        let able = |member: &Member| member.ready().is_some() && !hinders(member);
        let some_hinder = self.members.iter().any(hinders);
        let able = some_hinder.then(|| self.share_out(&able)).transpose()?;
        for (i, member) in self.members.iter_mut().enumerate() {
            let able = able.as_ref().and_then(|able| able[i]);
            member.share = able.or(shares[i]);
        }
        Ok(())
    }

    /// Whether these shares need slow memory that somebody does not give back.
    fn slow_is_scarce(&self, shares: &[Option<u64>]) -> bool {
        let needs = |(member, share): (&Member, &Option<u64>)| {
            let claim = member.claim().slow;
            share.map_or(claim, |share| {
                let kept = if member.short.slow > 0 { claim } else { 0 };
                let slow = member.config.memory.saturating_sub(share) * CHUNK;
                slow.max(kept)
            })
        };
        let needs: u64 = self.members.iter().zip(shares).map(needs).sum();
        needs > self.config.tiers.slow * CHUNK
    }

    /// Divides among some what the others leave. Returns the chunks of each of them.
    fn share_out(&self, some: &dyn Fn(&Member) -> bool) -> Result<Vec<Option<u64>>, String> {
        let mut left = Tiers {
            fast: self.config.tiers.fast * CHUNK,
            slow: self.config.tiers.slow * CHUNK,
        };
        for member in self.members.iter().filter(|member| !some(member)) {
            let claim = member.claim();
            left.fast = left.fast.saturating_sub(claim.fast);
            left.slow = left.slow.saturating_sub(claim.slow);
        }
        let vms: Vec<policy::Vm> = self
            .members
            .iter()
            .filter(|member| some(member))
            .filter_map(|member| {
                let known = member.known.as_ref()?;
                let (floor, ceiling) = (*known.range.start(), *known.range.end());
                let size = member.config.size;
                Some(policy::Vm {
                    weight: member.config.weight,
                    floor,
                    ceiling,
                    size: size.map(|size| size.clamp(floor, ceiling)),
                    given: known.target.fast / CHUNK,
                    curve: member.curve.as_ref(),
                })
            })
            .collect();
        let floors = vms.iter().map(|vm| vm.floor).sum::<u64>();
        let budget = left.fast / CHUNK;
        if floors > budget {
            let (floors, left) = (Size(floors * CHUNK), Size(left.fast));
            return Err(format!(
                "floors need {floors} of fast memory, {left} is left"
            ));
        }
        let shares = self.policy.divide(budget, &vms);
        let mut shares = shares.into_iter();
        let shares: Vec<Option<u64>> = self
            .members
            .iter()
            .map(|member| some(member).then(|| shares.next()).flatten())
            .collect();
        let rest = self.members.iter().zip(&shares);
        let slow: u64 = rest
            .filter_map(|(member, share)| Some(member.config.memory.saturating_sub((*share)?)))
            .sum();
        if slow > left.slow / CHUNK {
            let (slow, left) = (Size(slow * CHUNK), Size(left.slow));
            return Err(format!("VMs need {slow} of slow memory, {left} is left"));
        }
        Ok(shares)
    }

    /// Moves memory towards what the policy gives, until all have it or `end` has come.
    /// `pause` waits for a time; if it returns false, this returns too.
    pub fn settle(&mut self, end: Instant, pause: &mut dyn FnMut(Duration) -> bool) {
        loop {
            let vms: Vec<_> = self.members.iter().map(Member::step).collect();
            if vms.iter().all(steps::Vm::arrived) {
                return;
            }
            self.set(&vms);
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !pause(LOOK.min(left)) {
                return;
            }
            self.look();
        }
    }

    /// Whether every VM has what the policy gives it.
    pub fn arrived(&self) -> bool {
        let has = |member: &Member| member.share.is_some() && member.step().arrived();
        self.members.iter().all(has)
    }

    /// Sets the targets of the next step.
    fn set(&mut self, vms: &[steps::Vm]) {
        let tiers = Tiers {
            fast: self.config.tiers.fast * CHUNK,
            slow: self.config.tiers.slow * CHUNK,
        };
        let next = steps::next(tiers, vms);
        for (member, target) in self.members.iter_mut().zip(&next) {
            // From now on it may take that, whether the answer arrives or not.
            if let Some(known) = member.known.as_mut().filter(|_| member.fault.is_none()) {
                known.claim.fast = known.claim.fast.max(target.fast);
                known.claim.slow = known.claim.slow.max(target.slow);
            }
        }
        let orders = self.members.iter().zip(vms.iter().zip(&next));
        let orders: Vec<_> = orders
            .map(|(member, (vm, target))| {
                let changes = member.ready().is_some() && vm.target != *target;
                (member, changes.then_some(*target))
            })
            .collect();
        let results = ask_all(&orders, |(member, target)| {
            let (target, pxm) = ((*target)?, member.config.pxm);
            let targets = [
                NodeTarget {
                    pxm: pxm.fast,
                    bytes: target.fast,
                },
                NodeTarget {
                    pxm: pxm.slow,
                    bytes: target.slow,
                },
            ];
            let set = member.client.set_targets(&targets);
            Some(set.map(|_| target).map_err(Fault::from))
        });
        for (member, result) in self.members.iter_mut().zip(results) {
            match (result, &mut member.known) {
                (Some(Ok(target)), Some(known)) => known.target = target,
                (Some(Err(fault)), _) => member.found(Err(fault)),
                _ => {}
            }
        }
    }
}

/// Asks something of all at once, so that one that hangs holds up nobody.
fn ask_all<T: Sync, R: Send>(all: &[T], ask: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let ask = &ask;
    thread::scope(|scope| {
        let asked: Vec<_> = all
            .iter()
            .map(|one| scope.spawn(move || ask(one)))
            .collect();
        let results = asked.into_iter().map(|asked| asked.join());
        results
            .map(|result| result.expect("asking panics never"))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiered_balloon_api::{Heat, Statistics};

    fn member() -> Member {
        Member::new(VmConfig {
            name: "a".into(),
            api: "/nonexistent".into(),
            memory: 100,
            weight: 1.0,
            pxm: Tiers { fast: 0, slow: 1 },
            floor: 10,
            ceiling: 100,
            size: None,
        })
    }

    /// Statistics of some age with a curve; without one if the heat is 0.
    fn stats(age_ms: u64, heat: u64) -> Option<Stats> {
        let points = (heat > 0).then_some(Heat { pages: 5120, heat });
        Some(Stats {
            age_ms: Some(age_ms),
            statistics: Some(Statistics {
                heat: points.into_iter().collect(),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    const AGE: Duration = Duration::from_secs(5);

    #[test]
    fn a_curve_holds_for_a_while() {
        for nothing in [stats(0, 0), stats(5001, 1024), None] {
            let mut member = member();
            member.told(stats(5000, 1024), AGE);
            for _ in 1..CURVE_ROUNDS {
                member.told(nothing.clone(), AGE);
                assert!(member.curve.is_some());
            }
            member.told(nothing, AGE);
            assert!(member.curve.is_none());
        }
    }

    #[test]
    fn a_lie_ends_trust_at_once() {
        let mut member = member();
        member.told(stats(0, 1024), AGE);
        member.told(stats(0, u64::MAX), AGE);
        assert!(member.curve.is_none());
        member.told(stats(0, 1024), AGE);
        assert!(member.curve.is_some());
    }

    #[test]
    fn curves_are_smoothed() {
        let mut member = member();
        member.told(stats(0, 1024), AGE);
        let before = member.curve.as_ref().unwrap().worth(100);
        member.told(stats(0, 2048), AGE);
        let after = member.curve.as_ref().unwrap().worth(100);
        assert!((after / before - (1.0 + NEWER)).abs() < 1e-9);
    }

    #[test]
    fn short_is_who_has_not_moved_since() {
        let mut member = member();
        let mut look = |claim: u64| {
            member.known = Some(Known {
                target: Tiers {
                    fast: 10 * CHUNK,
                    slow: 90 * CHUNK,
                },
                claim: Tiers {
                    fast: claim * CHUNK,
                    slow: 90 * CHUNK,
                },
                range: 10..=100,
            });
            member.find_short();
            member.short.fast / CHUNK
        };
        assert_eq!(look(50), 0, "it has just been told");
        assert_eq!(look(49), 0, "it moves");
        assert_eq!(look(49), 39);
        assert_eq!(look(30), 0);
        assert_eq!(look(10), 0);
        assert_eq!(look(10), 0);
    }
}
