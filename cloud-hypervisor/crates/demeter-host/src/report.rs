// SPDX-License-Identifier: GPL-2.0-or-later
//! What was found and done, as text and as JSON.

use serde::Serialize;

use crate::item::{Context, Item, LOST, Mode, Status, Verdict};
use crate::parse;
use crate::target::Value;

/// A value in messages
pub fn value(value: &Value) -> String {
    match value {
        None => "nothing".into(),
        Some(text) if text.contains('\n') => format!("a file of {} lines", text.lines().count()),
        Some(text) => text.clone(),
    }
}

/// A value that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// By which item
    pub item: String,
    /// Of what
    pub target: String,
    /// What it was
    pub before: Value,
    /// What it is
    pub after: Value,
    /// Whether what it held is lost by that, or was lost by what is undone
    pub contents_lost: bool,
}

impl Action {
    /// What it is, in messages
    pub fn after(&self) -> String {
        value(&self.after)
    }

    /// The line that tells it; those of many CPUs are one.
    fn line(&self) -> String {
        let mut target = String::new();
        for c in self.target.chars() {
            match c {
                '0'..='9' if self.target.contains("/policy") => {
                    if !target.ends_with('*') {
                        target.push('*');
                    }
                }
                _ => target.push(c),
            }
        }
        let values = format!("{} -> {}", value(&self.before), self.after());
        let lost = match self.contents_lost {
            true => format!("; {LOST}"),
            false => String::new(),
        };
        parse::shown(&format!("{:<15} {target}: {values}{lost}", self.item))
    }
}

/// What setup or undo did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// What was changed, or would be
    pub actions: Vec<Action>,
    /// What somebody else has changed since, which was left
    pub foreign: Vec<Action>,
    /// What could not be done, a line each
    pub failed: Vec<String>,
    /// How many values a reboot has put back
    pub forgotten: usize,
    /// Whether it ended early
    pub interrupted: bool,
}

impl Done {
    /// Whether all was done
    pub fn is_complete(&self) -> bool {
        self.foreign.is_empty() && self.failed.is_empty() && !self.interrupted
    }

    /// The changes, a line each, where equal ones are counted, and a line that closes them.
    pub fn text(&self, close: &str) -> String {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for line in self.actions.iter().map(Action::line) {
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, count)) => *count += 1,
                None => lines.push((line, 1)),
            }
        }
        let mut text = String::new();
        for (line, count) in lines {
            text += &line;
            if count > 1 {
                text += &format!(" ({count} times)");
            }
            text.push('\n');
        }
        if self.forgotten > 0 {
            text += &format!("{} values were put back by a reboot\n", self.forgotten);
        }
        let count = self.actions.len();
        let changes = if count == 1 { "change" } else { "changes" };
        text += &format!("{count} {changes} {close}\n");
        text
    }

    /// What went wrong, a line each
    pub fn complaints(&self) -> Vec<String> {
        let foreign = self.foreign.iter().map(|action| {
            format!(
                "{}: somebody has set {} since; left as it is, --force sets {} again",
                action.target,
                value(&action.before),
                action.after()
            )
        });
        let interrupted = self.interrupted.then(|| {
            "interrupted: 'demeter-host undo' puts back the settings that were changed".to_string()
        });
        let failed = self.failed.iter().cloned();
        let all = failed.chain(foreign).chain(interrupted);
        all.map(|line| parse::shown(&line)).collect()
    }
}

/// What a check has found of one item.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its name
    pub name: &'static str,
    /// Whether it is as it should be
    pub status: Status,
    /// Whether nothing should be measured without it
    pub needed: bool,
    /// What was found
    pub found: String,
    /// Why an experiment needs it
    pub why: &'static str,
    /// What to do; empty if nothing is to be done
    pub todo: String,
}

/// What a check has found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the machine is to be
    pub mode: Mode,
    /// Whether all that is needed is as it should be
    pub ok: bool,
    /// Each item
    pub items: Vec<Checked>,
}

impl Report {
    /// Checks items.
    pub fn new(context: &Context, items: &[&dyn Item]) -> Self {
        let check = |item: &&dyn Item| {
            let verdict = item
                .check(context)
                .unwrap_or_else(|why| Verdict::not(why, "look again as root"));
            Checked {
                name: item.name(),
                status: verdict.status,
                needed: item.is_needed(context.mode),
                found: parse::shown(&verdict.found),
                why: item.why(),
                todo: parse::shown(&verdict.todo),
            }
        };
        let items: Vec<_> = items.iter().map(check).collect();
        Self {
            mode: context.mode,
            ok: items.iter().all(|item| !item.is_missing()),
            items,
        }
    }

    /// Items with their status, and why and what to do under those that are not ok
    pub fn text(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            let status = match item.status {
                Status::Ok => "ok",
                Status::Not => "not",
                Status::NotApplicable => "-",
            };
            text += &format!("{status:<3} {:<15} {}\n", item.name, item.found);
            if item.status == Status::Not {
                let needed = if item.needed { "" } else { "not needed; " };
                text += &format!("    {:<15} {needed}{}: {}\n", "", item.why, item.todo);
            }
        }
        let missing = self.items.iter().filter(|item| item.is_missing());
        let missing: Vec<_> = missing.map(|item| item.name).collect();
        let mode = self.mode.name();
        text += &if missing.is_empty() {
            format!("ready to be a {mode}\n")
        } else {
            format!("not ready to be a {mode}: {}\n", missing.join(", "))
        };
        text
    }
}

impl Checked {
    /// Whether it is needed and not as it should be
    fn is_missing(&self) -> bool {
        self.needed && self.status == Status::Not
    }
}
