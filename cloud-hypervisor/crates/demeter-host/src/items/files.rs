// SPDX-License-Identifier: GPL-2.0-or-later
//! How many files may be open.

use crate::item::{Change, Context, Item, SETUP, Unreadable, Verdict};
use crate::parse;
use crate::target::{LIMITS, Target};

/// How many files may be open.
pub struct Files;

const KERNEL: [&str; 2] = ["/proc/sys/fs/nr_open", "/proc/sys/fs/file-max"];
const SELF: &str = "/proc/self/limits";
const FOLDER: &str = "/etc/security/limits.d";
/// What the kernel should allow one process, and all
const MOST: u64 = 1 << 20;
/// What a login should have
const LOGIN: u64 = 1 << 16;

/// Limits of the kernel that are too low
fn low(context: &Context) -> Result<Vec<(&'static str, u64)>, Unreadable> {
    let mut low = Vec::new();
    for path in KERNEL {
        if let Some(limit) = context.number(path)?
            && limit < MOST
        {
            low.push((path, limit));
        }
    }
    Ok(low)
}

/// The soft and the hard limit of this process
fn own(context: &Context) -> Result<(u64, u64), Unreadable> {
    let text = context.read(SELF)?.unwrap_or_default();
    parse::open_files(&text).ok_or_else(|| format!("{SELF}: does not say how many open files"))
}

impl Item for Files {
    fn name(&self) -> &'static str {
        "open-files"
    }

    fn why(&self) -> &'static str {
        "each VM needs files for memory, queues and notifications, and hypervisors end when they \
         get no more"
    }

    fn check(&self, context: &Context) -> Result<Verdict, Unreadable> {
        if let [(path, limit), ..] = low(context)?[..] {
            return Ok(Verdict::not(format!("{path} is {limit}"), SETUP));
        }
        let (soft, _) = own(context)?;
        if soft >= LOGIN {
            return Ok(Verdict::ok(format!("{soft} for a process of this login")));
        }
        let todo = if context.read(LIMITS)?.is_some() {
            format!("log in again, since {LIMITS} allows more")
        } else if context.machine.list(FOLDER).is_ok() {
            format!("{SETUP} for new logins")
        } else {
            format!("run 'ulimit -n {LOGIN}' before you start VMs, since there is no {FOLDER}")
        };
        Ok(Verdict::not(
            format!("{soft} for a process of this login, not {LOGIN}"),
            todo,
        ))
    }

    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let set = |(path, _): (&str, u64)| Change::file(path, MOST.to_string());
        let mut changes: Vec<_> = low(context)?.into_iter().map(set).collect();
        let (soft, hard) = own(context)?;
        let wanted =
            soft < LOGIN && context.read(LIMITS)?.is_none() && context.machine.list(FOLDER).is_ok();
        if wanted {
            let mut text =
                String::from("# Written by 'demeter-host setup', deleted by 'demeter-host undo'\n");
            for who in ["*", "root"] {
                if hard < LOGIN {
                    text += &format!("{who} hard nofile {LOGIN}\n");
                }
                text += &format!("{who} soft nofile {LOGIN}\n");
            }
            changes.push(Change::Set {
                target: Target::Text {
                    path: LIMITS.into(),
                },
                value: Some(text),
            });
        }
        Ok(changes)
    }
}
