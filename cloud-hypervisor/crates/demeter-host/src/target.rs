// SPDX-License-Identifier: GPL-2.0-or-later
//! What can be changed and put back: one value each.

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::parse;

/// What a target is set to; `None` if a swap device is off, or a file of ours is not there.
pub type Value = Option<String>;

/// The limits of logins that setup writes
pub const LIMITS: &str = "/etc/security/limits.d/90-demeter.conf";
/// Priorities below 0 are the kernel's to choose.
const AUTOMATIC: &str = "automatic";

/// What has a value that can be changed and put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// A file in /proc/sys or /sys
    File {
        /// Its path
        path: String,
    },
    /// A swap device or file; its value is its priority
    Swap {
        /// Its path, as /proc/swaps has it
        device: String,
    },
    /// A dax device; its value is its mode
    Dax {
        /// Its name, such as dax0.0
        device: String,
    },
    /// A file of ours on disk; its value is its text
    Text {
        /// Its path
        path: String,
    },
}

impl Target {
    /// A file of the kernel
    pub fn file(path: impl Into<String>) -> Self {
        Self::File { path: path.into() }
    }

    /// Reads its value. Fails if it has none, as a device that is gone.
    pub fn get(&self, machine: &dyn Machine) -> Result<Value, String> {
        match self {
            Self::File { path } => {
                let text = machine.read(path).map_err(|error| said(path, &error))?;
                Ok(Some(parse::value(&text).to_string()))
            }
            Self::Swap { device } => {
                let swaps = swaps(machine)?.into_iter();
                let found = swaps.into_iter().find(|swap| swap.path == *device);
                Ok(found.map(|swap| match swap.priority {
                    ..0 => AUTOMATIC.to_string(),
                    priority => priority.to_string(),
                }))
            }
            Self::Dax { device } => dax_mode(machine, device).map(Some),
            Self::Text { path } => match machine.read(path) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(said(path, &error)),
            },
        }
    }

    /// Sets its value. Says what went wrong, and with what.
    pub fn set(&self, machine: &mut dyn Machine, value: &Value) -> Result<(), String> {
        let result = match (self, value) {
            (Self::File { path }, Some(value)) => machine.write(path, value),
            (Self::Swap { device }, None) => machine.run("swapoff", &[device]),
            (Self::Swap { device }, Some(priority)) if priority == AUTOMATIC => {
                machine.run("swapon", &[device])
            }
            (Self::Swap { device }, Some(priority)) => {
                machine.run("swapon", &["-p", priority, device])
            }
            (Self::Dax { device }, Some(mode)) => {
                let option = format!("--mode={mode}");
                let mut arguments = vec!["reconfigure-device", &option];
                if mode == "devdax" {
                    // takes its memory offline first
                    arguments.push("--force");
                }
                arguments.push(device);
                machine.run("daxctl", &arguments)
            }
            (Self::Text { path }, Some(text)) => machine.replace(path, text, 0o644),
            (Self::Text { path }, None) => machine.remove(path),
            (Self::File { .. } | Self::Dax { .. }, None) => Err(io::Error::other("has no value")),
        };
        result.map_err(|error| said(&self.to_string(), &error))
    }

    /// Whether its value is still there after a reboot
    pub fn survives_reboot(&self) -> bool {
        matches!(self, Self::Text { .. })
    }

    /// Whether what it holds is lost when it is changed, so that undo cannot bring it back
    pub fn loses_contents(&self, machine: &dyn Machine) -> bool {
        matches!(self, Self::Dax { device } if is_pmem(machine, device))
    }

    /// Whether it is one that setup may have changed
    pub fn is_known(&self) -> bool {
        match self {
            Self::File { path } => {
                let below = ["/proc/sys/", "/sys/"];
                below.iter().any(|folder| path.starts_with(folder))
                    && !path.split('/').any(|part| part == "..")
            }
            Self::Swap { device } => device.starts_with('/'),
            Self::Dax { device } => is_dax(device),
            Self::Text { path } => path == LIMITS,
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } | Self::Text { path } => f.write_str(path),
            Self::Swap { device } => write!(f, "swap {device}"),
            Self::Dax { device } => f.write_str(device),
        }
    }
}

/// What went wrong with something, without the number of the error
pub fn said(what: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    format!("{what}: {text}")
}

/// Swap that is on. A kernel without swap has none.
pub fn swaps(machine: &dyn Machine) -> Result<Vec<parse::Swap>, String> {
    const SWAPS: &str = "/proc/swaps";
    match machine.read(SWAPS) {
        Ok(text) => parse::swaps(&text).ok_or_else(|| format!("{SWAPS}: has a line that is none")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(said(SWAPS, &error)),
    }
}

/// Whether a name is one of a dax device: dax, number, dot, number
pub fn is_dax(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    name.strip_prefix("dax")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(region, device)| number(region) && number(device))
}

/// The mode of a dax device, by the driver that has it
fn dax_mode(machine: &dyn Machine, device: &str) -> Result<String, String> {
    let folder = format!("/sys/bus/dax/devices/{device}");
    // A device without a driver has no such link, but names are listed.
    let listed = machine
        .list("/sys/bus/dax/devices")
        .map_err(|error| said(&folder, &error))?;
    if !listed.iter().any(|name| name == device) {
        return Err(format!("{folder}: is not there"));
    }
    let path = format!("{folder}/driver");
    let driver = match machine.link(&path) {
        Ok(driver) => driver,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok("disabled".into()),
        Err(error) => return Err(said(&path, &error)),
    };
    Ok(match driver.rsplit('/').next() {
        Some("kmem") => "system-ram".into(),
        Some("device_dax") => "devdax".into(),
        _ => "unknown".into(),
    })
}

/// Whether a dax device is PMEM, whose data outlive a reboot. Volatile memory is that of the
/// kernel's drivers dax_hmem and dax_cxl, by the names of their devices; all else may be PMEM.
pub fn is_pmem(machine: &dyn Machine, device: &str) -> bool {
    let is_volatile = |path: String| {
        let mut parents = path.split('/');
        parents.any(|name| name.starts_with("hmem.") || name.starts_with("dax_region"))
    };
    let path = machine.link(&format!("/sys/bus/dax/devices/{device}"));
    !path.is_ok_and(is_volatile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_setup_changes_is_known() {
        let known = [
            Target::file("/proc/sys/vm/overcommit_memory"),
            Target::Swap {
                device: "/a b".into(),
            },
            Target::Dax {
                device: "dax10.2".into(),
            },
            Target::Text {
                path: LIMITS.into(),
            },
        ];
        assert!(known.iter().all(Target::is_known));
        let unknown = [
            Target::file("/etc/passwd"),
            Target::file("/sys/../etc/passwd"),
            Target::Swap {
                device: "-a".into(),
            },
            Target::Dax {
                device: "dax0.0/../x".into(),
            },
            Target::Dax {
                device: "--all".into(),
            },
            Target::Text {
                path: "/etc/passwd".into(),
            },
        ];
        assert!(!unknown.iter().any(Target::is_known));
    }

    #[test]
    fn errors_have_no_numbers() {
        let error = io::Error::from_raw_os_error(13);
        assert_eq!(said("/a", &error), "/a: Permission denied");
    }
}
