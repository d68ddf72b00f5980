// SPDX-License-Identifier: GPL-2.0-or-later
//! What setup has changed, and how it was before: written before it is changed, so that undo
//! knows it whatever happens in between.
//!
//! A record is a target, the value that it had when setup first changed it, and all values that
//! setup has set since or was about to set. A target that has another value than these was
//! changed by somebody else, unless it is one that the kernel changes with another.

use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::target::{Target, Value, said};

/// Where the journal is; only root may write there
pub const FOLDER: &str = "/var/lib/demeter";
/// The journal
pub const FILE: &str = "/var/lib/demeter/host.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const VERSION: u32 = 1;

/// A target that setup has changed, or was about to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The item that wanted it
    pub item: String,
    /// In which boot that was
    pub boot: String,
    /// What was changed
    pub target: Target,
    /// Its value before
    pub before: Value,
    /// Values that are ours; without any, the kernel has changed it with another target
    pub ours: Vec<Value>,
}

impl Record {
    /// Whether a value is one that setup has set, or that the kernel has chosen
    pub fn is_ours(&self, value: &Value) -> bool {
        self.ours.is_empty() || self.ours.contains(value)
    }
}

/// All that is to be put back, in the order in which it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    version: u32,
    /// Its records
    pub records: Vec<Record>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            version: VERSION,
            records: Vec::new(),
        }
    }
}

impl Journal {
    /// Reads the journal; without one, nothing has been changed. Says why it is none.
    pub fn load(machine: &dyn Machine) -> Result<Self, String> {
        let text = match machine.read(FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(said(FILE, &error)),
        };
        let wrong = |why: &str| format!("{FILE}: is no journal of this version: {why}");
        let journal: Self =
            serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
        if journal.version != VERSION {
            return Err(wrong(&format!("it is of version {}", journal.version)));
        }
        match journal.records.iter().find(|r| !r.target.is_known()) {
            Some(record) => Err(wrong(&format!(
                "{} is nothing that setup changes",
                record.target
            ))),
            None => Ok(journal),
        }
    }

    /// Writes the journal, as a whole or not at all. Deletes it if nothing is to be put back.
    pub fn save(&self, machine: &mut dyn Machine) -> Result<(), String> {
        let result = if self.records.is_empty() {
            machine.remove(FILE)
        } else {
            serde_json::to_string_pretty(self)
                .map_err(io::Error::from)
                .and_then(|text| machine.replace(FILE, &(text + "\n"), 0o600))
        };
        result.map_err(|error| said(FILE, &error))
    }

    /// Drops what a reboot has put back. Returns how many records that were.
    pub fn forget_other_boots(&mut self, boot: &str) -> usize {
        let all = self.records.len();
        self.records
            .retain(|record| record.boot == boot || record.target.survives_reboot());
        all - self.records.len()
    }

    fn position(&self, target: &Target) -> Option<usize> {
        self.records.iter().position(|r| r.target == *target)
    }

    /// Notes what is about to be set. What a target was before is noted only once. Returns what
    /// [`Journal::withdraw`] needs if it was not set.
    pub fn intend(
        &mut self,
        item: &str,
        boot: &str,
        target: &Target,
        before: &Value,
        value: &Value,
    ) -> Intent {
        self.note(item, boot, target, before);
        Intent {
            target: target.clone(),
            value: value.clone(),
            added: self.also(target, value),
        }
    }

    /// Notes what a target is before the kernel changes it with another one.
    pub fn note(&mut self, item: &str, boot: &str, target: &Target, before: &Value) {
        if self.position(target).is_none() {
            self.records.push(Record {
                item: item.into(),
                boot: boot.into(),
                target: target.clone(),
                before: before.clone(),
                ours: Vec::new(),
            });
        }
    }

    /// Notes one more value of a target as ours. Returns whether it was none before.
    pub fn also(&mut self, target: &Target, value: &Value) -> bool {
        let Some(at) = self.position(target) else {
            return false;
        };
        let ours = &mut self.records[at].ours;
        let added = !ours.contains(value);
        if added {
            ours.push(value.clone());
        }
        added
    }

    /// Takes back what was not set.
    pub fn withdraw(&mut self, intent: &Intent) {
        if let (true, Some(at)) = (intent.added, self.position(&intent.target)) {
            let ours = &mut self.records[at].ours;
            ours.retain(|value| *value != intent.value);
            if ours.is_empty() {
                self.records.remove(at);
            }
        }
    }
}

/// A value that is about to be set.
#[derive(Debug)]
pub struct Intent {
    /// Of what
    pub target: Target,
    /// The value
    pub value: Value,
    /// The journal did not have it as ours
    added: bool,
}

/// What tells this boot from others
pub fn boot_id(machine: &dyn Machine) -> Result<String, String> {
    let text = machine
        .read(BOOT_ID)
        .map_err(|error| said(BOOT_ID, &error))?;
    match text.trim() {
        "" => Err(format!("{BOOT_ID}: is empty")),
        id => Ok(id.into()),
    }
}
