// SPDX-License-Identifier: GPL-2.0-or-later
//! One frequency for all processors: no turbo, and nothing lower.
//!
//! intel_pstate has no_turbo, and says the frequency without turbo in base_frequency. Other
//! drivers have boost; acpi-cpufreq lists frequencies without it, and amd-pstate leaves it to
//! ACPI to say the nominal one.

use crate::item::{Change, Context, Item, SETUP, Unreadable, Verdict};
use crate::parse;
use crate::target::Target;

/// One frequency for all processors.
pub struct Frequency;

const CPUFREQ: &str = "/sys/devices/system/cpu/cpufreq";
const NO_TURBO: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
const BOOST: &str = "/sys/devices/system/cpu/cpufreq/boost";

/// A switch of turbo that is there: its path, what it has, and what it has when turbo is off
fn turbo(context: &Context, policies: &[String]) -> Result<Vec<Switch>, Unreadable> {
    let switch = |path: String, off| -> Result<Option<Switch>, Unreadable> {
        let value = context.read(&path)?;
        Ok(value.map(|value| Switch { path, value, off }))
    };
    for (path, off) in [(NO_TURBO, "1"), (BOOST, "0")] {
        if let Some(found) = switch(path.into(), off)? {
            return Ok(vec![found]);
        }
    }
    let of_policies = policies
        .iter()
        .map(|policy| switch(format!("{policy}/boost"), "0"));
    of_policies.filter_map(Result::transpose).collect()
}

struct Switch {
    path: String,
    value: String,
    off: &'static str,
}

/// Folders of processors that share a frequency
fn policies(context: &Context) -> Result<Vec<String>, Unreadable> {
    let names = context.list(CPUFREQ)?.into_iter();
    let policies = names.filter(|name| {
        name.strip_prefix("policy")
            .is_some_and(|number| number.parse::<u32>().is_ok())
    });
    Ok(policies.map(|name| format!("{CPUFREQ}/{name}")).collect())
}

/// A number of a policy, which is there if the policy is
fn number(context: &Context, policy: &str, name: &str) -> Result<u64, Unreadable> {
    let path = format!("{policy}/{name}");
    let found = context.number(&path)?;
    found.ok_or_else(|| format!("{path}: is not there"))
}

/// The highest frequency without turbo, in kHz
fn nominal(context: &Context, policy: &str) -> Result<u64, Unreadable> {
    let lowest = number(context, policy, "cpuinfo_min_freq")?;
    let highest = number(context, policy, "cpuinfo_max_freq")?;
    let listed = context.read(&format!("{policy}/scaling_available_frequencies"))?;
    let listed = listed.unwrap_or_default();
    let cpu = policy.rsplit("policy").next().unwrap_or_default();
    let acpi = format!("/sys/devices/system/cpu/cpu{cpu}/acpi_cppc/nominal_freq");
    let found = match context.number(&format!("{policy}/base_frequency"))? {
        Some(base) => Some(base),
        None => match listed.split_whitespace().flat_map(str::parse).max() {
            Some(highest) => Some(highest),
            // in MHz
            None => context.number(&acpi)?.map(|mhz| mhz.saturating_mul(1000)),
        },
    };
    let found = found.filter(|khz| *khz > 0).unwrap_or(highest);
    Ok(found.min(highest).max(lowest))
}

impl Item for Frequency {
    fn name(&self) -> &'static str {
        "frequency"
    }

    fn why(&self) -> &'static str {
        "with turbo and governors, times depend on heat and on what other CPUs do, so that runs \
         cannot be compared"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let policies = policies(context)?;
        if policies.is_empty() {
            return Ok(Verdict::not_applicable(
                "Linux does not set the frequency here: look in the firmware's settings",
            ));
        }
        let mut wrong = Vec::new();
        let mut lowest = u64::MAX;
        let mut highest = 0;
        let (mut governors, mut moving) = (0, 0);
        for policy in &policies {
            let governor = context.read(&format!("{policy}/scaling_governor"))?;
            governors += usize::from(governor.is_some_and(|governor| governor != "performance"));
            let least = number(context, policy, "scaling_min_freq")?;
            let most = number(context, policy, "scaling_max_freq")?;
            moving += usize::from(least != most);
            (lowest, highest) = (lowest.min(least), highest.max(most));
        }
        let turbo = turbo(context, &policies)?;
        if let Some(on) = turbo.iter().find(|switch| switch.value != switch.off) {
            wrong.push(format!("turbo is on ({})", on.path));
        }
        if governors > 0 {
            wrong.push(format!(
                "{governors} of {} governors are not 'performance'",
                policies.len()
            ));
        }
        if moving > 0 {
            wrong.push(format!(
                "{moving} of {} may go from {} to {} MHz",
                policies.len(),
                lowest / 1000,
                highest / 1000
            ));
        }
        Ok(if wrong.is_empty() {
            Verdict::ok(format!("{} MHz, no turbo", highest / 1000))
        } else {
            Verdict::not(wrong.join(", "), SETUP)
        })
    }

    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let policies = policies(context)?;
        let turbo = turbo(context, &policies)?;
        let is_on = turbo.iter().any(|switch| switch.value != switch.off);
        let mut changes = Vec::new();
        for policy in &policies {
            let least = number(context, policy, "scaling_min_freq")?;
            let most = number(context, policy, "scaling_max_freq")?;
            if is_on || least != most {
                let khz = nominal(context, policy)?;
                // In an order in which the least is never above the most
                let order = if khz < least {
                    ["scaling_min_freq", "scaling_max_freq"]
                } else {
                    ["scaling_max_freq", "scaling_min_freq"]
                };
                for name in order {
                    changes.push(Change::file(format!("{policy}/{name}"), khz.to_string()));
                }
            }
            let offered = context.read(&format!("{policy}/scaling_available_governors"))?;
            let offered = offered.unwrap_or_default();
            let governor = context.read(&format!("{policy}/scaling_governor"))?;
            if governor.is_some_and(|governor| governor != "performance")
                && parse::choices(&offered).any(|governor| governor == "performance")
            {
                // Some drivers change it with the governor, and not all change it back.
                let preference = format!("{policy}/energy_performance_preference");
                if context.read(&preference)?.is_some() {
                    changes.push(Change::Follows {
                        target: Target::file(preference),
                    });
                }
                changes.push(Change::file(
                    format!("{policy}/scaling_governor"),
                    "performance",
                ));
            }
        }
        // Last: while turbo is off, the kernel shows lower limits than were set.
        for switch in turbo {
            if switch.value != switch.off {
                changes.push(Change::file(switch.path, switch.off));
            }
        }
        Ok(changes)
    }
}
