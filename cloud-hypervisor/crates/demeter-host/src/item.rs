// SPDX-License-Identifier: GPL-2.0-or-later
//! What an experiment needs of the machine: one thing.

use std::io::ErrorKind;

use clap::ValueEnum;
use serde::Serialize;

use crate::machine::Machine;
use crate::target::{Target, Value, said};

/// What kind of host the machine is to be, as its kernels are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Guests place their pages in the tiers that they are given
    Demeterhost,
    /// The host places the pages of guests that know no tiers
    Tpphost,
}

impl Mode {
    /// The end of the kernel's release, and the name of the mode
    pub fn name(self) -> &'static str {
        match self {
            Self::Demeterhost => "demeterhost",
            Self::Tpphost => "tpphost",
        }
    }

    /// That of the kernel that runs, if it is one of ours
    pub fn of_kernel(machine: &dyn Machine) -> Option<Self> {
        let release = machine.read(OSRELEASE).ok()?;
        let all = [Self::Demeterhost, Self::Tpphost];
        all.into_iter()
            .find(|mode| release.trim().ends_with(&format!("-{}", mode.name())))
    }
}

/// The release of the kernel that runs
pub const OSRELEASE: &str = "/proc/sys/kernel/osrelease";

/// Whether the machine has what an experiment needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// It has.
    #[serde(rename = "ok")]
    Ok,
    /// It has not, or that cannot be told.
    #[serde(rename = "not")]
    Not,
    /// There is nothing of this kind here.
    #[serde(rename = "not applicable")]
    NotApplicable,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether that is as it should be
    pub status: Status,
    /// What was found
    pub found: String,
    /// What to do, if something is to be done
    pub todo: String,
}

impl Verdict {
    /// All is well.
    pub fn ok(found: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            found: found.into(),
            todo: String::new(),
        }
    }

    /// Something is to be done.
    pub fn not(found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            status: Status::Not,
            found: found.into(),
            todo: todo.into(),
        }
    }

    /// There is nothing to check.
    pub fn not_applicable(found: impl Into<String>) -> Self {
        Self {
            status: Status::NotApplicable,
            found: found.into(),
            todo: String::new(),
        }
    }
}

/// What to do where setup does it
pub const SETUP: &str = "'demeter-host setup' does that";

/// What becomes of PMEM that is made system RAM
pub const LOST: &str = "its contents are lost, and undo cannot bring them back";

/// What setup does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets a value, which undo puts back
    Set {
        /// Of what
        target: Target,
        /// The value
        value: Value,
    },
    /// Notes a value that the kernel changes when those behind it are set; undo puts it back
    Follows {
        /// Of what
        target: Target,
    },
    /// Writes to a file of the kernel that keeps nothing
    Once {
        /// Its path
        path: String,
        /// What is written
        value: String,
    },
}

impl Change {
    /// Sets a file of the kernel.
    pub fn file(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Set {
            target: Target::file(path),
            value: Some(value.into()),
        }
    }

    /// How much memory the kernel keeps free, which it decides anew when memory comes or goes,
    /// and when huge pages are switched on or off.
    pub fn free_memory_follows() -> Self {
        Self::Follows {
            target: Target::file("/proc/sys/vm/min_free_kbytes"),
        }
    }
}

/// What could not be read or understood, in one line.
pub type Unreadable = String;

/// What checks see.
pub struct Context<'a> {
    /// The machine
    pub machine: &'a dyn Machine,
    /// What it is to be
    pub mode: Mode,
    /// Devices of PMEM that setup may change though their contents are lost
    pub dax: &'a [String],
}

impl Context<'_> {
    /// The trimmed text of a file; `None` if it is not there.
    pub fn read(&self, path: &str) -> Result<Option<String>, Unreadable> {
        match self.machine.read(path) {
            Ok(text) => Ok(Some(text.trim().to_string())),
            Err(error) if is_gone(error.kind()) => Ok(None),
            Err(error) => Err(said(path, &error)),
        }
    }

    /// The number in a file; `None` if it is not there.
    pub fn number(&self, path: &str) -> Result<Option<u64>, Unreadable> {
        self.read(path)?
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("{path}: has no number that makes sense"))
            })
            .transpose()
    }

    /// Names in a folder; none if it is not there.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Unreadable> {
        match self.machine.list(path) {
            Ok(names) => Ok(names),
            Err(error) if is_gone(error.kind()) => Ok(Vec::new()),
            Err(error) => Err(said(path, &error)),
        }
    }

    /// Whether a folder is there and not empty
    pub fn has(&self, path: &str) -> Result<bool, Unreadable> {
        Ok(!self.list(path)?.is_empty())
    }
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// One thing that an experiment needs.
pub trait Item {
    /// Its name, for --only and --skip
    fn name(&self) -> &'static str;
    /// Why an experiment needs it: a sentence without its full stop
    fn why(&self) -> &'static str;
    /// Whether nothing should be measured without it
    fn is_needed(&self, mode: Mode) -> bool {
        let _ = mode;
        true
    }
    /// Looks, and changes nothing.
    fn check(&self, context: &Context) -> Result<Verdict, Unreadable>;
    /// What is to be changed, in this order. Values that are as they should be may be among it.
    fn plan(&self, context: &Context) -> Result<Vec<Change>, Unreadable> {
        let _ = context;
        Ok(Vec::new())
    }
}
