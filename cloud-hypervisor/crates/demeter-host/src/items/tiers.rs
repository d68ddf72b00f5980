// SPDX-License-Identifier: GPL-2.0-or-later
//! Which nodes are in which memory tier.

use crate::item::{Context, Item, Unreadable, Verdict};
use crate::parse;

/// Which nodes are in which memory tier.
pub struct Tiers;

const TIERS: &str = "/sys/devices/virtual/memory_tiering";
const NODES: &str = "/sys/devices/system/node";

/// Nodes of each tier that have memory, the fastest tier first
fn tiers(context: &Context) -> Result<Vec<(u32, Vec<u32>)>, Unreadable> {
    let list = |path: String| -> Result<Option<Vec<u32>>, Unreadable> {
        let text = context.read(&path)?;
        text.map(|text| parse::numbers(&text).ok_or_else(|| format!("{path}: is no list of nodes")))
            .transpose()
    };
    let with_memory = list(format!("{NODES}/has_memory"))?;
    let mut tiers = Vec::new();
    for name in context.list(TIERS)? {
        let number = name.strip_prefix("memory_tier").map(str::parse);
        let Some(Ok(number)) = number else { continue };
        let mut nodes = list(format!("{TIERS}/{name}/nodelist"))?.unwrap_or_default();
        if let Some(with_memory) = &with_memory {
            nodes.retain(|node| with_memory.contains(node));
        }
        if !nodes.is_empty() {
            tiers.push((number, nodes));
        }
    }
    tiers.sort();
    Ok(tiers)
}

/// A node's size, and what firmware says of it to the processors beside it
fn describe(context: &Context, node: u32) -> Result<String, Unreadable> {
    let folder = format!("{NODES}/node{node}");
    let meminfo = context.read(&format!("{folder}/meminfo"))?;
    let size = meminfo.and_then(|text| parse::meminfo(&text, "MemTotal"));
    let mut words = Vec::new();
    if let Some(size) = size {
        words.push(format!("{} MiB", size >> 20));
    }
    let class = format!("{folder}/access0/initiators");
    for (name, unit) in [("read_latency", "ns"), ("read_bandwidth", "MB/s")] {
        if let Some(number) = context.number(&format!("{class}/{name}"))?
            && number > 0
        {
            words.push(format!("{number} {unit}"));
        }
    }
    Ok(if words.is_empty() {
        format!("node {node}")
    } else {
        format!("node {node} ({})", words.join(", "))
    })
}

impl Item for Tiers {
    fn name(&self) -> &'static str {
        "tiers"
    }

    fn why(&self) -> &'static str {
        "a VM's fast and slow node are bound to nodes of different tiers"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let tiers = tiers(context)?;
        let mut found = Vec::new();
        for (number, nodes) in &tiers {
            let nodes = nodes.iter().map(|node| describe(context, *node));
            let nodes: Vec<_> = nodes.collect::<Result<_, _>>()?;
            found.push(format!("tier {number}: {}", nodes.join(", ")));
        }
        let found = found.join("; ");
        Ok(match tiers.len() {
            0 => Verdict::not(
                "this kernel knows no memory tiers",
                "boot a kernel that does, such as demeterhost",
            ),
            1 => Verdict::not(
                format!("all memory is in one ({found})"),
                "make PMEM or CXL memory system RAM (item dax), see whether firmware has an HMAT, \
                 or leave this item out (--skip tiers) where another socket's memory stands in",
            ),
            _ => Verdict::ok(found),
        })
    }
}
