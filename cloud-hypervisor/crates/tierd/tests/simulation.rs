// SPDX-License-Identifier: GPL-2.0-or-later
//! Policies against nine VMs of which is known how hot each chunk of their memory is.
//!
//! Simulated guests tell a curve of sixteen points: pages are sorted into classes of heat,
//! eight to a power of two, and points part pages and accesses alike, so that a small hot set
//! shows as well as a large lukewarm one. What a division is worth is counted on the true
//! heat. The best division is found by exhaustive search.

#![expect(clippy::cast_possible_truncation, reason = "all numbers are small")]

use fastrand::Rng;
use proptest::prelude::*;
use tierd::curve::{Curve, NEWER};
use tierd::policy::{DEFAULT_HYSTERESIS, PAGES_PER_CHUNK, POLICIES, Policy, Settings, Vm};
use tiered_balloon_api::Heat;

const POINTS: f64 = 16.0;

/// A VM with the true heat of each chunk, descending, in accesses per second.
#[derive(Clone, Debug)]
struct Guest {
    name: &'static str,
    weight: f64,
    floor: u64,
    ceiling: u64,
    heat: Vec<f64>,
}

fn guest(name: &'static str, floor: u64, ceiling: u64, heat: Vec<f64>) -> Guest {
    Guest {
        name,
        weight: 1.0,
        floor,
        ceiling,
        heat,
    }
}

/// Heat that is the same up to each knee: pairs of chunks and heat.
fn knees(parts: &[(usize, f64)]) -> Vec<f64> {
    let parts = parts.iter();
    parts.flat_map(|&(n, heat)| vec![heat; n]).collect()
}

/// Heat of `n` chunks that falls off as a power.
fn zipf(n: usize, top: f64, power: f64) -> Vec<f64> {
    (1..=n).map(|k| top / (k as f64).powf(power)).collect()
}

/// Heat that falls off by half each `half` chunks.
fn exponential(n: usize, top: f64, half: f64) -> Vec<f64> {
    (0..n).map(|k| top * 0.5f64.powf(k as f64 / half)).collect()
}

/// Heat that stays high for long and then falls off: the curve of misses is bent the other
/// way than that of `exponential`.
fn hump(n: usize, top: f64) -> Vec<f64> {
    let part = |k: usize| k as f64 / n as f64;
    (0..n).map(|k| top * (1.0 - part(k).powi(3))).collect()
}

/// The nine.
fn guests() -> Vec<Guest> {
    vec![
        guest("zipf", 16, 512, zipf(512, 90_000.0, 0.9)),
        guest("hot set", 16, 512, knees(&[(64, 4000.0), (448, 150.0)])),
        guest(
            "two knees",
            16,
            512,
            knees(&[(40, 9000.0), (100, 1500.0), (372, 20.0)]),
        ),
        guest("exponential", 16, 512, exponential(512, 6000.0, 40.0)),
        guest("flat and hot", 16, 300, vec![900.0; 512]),
        guest("flat and cold", 16, 512, vec![60.0; 512]),
        guest("hump", 32, 512, hump(512, 1100.0)),
        guest(
            "small",
            8,
            128,
            knees(&[(20, 20_000.0), (108, 700.0), (384, 0.0)]),
        ),
        guest("idle", 16, 512, vec![0.0; 512]),
    ]
}

/// What the guest's driver tells of that heat.
fn tell(heat: &[f64]) -> Vec<Heat> {
    // Least heat of the class that a page is in, times 1024.
    let class = |heat: f64| {
        let octave = (heat * 1024.0 / PAGES_PER_CHUNK as f64).max(1.0);
        let power = octave.log2().floor().exp2();
        ((octave / power * 8.0).floor() / 8.0 * power) as u64
    };
    let mut classes: Vec<u64> = heat.iter().map(|&heat| class(heat)).collect();
    classes.sort_unstable_by(|a, b| b.cmp(a));
    let all = classes.len() as f64;
    let accesses = classes.iter().sum::<u64>() as f64;
    let mut points = Vec::new();
    let (mut pages, mut served) = (0, 0);
    for same in classes.chunk_by(|a, b| a == b) {
        pages += same.len() as u64;
        served += same.iter().sum::<u64>();
        let part = (pages as f64 / all + served as f64 / accesses) / 2.0;
        if part * POINTS >= (points.len() + 1) as f64 - 1e-9 {
            points.push(Heat {
                pages: pages * PAGES_PER_CHUNK,
                heat: same[0],
            });
        }
    }
    points
}

/// Accesses per second that `chunks` of fast memory serve.
fn served(guest: &Guest, chunks: u64) -> f64 {
    guest.heat.iter().take(chunks as usize).sum()
}

fn total(guests: &[Guest], shares: &[u64]) -> f64 {
    let pairs = guests.iter().zip(shares);
    pairs
        .map(|(guest, &share)| guest.weight * served(guest, share))
        .sum()
}

/// The most that any division of `budget` serves: dynamic programming over VMs, in which
/// every share of every VM is tried with every division of the rest.
fn best(guests: &[Guest], budget: u64) -> f64 {
    let mut best = vec![0.0; budget as usize + 1];
    for guest in guests {
        let mut worth = 0.0;
        let values: Vec<f64> = std::iter::once(0.0)
            .chain((0..guest.ceiling as usize).map(|chunk| {
                worth += guest.weight * guest.heat.get(chunk).unwrap_or(&0.0);
                worth
            }))
            .collect();
        best = (0..=budget)
            .map(|budget| {
                (guest.floor..=guest.ceiling.min(budget))
                    .map(|share| best[(budget - share) as usize] + values[share as usize])
                    .fold(f64::NEG_INFINITY, f64::max)
            })
            .collect();
    }
    best[budget as usize]
}

/// The same by trying every division, one by one.
fn brute(guests: &[Guest], budget: u64) -> f64 {
    let Some((first, rest)) = guests.split_first() else {
        return 0.0;
    };
    (first.floor..=first.ceiling.min(budget))
        .map(|share| first.weight * served(first, share) + brute(rest, budget - share))
        .fold(f64::NEG_INFINITY, f64::max)
}

fn make(name: &str, hysteresis: f64) -> Box<dyn Policy> {
    let entry = POLICIES.iter().find(|entry| entry.name == name).unwrap();
    (entry.make)(Settings { hysteresis })
}

fn policy(name: &str) -> Box<dyn Policy> {
    make(name, DEFAULT_HYSTERESIS)
}

/// A host with its guests, as a policy drives it.
struct Host {
    budget: u64,
    shares: Vec<u64>,
    curves: Vec<Option<Curve>>,
    rng: Rng,
    /// Noise of each point and of each curve as a whole, as a share.
    noise: f64,
}

impl Host {
    fn new(guests: &[Guest], budget: u64, noise: f64, seed: u64) -> Self {
        Self {
            budget,
            shares: guests.iter().map(|guest| guest.floor).collect(),
            curves: vec![None; guests.len()],
            rng: Rng::with_seed(seed),
            noise,
        }
    }

    fn noisy(&mut self) -> f64 {
        1.0 + self.noise * (2.0 * self.rng.f64() - 1.0)
    }

    /// Guests tell their curves and the policy divides.
    fn round(&mut self, policy: &dyn Policy, guests: &[Guest]) -> &[u64] {
        for (i, guest) in guests.iter().enumerate() {
            let all = self.noisy();
            let heat: Vec<f64> = guest.heat.iter().map(|h| h * all * self.noisy()).collect();
            let newer = Curve::read(&tell(&heat), guest.heat.len() as u64)
                .unwrap()
                .unwrap();
            match &mut self.curves[i] {
                Some(curve) => curve.approach(&newer, NEWER),
                none => *none = Some(newer),
            }
        }
        let vms: Vec<Vm> = (0..guests.len())
            .map(|i| Vm {
                weight: guests[i].weight,
                floor: guests[i].floor,
                ceiling: guests[i].ceiling,
                size: None,
                given: self.shares[i],
                curve: self.curves[i].as_ref(),
            })
            .collect();
        self.shares = policy.divide(self.budget, &vms);
        for (share, guest) in self.shares.iter().zip(guests) {
            assert!(
                (guest.floor..=guest.ceiling).contains(share),
                "{}",
                guest.name
            );
        }
        assert!(self.shares.iter().sum::<u64>() <= self.budget);
        &self.shares
    }
}

/// How often each VM first gained and then lost, or the other way round.
fn reversals(history: &[Vec<u64>]) -> Vec<usize> {
    (0..history[0].len())
        .map(|i| {
            let moves = history.windows(2).map(|pair| pair[1][i].cmp(&pair[0][i]));
            let moves: Vec<_> = moves.filter(|m| m.is_ne()).collect();
            moves.windows(2).filter(|pair| pair[0] != pair[1]).count()
        })
        .collect()
}

/// Rounds until things have settled, and rounds that are looked at from then on.
const SETTLE: usize = 30;
const WATCH: usize = 100;
const BUDGETS: [u64; 7] = [300, 512, 800, 1200, 1600, 2400, 3200];

/// Lets a settled host go on and checks that it is near the best and calm.
fn near_the_best_and_calm(host: &mut Host, guests: &[Guest], what: &str) {
    let policy = policy("utility");
    for _ in 0..SETTLE {
        host.round(&*policy, guests);
    }
    let most = best(guests, host.budget);
    let mut history = vec![host.shares.clone()];
    for _ in 0..WATCH {
        let shares = host.round(&*policy, guests).to_vec();
        let part = total(guests, &shares) / most;
        assert!(part > 0.97, "{what}: {part} of the best, {shares:?}");
        history.push(shares);
    }
    for (guest, turns) in guests.iter().zip(reversals(&history)) {
        assert!(turns < 2, "{what}: {} turned {turns} times", guest.name);
    }
}

#[test]
fn utility_is_near_the_best_and_calm() {
    for budget in BUDGETS {
        let guests = guests();
        let mut host = Host::new(&guests, budget, 0.0, 0);
        near_the_best_and_calm(&mut host, &guests, &format!("budget {budget}"));
    }
}

#[test]
fn noisy_curves_change_nothing_of_that() {
    for budget in BUDGETS {
        for (noise, seed) in [(0.05, 1), (0.05, 2), (0.1, 3), (0.1, 4)] {
            let guests = guests();
            let mut host = Host::new(&guests, budget, noise, seed);
            let what = format!("budget {budget}, noise {noise}, seed {seed}");
            near_the_best_and_calm(&mut host, &guests, &what);
        }
    }
}

#[test]
fn weights_count() {
    let mut guests = guests();
    for (guest, weight) in guests
        .iter_mut()
        .zip([1.0, 2.0, 0.5, 1.0, 4.0, 1.0, 0.25, 3.0, 1.0])
    {
        guest.weight = weight;
    }
    for budget in BUDGETS {
        let mut host = Host::new(&guests, budget, 0.05, 5);
        near_the_best_and_calm(&mut host, &guests, &format!("budget {budget}"));
    }
}

#[test]
fn utility_follows_phases() {
    // What the guests do moves on by one guest, over and over.
    let mut guests = guests();
    let mut host = Host::new(&guests, 900, 0.05, 6);
    for phase in 0..6 {
        near_the_best_and_calm(&mut host, &guests, &format!("phase {phase}"));
        let mut heats: Vec<_> = guests.iter().map(|guest| guest.heat.clone()).collect();
        heats.rotate_right(1);
        for (guest, heat) in guests.iter_mut().zip(heats) {
            guest.heat = heat;
        }
    }
}

#[test]
fn the_bars_are_no_gift() {
    let guests = guests();
    let mut turns = 0;
    for budget in [300, 512, 800, 1200] {
        // Weights alone do not come near the best.
        let mut host = Host::new(&guests, budget, 0.0, 0);
        host.round(&*policy("proportional"), &guests);
        let part = total(&guests, &host.shares) / best(&guests, budget);
        assert!(part < 0.96, "budget {budget}: {part}");

        // Without hysteresis, noise moves memory to and fro.
        let mut host = Host::new(&guests, budget, 0.05, 1);
        let policy = make("utility", 0.0);
        let history: Vec<_> = (0..WATCH)
            .map(|_| host.round(&*policy, &guests).to_vec())
            .collect();
        turns += reversals(&history).into_iter().max().unwrap();
    }
    assert!(turns > 100, "{turns}");
}

/// Small hosts: VMs of up to 16 chunks with few heats, so that a curve tells all.
fn small_hosts() -> impl Strategy<Value = (Vec<Guest>, u64)> {
    let steps = prop::collection::vec((1usize..5, 0u64..5000), 1..4);
    let guest =
        (steps, 0.1f64..10.0, 0u64..3, 0u64..14).prop_map(|(mut steps, weight, floor, room)| {
            steps.sort_unstable_by_key(|(_, heat)| std::cmp::Reverse(*heat));
            let steps: Vec<_> = steps
                .iter()
                .map(|(n, heat)| (*n, *heat as f64 * 512.0))
                .collect();
            let heat = knees(&steps);
            Guest {
                name: "random",
                weight,
                floor,
                ceiling: floor + room,
                heat,
            }
        });
    (prop::collection::vec(guest, 1..5), 0u64..40).prop_map(|(guests, more)| {
        let floors: u64 = guests.iter().map(|guest| guest.floor).sum();
        (guests, floors + more)
    })
}

proptest! {
    #[test]
    fn exhaustive_search_finds_what_trying_all_finds((guests, budget) in small_hosts()) {
        let (fast, slow) = (best(&guests, budget), brute(&guests, budget));
        prop_assert!((fast - slow).abs() <= slow * 1e-9, "{fast} {slow}");
    }

    #[test]
    fn utility_without_hysteresis_is_the_best((guests, budget) in small_hosts()) {
        let curves: Vec<_> = guests
            .iter()
            .map(|guest| {
                let points: Vec<_> = (1..=guest.heat.len())
                    .map(|n| Heat {
                        pages: n as u64 * PAGES_PER_CHUNK,
                        heat: (guest.heat[n - 1] * 1024.0 / PAGES_PER_CHUNK as f64) as u64,
                    })
                    .collect();
                Curve::read(&points, guest.heat.len() as u64).unwrap()
            })
            .collect();
        let vms: Vec<Vm> = guests
            .iter()
            .zip(&curves)
            .map(|(guest, curve)| Vm {
                weight: guest.weight,
                floor: guest.floor,
                ceiling: guest.ceiling,
                size: None,
                given: guest.floor,
                curve: curve.as_ref(),
            })
            .collect();
        let shares = make("utility", 0.0).divide(budget, &vms);
        let (found, most) = (total(&guests, &shares), best(&guests, budget));
        prop_assert!(found >= most * (1.0 - 1e-9), "{found} {most} {shares:?}");
    }
}
