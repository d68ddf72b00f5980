// SPDX-License-Identifier: GPL-2.0-or-later
//! KVM, and what guests may use of the PMU.

use crate::item::{Context, Item, Mode, Unreadable, Verdict};
use crate::parse;
use crate::target::said;

const DEVICE: &str = "/dev/kvm";
const INTEL: &str = "/sys/module/kvm_intel";
const AMD: &str = "/sys/module/kvm_amd";

/// KVM is there and can be used.
pub struct Kvm;

impl Item for Kvm {
    fn name(&self) -> &'static str {
        "kvm"
    }

    fn why(&self) -> &'static str {
        "VMs run on the processor itself only by KVM"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let cpus = context.read("/proc/cpuinfo")?.unwrap_or_default();
        if !parse::cpu_flag(&cpus, &["vmx", "svm"]) {
            return Ok(Verdict::not(
                "the processors have neither VT-x nor SVM",
                "switch virtualization on in the firmware's settings, or nested virtualization \
                 where this is a VM",
            ));
        }
        let devices = context.list("/dev")?;
        if !devices.iter().any(|name| name == "kvm") {
            return Ok(Verdict::not(
                format!("there is no {DEVICE}"),
                "'modprobe kvm_intel' or 'modprobe kvm_amd', and see what dmesg says",
            ));
        }
        Ok(match context.machine.open(DEVICE) {
            Ok(()) => Verdict::ok(format!("{DEVICE} can be used")),
            Err(error) => Verdict::not(
                said(DEVICE, &error),
                "become a member of the group kvm, or root",
            ),
        })
    }
}

/// Guests may sample loads by their latency.
pub struct Pebs;

impl Item for Pebs {
    fn name(&self) -> &'static str {
        "guest-pebs"
    }

    fn why(&self) -> &'static str {
        "Demeter samples in the guest what it accesses by PEBS, and falls back to accessed bits \
         without it"
    }

    fn is_needed(&self, mode: Mode) -> bool {
        mode == Mode::Demeterhost
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        if context.mode == Mode::Tpphost {
            return Ok(Verdict::not_applicable(
                "guests of a tpphost sample nothing",
            ));
        }
        if !context.has(INTEL)? {
            return Ok(if context.has(AMD)? {
                Verdict::not_applicable("AMD's processors have no PEBS: guests use accessed bits")
            } else {
                Verdict::not("KVM for Intel is not there", "see item kvm")
            });
        }
        // Every boolean that must be as it is here, whether it is where it is not there, and why.
        // Upstream's mediated PMU is of the vendor's module; earlier series had it in kvm.
        const MEDIATED: &str = ": a mediated PMU excludes guest PEBS";
        for (module, name, wanted, absent, why) in [
            ("kvm_intel", "enable_mediated_pmu", false, false, MEDIATED),
            ("kvm_amd", "enable_mediated_pmu", false, false, MEDIATED),
            ("kvm", "enable_mediated_pmu", false, false, MEDIATED),
            ("kvm", "enable_pmu", true, true, ""),
            ("kvm_intel", "pebs_guest", true, false, ", on demeterhost"),
        ] {
            let path = format!("/sys/module/{module}/parameters/{name}");
            let value = match context.read(&path)? {
                Some(text) => {
                    parse::boolean(&text).ok_or_else(|| format!("{path}: has neither Y nor N"))?
                }
                None => absent,
            };
            if value != wanted {
                let is = if value { "on" } else { "off or not there" };
                let wanted = u8::from(wanted);
                return Ok(Verdict::not(
                    format!("{path} is {is}"),
                    format!("boot with {module}.{name}={wanted}{why}"),
                ));
            }
        }
        Ok(match context.number(PRECISE)? {
            None | Some(0) => Verdict::not(
                "the host's own PMU has no PEBS",
                "look in the firmware's settings, or whether this is a VM itself",
            ),
            Some(_) => Verdict::ok("kvm_intel.pebs_guest is on"),
        })
    }
}

/// How precise the host's own samples can be; 0 without PEBS
const PRECISE: &str = "/sys/bus/event_source/devices/cpu/caps/max_precise";
