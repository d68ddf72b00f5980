// SPDX-License-Identifier: GPL-2.0-or-later
//! Which kernel runs, and which can be booted.

use std::io::ErrorKind;

use crate::item::{Context, Item, Mode, OSRELEASE, Unreadable, Verdict};
use crate::target::said;

/// The kernel that runs is the one that the mode needs.
pub struct Kernel;

impl Item for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn why(&self) -> &'static str {
        "designs in the guest and in the host are compared on two kernels of one source, which \
         differ in TPP and in whether guests get PEBS"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let release = context
            .read(OSRELEASE)?
            .ok_or_else(|| format!("{OSRELEASE}: is not there"))?;
        let runs = Mode::of_kernel(context.machine);
        let found = format!("{release} runs");
        Ok(if runs == Some(context.mode) {
            Verdict::ok(found)
        } else {
            let name = context.mode.name();
            Verdict::not(
                found,
                format!("'bootctl set-oneshot linux-VERSION-{name}.conf' and reboot"),
            )
        })
    }
}

/// systemd-boot has entries of both kernels.
pub struct Entries;

/// Where the ESP or the boot partition may be mounted
const MOUNTED: [&str; 3] = ["/efi", "/boot", "/boot/efi"];

impl Item for Entries {
    fn name(&self) -> &'static str {
        "boot-entries"
    }

    fn why(&self) -> &'static str {
        "'bootctl set-oneshot' switches between the two host kernels by their boot entries"
    }

    /// A machine may boot its kernel in another way.
    fn is_needed(&self, _mode: Mode) -> bool {
        false
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        if !context.has("/sys/firmware/efi")? {
            return Ok(Verdict::not_applicable(
                "this machine was not booted by UEFI",
            ));
        }
        let mut entries = Vec::new();
        for mounted in MOUNTED {
            let folder = format!("{mounted}/loader/entries");
            match context.machine.list(&folder) {
                Ok(names) => entries.extend(names),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Ok(Verdict::not(said(&folder, &error), "look again as root"));
                }
                Err(_) => {}
            }
        }
        // A boot counter may follow the name: linux-6.12.1-tpphost+3.conf
        let of = |mode: Mode| {
            let of_mode = |entry: &&String| {
                let name = entry.strip_suffix(".conf").unwrap_or_default();
                let name = name.split('+').next().unwrap_or_default();
                name.starts_with("linux-") && name.ends_with(&format!("-{}", mode.name()))
            };
            entries.iter().find(of_mode).cloned()
        };
        Ok(match (of(Mode::Demeterhost), of(Mode::Tpphost)) {
            (Some(a), Some(b)) => Verdict::ok(format!("{a}, {b}")),
            (demeterhost, _) => {
                let missing = match demeterhost {
                    None => Mode::Demeterhost,
                    Some(_) => Mode::Tpphost,
                };
                Verdict::not(
                    format!("systemd-boot has no entry of {}", missing.name()),
                    "'make install' makes both",
                )
            }
        })
    }
}
