// SPDX-License-Identifier: GPL-2.0-or-later
//! Changes what items plan, and notes it in the journal before.

use crate::item::{Change, Context, Item, Mode};
use crate::items::dax;
use crate::journal::{Intent, Journal, boot_id};
use crate::machine::Machine;
use crate::report::{Action, Done};
use crate::target::{Target, said};

/// How to go about it.
pub struct Options<'a> {
    /// What the machine is to be
    pub mode: Mode,
    /// Devices of PMEM that may be changed though their contents are lost
    pub dax: &'a [String],
    /// Say what would be changed, and change nothing
    pub dry_run: bool,
    /// Whether to go on; it ends between two changes.
    pub go_on: &'a dyn Fn() -> bool,
}

/// Sets up the items, one after the other. What cannot be changed is reported, and the others
/// are done. Fails without a journal and without a device that was named, before anything is
/// changed, and when the journal cannot be written, before what would be in it is changed.
pub fn setup(
    machine: &mut dyn Machine,
    items: &[&dyn Item],
    options: &Options,
) -> Result<Done, String> {
    let mut done = Done::default();
    let boot = boot_id(machine)?;
    let mut journal = if options.dry_run {
        // Only root may read it, and nothing depends on it.
        Journal::default()
    } else {
        Journal::load(machine)?
    };
    for device in options.dax {
        dax::expect(machine, device)?;
    }
    done.forgotten = journal.forget_other_boots(&boot);
    for item in items {
        let context = Context {
            machine,
            mode: options.mode,
            dax: options.dax,
        };
        let planned = match item.plan(&context) {
            Ok(planned) => planned,
            Err(why) => {
                done.failed.push(why);
                continue;
            }
        };
        let mut item = Setup {
            name: item.name(),
            boot: &boot,
            journal: &mut journal,
            options,
            done: &mut done,
        };
        item.make(machine, planned)?;
        if done.interrupted {
            break;
        }
    }
    Ok(done)
}

/// The set-up of one item.
struct Setup<'a> {
    name: &'static str,
    boot: &'a str,
    journal: &'a mut Journal,
    options: &'a Options<'a>,
    done: &'a mut Done,
}

impl Setup<'_> {
    /// Writes all that is planned to the journal, makes it, and corrects the journal where
    /// the machine has done something else.
    fn make(&mut self, machine: &mut dyn Machine, planned: Vec<Change>) -> Result<(), String> {
        let mut intents = Vec::new();
        let mut once = Vec::new();
        for change in planned {
            match change {
                Change::Once { path, value } => once.push((path, value)),
                Change::Follows { target } => match target.get(machine) {
                    Ok(before) => self.journal.note(self.name, self.boot, &target, &before),
                    Err(why) => self.done.failed.push(why),
                },
                Change::Set { target, value } => match target.get(machine) {
                    Ok(before) if before == value => {}
                    Ok(before) => {
                        let intent = self
                            .journal
                            .intend(self.name, self.boot, &target, &before, &value);
                        intents.push((intent, before));
                    }
                    Err(why) => self.done.failed.push(why),
                },
            }
        }
        if !intents.is_empty() && !self.options.dry_run {
            self.journal.save(machine)?;
        }
        let mut is_corrected = false;
        for (intent, before) in intents {
            let action = Action {
                item: self.name.into(),
                target: intent.target.to_string(),
                before,
                after: intent.value.clone(),
                contents_lost: intent.target.loses_contents(machine),
            };
            if self.options.dry_run {
                self.done.actions.push(action);
            } else if (self.options.go_on)() {
                is_corrected |= self.set(machine, &intent, action);
            } else {
                self.done.interrupted = true;
                self.journal.withdraw(&intent);
                is_corrected = true;
            }
        }
        if is_corrected {
            self.journal.save(machine)?;
        }
        for (path, value) in once {
            self.once(machine, path, value);
        }
        Ok(())
    }

    /// Sets one value. Returns whether the journal has to be corrected.
    fn set(&mut self, machine: &mut dyn Machine, intent: &Intent, mut action: Action) -> bool {
        let result = intent.target.set(machine, &intent.value);
        let now = intent.target.get(machine);
        if let Err(why) = &result {
            self.done.failed.push(why.clone());
        }
        match now {
            Ok(now) if now == intent.value => {
                self.done.actions.push(action);
                false
            }
            Ok(now) if now == action.before => {
                if result.is_ok() {
                    let why = format!("{}: did not take {}", action.target, action.after());
                    self.done.failed.push(why);
                }
                self.journal.withdraw(intent);
                true
            }
            Ok(now) => {
                // The kernel has made another value of it.
                self.journal.also(&intent.target, &now);
                action.after = now;
                self.done.actions.push(action);
                true
            }
            Err(why) => {
                if result.is_ok() {
                    self.done.failed.push(why);
                }
                false
            }
        }
    }

    fn once(&mut self, machine: &mut dyn Machine, path: String, value: String) {
        if !self.options.dry_run {
            if !(self.options.go_on)() {
                self.done.interrupted = true;
                return;
            }
            if let Err(error) = machine.write(&path, &value) {
                self.done.failed.push(said(&path, &error));
                return;
            }
        }
        self.done.actions.push(Action {
            item: self.name.into(),
            target: Target::file(path).to_string(),
            before: None,
            after: Some(value),
            contents_lost: false,
        });
    }
}
