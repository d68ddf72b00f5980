// SPDX-License-Identifier: GPL-2.0-or-later
//! PMEM and CXL memory as system RAM, onlined as movable.

use crate::item::{Change, Context, Item, LOST, SETUP, Unreadable, Verdict};
use crate::machine::Machine;
use crate::target::{Target, is_dax, is_pmem};

/// PMEM and CXL memory as system RAM.
pub struct Dax;

const DEVICES: &str = "/sys/bus/dax/devices";
const NAMESPACES: &str = "/sys/bus/nd/devices";
const AUTO_ONLINE: &str = "/sys/devices/system/memory/auto_online_blocks";

struct Device {
    name: String,
    /// devdax, system-ram, or what else it may be
    mode: String,
    is_pmem: bool,
}

fn devices(context: &Context) -> Result<Vec<Device>, Unreadable> {
    let names = context.list(DEVICES)?.into_iter();
    names
        .filter(|name| is_dax(name))
        .map(|name| {
            let target = Target::Dax {
                device: name.clone(),
            };
            let mode = target.get(context.machine)?.unwrap_or_default();
            let is_pmem = is_pmem(context.machine, &name);
            Ok(Device {
                name,
                mode,
                is_pmem,
            })
        })
        .collect()
}

/// Fails if a device that was named is not there, or has no driver.
pub fn expect(machine: &dyn Machine, device: &str) -> Result<(), String> {
    let device = device.to_string();
    let target = Target::Dax { device };
    match target.get(machine)?.as_deref() {
        Some("devdax" | "system-ram") => Ok(()),
        _ => Err(format!("{target}: {NO_DRIVER}: {LOAD}")),
    }
}

const NO_DRIVER: &str = "has no driver that makes it memory";
const LOAD: &str = "load the modules device_dax and kmem, and try again";

/// Namespaces of PMEM that are no dax devices: they hold a file system, or nothing.
fn namespaces(context: &Context) -> Result<Vec<String>, Unreadable> {
    let mut found = Vec::new();
    for name in context.list(NAMESPACES)? {
        if name.starts_with("namespace")
            && let Some(mode) = context.read(&format!("{NAMESPACES}/{name}/mode"))?
            && mode != "devdax"
            // What has no size is a place for a namespace.
            && context.number(&format!("{NAMESPACES}/{name}/size"))? != Some(0)
        {
            found.push(format!("{name} ({mode})"));
        }
    }
    Ok(found)
}

/// The first block of a device's memory that is not online, or not movable
fn immovable(context: &Context, device: &str) -> Result<Option<String>, Unreadable> {
    let Some(node) = context.number(&format!("{DEVICES}/{device}/target_node"))? else {
        return Ok(None);
    };
    let folder = format!("/sys/devices/system/node/node{node}");
    for name in context.list(&folder)? {
        let is_block = name
            .strip_prefix("memory")
            .is_some_and(|number| number.parse::<u32>().is_ok());
        if !is_block {
            continue;
        }
        let state = context.read(&format!("{folder}/{name}/state"))?;
        let zones = context.read(&format!("{folder}/{name}/valid_zones"))?;
        let is_movable = zones.is_none_or(|zones| zones.split(' ').next() == Some("Movable"));
        if state.is_some_and(|state| state != "online") || !is_movable {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

impl Item for Dax {
    fn name(&self) -> &'static str {
        "dax"
    }

    fn why(&self) -> &'static str {
        "PMEM and CXL memory become a NUMA node, the slow tier, only as system RAM, and as \
         movable memory alone can they be given back"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let devices = devices(context)?;
        let namespaces = namespaces(context)?;
        if devices.is_empty() && namespaces.is_empty() {
            return Ok(Verdict::not_applicable(
                "no dax device: memory that firmware gives as RAM needs none",
            ));
        }
        if devices.is_empty() {
            return Ok(Verdict::not(
                format!("no dax device, but {}", namespaces.join(", ")),
                "'ndctl create-namespace --force --reconfig=NAMESPACE --mode=devdax' makes one of \
                 a namespace and deletes what is in it",
            ));
        }
        let mut found = Vec::new();
        let mut pmem = Vec::new();
        for Device {
            name,
            mode,
            is_pmem,
        } in &devices
        {
            match mode.as_str() {
                "system-ram" => {
                    if let Some(block) = immovable(context, name)? {
                        return Ok(Verdict::not(
                            format!("{name} is system RAM, but {block} is not online and movable"),
                            format!(
                                "'daxctl offline-memory {name}' and 'daxctl online-memory {name}'"
                            ),
                        ));
                    }
                    found.push(name.clone());
                }
                "devdax" if *is_pmem => pmem.push(name.as_str()),
                "devdax" => {
                    return Ok(Verdict::not(
                        format!("{name} is a device, not system RAM"),
                        format!("{SETUP} with daxctl"),
                    ));
                }
                _ => {
                    return Ok(Verdict::not(format!("{name} {NO_DRIVER}"), LOAD));
                }
            }
        }
        let left = format!("{} is PMEM, which may hold data", pmem.join(", "));
        Ok(match (found.join(", "), pmem.as_slice()) {
            (ram, []) => Verdict::ok(format!("{ram} is system RAM")),
            (ram, _) if !ram.is_empty() => Verdict::ok(format!("{ram} is system RAM; {left}")),
            _ => Verdict::not(
                left,
                format!(
                    "'demeter-host setup --dax {}' makes it system RAM: {LOST}",
                    pmem.join(" --dax ")
                ),
            ),
        })
    }

    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let mut changes: Vec<_> = devices(context)?
            .into_iter()
            .filter(|device| device.mode == "devdax")
            .filter(|device| !device.is_pmem || context.dax.contains(&device.name))
            .map(|device| Change::Set {
                target: Target::Dax {
                    device: device.name,
                },
                value: Some("system-ram".into()),
            })
            .collect();
        if changes.is_empty() {
            return Ok(changes);
        }
        if let Some(policy) = context.read(AUTO_ONLINE)?
            && policy == "online"
        {
            // Else the kernel onlines it at once, and not as movable.
            changes.insert(0, Change::file(AUTO_ONLINE, "online_movable"));
        }
        changes.insert(0, Change::free_memory_follows());
        Ok(changes)
    }
}
