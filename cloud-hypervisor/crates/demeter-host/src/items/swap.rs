// SPDX-License-Identifier: GPL-2.0-or-later
//! No swap.

use crate::item::{Change, Context, Item, SETUP, Unreadable, Verdict};
use crate::parse;
use crate::target::{Target, swaps};

/// No swap.
pub struct Swap;

/// A file that was deleted while it is on cannot be switched on again.
fn comes_back(swap: &parse::Swap) -> bool {
    !swap.path.ends_with(" (deleted)")
}

impl Item for Swap {
    fn name(&self) -> &'static str {
        "swap"
    }

    fn why(&self) -> &'static str {
        "pages of VMs that are swapped out are measured as if the slow tier were that slow"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        let swaps = swaps(context.machine)?;
        let names = |swaps: &[parse::Swap]| {
            let names: Vec<_> = swaps.iter().map(|swap| swap.path.as_str()).collect();
            names.join(", ")
        };
        Ok(if swaps.is_empty() {
            Verdict::ok("none is on")
        } else if swaps.iter().all(comes_back) {
            Verdict::not(format!("{} is on", names(&swaps)), SETUP)
        } else {
            Verdict::not(
                format!("{} is on", names(&swaps)),
                "run 'swapoff -a': undo could not switch a file on that was deleted",
            )
        })
    }

    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let mut swaps = swaps(context.machine)?;
        swaps.retain(comes_back);
        // The kernel gives its own priorities from -2 downwards, so the highest is to be the
        // first that undo switches on.
        swaps.sort_by_key(|swap| swap.priority);
        let off = |swap: parse::Swap| Change::Set {
            target: Target::Swap { device: swap.path },
            value: None,
        };
        Ok(swaps.into_iter().map(off).collect())
    }
}
