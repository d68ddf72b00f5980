// SPDX-License-Identifier: GPL-2.0-or-later
//! Puts back what the journal has, the last change first.

use crate::journal::{Journal, Record, boot_id};
use crate::machine::Machine;
use crate::report::{Action, Done};

/// How to go about it.
pub struct Options<'a> {
    /// Also put back what somebody else has changed since
    pub force: bool,
    /// Say what would be put back, and change nothing
    pub dry_run: bool,
    /// Whether to go on; it ends between two changes.
    pub go_on: &'a dyn Fn() -> bool,
}

/// What became of a record.
#[derive(PartialEq, Eq)]
enum Fate {
    /// It is as it was before, and need not be known any longer.
    Over,
    /// It is not.
    Kept,
}

/// Puts everything back. What cannot be put back, or was changed by somebody else, is reported
/// and stays in the journal. Fails without a journal, before anything is changed.
pub fn undo(machine: &mut dyn Machine, options: &Options) -> Result<Done, String> {
    let mut done = Done::default();
    let boot = boot_id(machine)?;
    let mut journal = Journal::load(machine)?;
    done.forgotten = journal.forget_other_boots(&boot);
    let all = std::mem::take(&mut journal.records);
    // Those that are kept, the last first
    let mut kept: Vec<Record> = Vec::new();
    for at in (0..all.len()).rev() {
        let record = &all[at];
        if (options.go_on)() {
            let fate = restore(machine, record, options, &mut done);
            // What the kernel changes with others may change again when these are put back.
            let follows = record.ours.is_empty() && !kept.is_empty();
            if fate == Fate::Kept || follows {
                kept.push(record.clone());
            }
        } else {
            done.interrupted = true;
            kept.push(record.clone());
        }
        // After each item: to write it for each of hundreds of CPUs would take long. If this
        // ends before, what is back already is recognised.
        let is_last = at == 0 || all[at - 1].item != record.item;
        if is_last && !options.dry_run {
            journal.records = all[..at].to_vec();
            journal.records.extend(kept.iter().rev().cloned());
            journal.save(machine)?;
        }
    }
    if !options.dry_run {
        if all.is_empty() {
            // What is left of a journal that was about to be written, or is of another boot
            journal.save(machine)?;
        }
        look_again(machine, &all, &kept, &mut done);
    }
    Ok(done)
}

fn restore(machine: &mut dyn Machine, record: &Record, options: &Options, done: &mut Done) -> Fate {
    let target = &record.target;
    let now = match target.get(machine) {
        Ok(now) => now,
        Err(why) => {
            done.failed.push(why);
            return Fate::Kept;
        }
    };
    let action = Action {
        item: record.item.clone(),
        target: target.to_string(),
        before: now.clone(),
        after: record.before.clone(),
        contents_lost: target.loses_contents(machine),
    };
    if now == record.before {
        if target.survives_reboot() && !options.dry_run {
            // What an interrupted setup left beside it
            return match target.set(machine, &now) {
                Ok(()) => Fate::Over,
                Err(why) => {
                    done.failed.push(why);
                    Fate::Kept
                }
            };
        }
        return Fate::Over;
    }
    if !options.force && !record.is_ours(&now) {
        done.foreign.push(action);
        return Fate::Kept;
    }
    if options.dry_run {
        done.actions.push(action);
        return Fate::Kept;
    }
    match target.set(machine, &record.before) {
        Ok(()) => {
            done.actions.push(action);
            Fate::Over
        }
        Err(why) => {
            done.failed.push(why);
            Fate::Kept
        }
    }
}

/// Reports what the kernel accepted but does not show: all values are back by now, so that none
/// is limited by another any longer.
fn look_again(machine: &dyn Machine, all: &[Record], kept: &[Record], done: &mut Done) {
    for record in all.iter().filter(|record| !kept.contains(record)) {
        if let Ok(now) = record.target.get(machine)
            && now != record.before
        {
            done.failed.push(format!(
                "{}: is {} again, not {}",
                record.target,
                crate::report::value(&now),
                crate::report::value(&record.before)
            ));
        }
    }
}
