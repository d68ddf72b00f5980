// SPDX-License-Identifier: GPL-2.0-or-later
//! No VMs that somebody has left.

use std::io::ErrorKind;

use crate::item::{Context, Item, Unreadable, Verdict};
use crate::target::said;

/// No VMs that somebody has left.
pub struct Vms;

/// Names of hypervisors, as /proc/PID/comm cuts them after 15 characters
const NAMES: [&str; 2] = ["qemu-system", "cloud-hyperviso"];

/// Whether a process has KVM open, or the VM that it made there; `None` if we may not look
fn has_kvm(context: &Context, process: &str) -> Option<bool> {
    let folder = format!("/proc/{process}/fd");
    match context.machine.list(&folder) {
        Ok(names) => Some(names.iter().any(|name| {
            let target = context.machine.link(&format!("{folder}/{name}"));
            target.is_ok_and(|to| to == "/dev/kvm" || to.starts_with("anon_inode:kvm-vm"))
        })),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
        // It has ended meanwhile.
        Err(_) => Some(false),
    }
}

impl Item for Vms {
    fn name(&self) -> &'static str {
        "vms"
    }

    fn why(&self) -> &'static str {
        "VMs that were left running take memory of both tiers, bandwidth and CPUs from those that \
         are measured"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let mut found = Vec::new();
        let mut is_all = true;
        let names = context
            .machine
            .list("/proc")
            .map_err(|error| said("/proc", &error))?;
        let processes = names.iter().filter(|name| name.parse::<u32>().is_ok());
        for process in processes {
            let comm = context.machine.read(&format!("/proc/{process}/comm"));
            let comm = comm.unwrap_or_default();
            let comm = comm.trim_end();
            let is_hypervisor = NAMES.iter().any(|name| comm.starts_with(name));
            let has_kvm = has_kvm(context, process);
            is_all &= has_kvm.is_some();
            if is_hypervisor || has_kvm == Some(true) {
                found.push(format!("{process} ({})", comm));
            }
        }
        Ok(if found.is_empty() {
            Verdict::ok(if is_all {
                "none"
            } else {
                "none that this user may see; root sees all"
            })
        } else {
            Verdict::not(
                format!("processes {}", found.join(", ")),
                "shut these VMs down",
            )
        })
    }
}
