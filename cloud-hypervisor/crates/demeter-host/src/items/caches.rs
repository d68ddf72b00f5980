// SPDX-License-Identifier: GPL-2.0-or-later
//! Memory that is free of cached files.

use crate::item::{Change, Context, Item, SETUP, Unreadable, Verdict};
use crate::parse;

/// Memory that is free of cached files.
pub struct Caches;

const MEMINFO: &str = "/proc/meminfo";
/// A twentieth of memory is left to caches: what runs reads files all the time.
const PART: u64 = 20;

/// Bytes of files that are cached and could be dropped, and of all memory
fn cached(context: &Context) -> Result<(u64, u64), Unreadable> {
    let text = context
        .read(MEMINFO)?
        .ok_or_else(|| format!("{MEMINFO}: is not there"))?;
    let field =
        |name| parse::meminfo(&text, name).ok_or_else(|| format!("{MEMINFO}: does not say {name}"));
    let files = field("Active(file)")?.saturating_add(field("Inactive(file)")?);
    Ok((files, field("MemTotal")?))
}

impl Item for Caches {
    fn name(&self) -> &'static str {
        "caches"
    }

    fn why(&self) -> &'static str {
        "cached files fill the fast tier, so that VMs get less of it, or get it later"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let (files, all) = cached(context)?;
        let found = format!("{} MiB of files are cached", files >> 20);
        Ok(if files > all / PART {
            Verdict::not(found, SETUP)
        } else {
            Verdict::ok(found)
        })
    }

    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let (files, all) = cached(context)?;
        let drop = Change::Once {
            path: "/proc/sys/vm/drop_caches".into(),
            value: "3".into(),
        };
        Ok(if files > all / PART {
            vec![drop]
        } else {
            Vec::new()
        })
    }
}
