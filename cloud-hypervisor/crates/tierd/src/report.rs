// SPDX-License-Identifier: GPL-2.0-or-later
//! Says what the controller has decided, for people or as JSON.

use serde::Serialize;
use tiered_balloon_api::{Size, printable};
use tiered_balloon_cli::{size, table};

use crate::config::{Config, Tiers};
use crate::control::{Controller, Member};
use crate::policy::CHUNK;

/// A division. Sizes are in bytes.
#[derive(Debug, Serialize)]
pub struct Report {
    policy: &'static str,
    /// Why nothing is divided.
    held: Option<String>,
    fast: Tier,
    slow: Tier,
    vms: Vec<Vm>,
}

#[derive(Debug, Serialize)]
struct Tier {
    bytes: u64,
    /// What VMs have or may take.
    claimed: u64,
}

#[derive(Debug, Serialize)]
struct Vm {
    name: String,
    /// Why it cannot be told what to do.
    fault: Option<String>,
    weight: f64,
    /// Whether it tells what fast memory is worth to it.
    curve: bool,
    floor: u64,
    ceiling: u64,
    fast: Share,
    slow: Share,
}

#[derive(Debug, Serialize)]
struct Share {
    /// What it has or may take.
    claim: u64,
    /// What it gets.
    share: Option<u64>,
    /// What it cannot give back.
    short: u64,
}

impl Report {
    /// Says how things are at the moment.
    pub fn new(controller: &Controller) -> Self {
        let config = controller.config();
        let members = controller.members();
        let tier = |chunks, of: fn(&Member) -> u64| Tier {
            bytes: chunks * CHUNK,
            claimed: members.iter().map(of).sum(),
        };
        Self {
            policy: config.policy.name,
            held: controller.held().map(str::to_string),
            fast: tier(config.tiers.fast, |member| member.claim().fast),
            slow: tier(config.tiers.slow, |member| member.claim().slow),
            vms: members.iter().map(vm).collect(),
        }
    }

    /// As JSON, in a line.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// As a table.
    pub fn text(&self) -> String {
        let of = |name: &str, tier: &Tier| {
            let (claimed, bytes) = (size(tier.claimed), size(tier.bytes));
            format!("{name}: {claimed} of {bytes} claimed")
        };
        let (fast, slow) = (of("fast", &self.fast), of("slow", &self.slow));
        let mut text = format!("policy {}; {fast}; {slow}\n", self.policy);
        let or_none = |share: Option<u64>| share.map_or("-".into(), size);
        let rows = self.vms.iter().map(|vm| {
            vec![
                vm.name.clone(),
                format!("{}", vm.weight),
                size(vm.floor),
                size(vm.ceiling),
                size(vm.fast.claim),
                or_none(vm.fast.share),
                size(vm.slow.claim),
                or_none(vm.slow.share),
                if vm.curve { "yes" } else { "no" }.into(),
            ]
        });
        let header = [
            "VM", "WEIGHT", "FLOOR", "CEILING", "FAST", "SHALL", "SLOW", "SHALL", "CURVE",
        ];
        text += &table(&header, rows);
        for vm in &self.vms {
            if let Some(fault) = &vm.fault {
                text += &format!("{}: keeps what it has: {}\n", vm.name, printable(fault));
            }
            for (tier, share) in [("fast", &vm.fast), ("slow", &vm.slow)] {
                if share.short > 0 {
                    let short = Size(share.short);
                    text += &format!("{}: cannot give back {short} of {tier} memory\n", vm.name);
                }
            }
        }
        if let Some(held) = &self.held {
            text += &format!("nothing is divided: {held}\n");
        }
        text
    }
}

fn vm(member: &Member) -> Vm {
    let config = &member.config;
    let claim = member.claim();
    let share = |claim, share: Option<u64>, short| Share {
        claim,
        share: share.map(|chunks| chunks * CHUNK),
        short,
    };
    let slow = member.share.map(|fast| config.memory.saturating_sub(fast));
    Vm {
        name: config.name.clone(),
        fault: member.fault.as_ref().map(|fault| fault.reason.clone()),
        weight: config.weight,
        curve: member.curve.is_some(),
        floor: config.floor * CHUNK,
        ceiling: config.ceiling * CHUNK,
        fast: share(claim.fast, member.share, member.short.fast),
        slow: share(claim.slow, slow, member.short.slow),
    }
}

/// What a configuration allows.
pub fn allowed(config: &Config) -> String {
    let Tiers { fast, slow } = config.tiers;
    let (fast, slow) = (size(fast * CHUNK), size(slow * CHUNK));
    let rows = config.vms.iter().map(|vm| {
        vec![
            vm.name.clone(),
            size(vm.memory * CHUNK),
            format!("{}", vm.weight),
            size(vm.floor * CHUNK),
            size(vm.ceiling * CHUNK),
            vm.size.map_or("-".into(), |chunks| size(chunks * CHUNK)),
        ]
    });
    let header = ["VM", "MEMORY", "WEIGHT", "FLOOR", "CEILING", "SIZE"];
    let policy = config.policy;
    format!(
        "policy {}: {}; {fast} of fast memory, {slow} of slow\n{}",
        policy.name,
        policy.about,
        table(&header, rows)
    )
}
