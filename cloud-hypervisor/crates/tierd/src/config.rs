// SPDX-License-Identifier: GPL-2.0-or-later
//! The configuration: a TOML file, read and checked as a whole. What is returned holds
//! together: every policy can do it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tiered_balloon_api::{Size, printable};

use crate::policy::{CHUNK, DEFAULT_HYSTERESIS, Entry, POLICIES, Settings};

/// What is wrong with a configuration; a line.
#[derive(Debug, Error)]
#[error("{}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(":{line}")))]
pub struct ConfigError {
    path: PathBuf,
    line: Option<usize>,
    message: String,
}

/// A configuration. Sizes are in chunks.
#[derive(Clone, Debug)]
pub struct Config {
    /// How memory is divided.
    pub policy: &'static Entry,
    /// What the policy is told.
    pub settings: Settings,
    /// Time from one division to the next.
    pub interval: Duration,
    /// Memory of each tier that the VMs together may have.
    pub tiers: Tiers<u64>,
    /// The VMs, at least one.
    pub vms: Vec<VmConfig>,
}

/// Something of each tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiers<T> {
    /// Of the fast one.
    pub fast: T,
    /// Of the slow one.
    pub slow: T,
}

/// A VM. Sizes are in chunks.
#[derive(Clone, Debug, PartialEq)]
pub struct VmConfig {
    /// What messages call it.
    pub name: String,
    /// API socket of its daemon.
    pub api: PathBuf,
    /// Memory of both tiers together.
    pub memory: u64,
    /// What it counts.
    pub weight: f64,
    /// Proximity domains of its nodes.
    pub pxm: Tiers<u32>,
    /// Fast memory that it has at least, and so that it has no more of the slow than it may.
    pub floor: u64,
    /// Fast memory that it has at most, and so that it has no less of the slow than it must.
    pub ceiling: u64,
    /// Fast memory that `static` gives it, within these.
    pub size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policy: String,
    #[serde(default = "five_seconds")]
    interval: String,
    #[serde(default = "default_hysteresis")]
    hysteresis: f64,
    tiers: FileTiers,
    #[serde(default)]
    vm: Vec<FileVm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTiers {
    fast: Size,
    slow: Size,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileVm {
    name: String,
    api: PathBuf,
    memory: Size,
    #[serde(default = "one")]
    weight: f64,
    fast: FileFast,
    slow: FileSlow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFast {
    pxm: u32,
    floor: Size,
    ceiling: Option<Size>,
    size: Option<Size>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSlow {
    pxm: u32,
    #[serde(default)]
    floor: Size,
    ceiling: Option<Size>,
}

fn five_seconds() -> String {
    "5s".into()
}

fn default_hysteresis() -> f64 {
    DEFAULT_HYSTERESIS
}

fn one() -> f64 {
    1.0
}

impl Config {
    /// Reads and checks the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |message: String, line| ConfigError {
            path: path.into(),
            line,
            message: printable(&message),
        };
        let text = fs::read_to_string(path).map_err(|e| error(e.to_string(), None))?;
        let file: File = toml::from_str(&text).map_err(|e| {
            let start = e.span().and_then(|span| text.get(..span.start));
            let line = start.map(|start| start.matches('\n').count() + 1);
            error(e.message().replace('\n', " "), line)
        })?;
        Config::try_from(file).map_err(|message| error(message, None))
    }
}

impl TryFrom<File> for Config {
    type Error = String;

    fn try_from(file: File) -> Result<Self, String> {
        let entry = POLICIES.iter().find(|entry| entry.name == file.policy);
        let policy = entry.ok_or_else(|| {
            let names: Vec<_> = POLICIES.iter().map(|entry| entry.name).collect();
            format!(
                "there is no policy '{}': choose from {}",
                file.policy,
                names.join(", ")
            )
        })?;
        let interval = humantime::parse_duration(&file.interval)
            .map_err(|error| format!("interval '{}': {error}", file.interval))?;
        let limits = Duration::from_millis(100)..=Duration::from_secs(3600);
        if !limits.contains(&interval) {
            return Err("interval must be from 100ms to 1h".into());
        }
        if !(0.0..=1.0).contains(&file.hysteresis) {
            return Err("hysteresis must be from 0 to 1".into());
        }
        let config = Self {
            policy,
            settings: Settings {
                hysteresis: file.hysteresis,
            },
            interval,
            tiers: Tiers {
                fast: chunks("tiers: fast", file.tiers.fast)?,
                slow: chunks("tiers: slow", file.tiers.slow)?,
            },
            vms: file.vm.into_iter().map(vm).collect::<Result<_, _>>()?,
        };
        config.check_names()?;
        config.check_sums()?;
        Ok(config)
    }
}

/// Chunks of a size that the configuration calls `what`.
fn chunks(what: &str, size: Size) -> Result<u64, String> {
    const MOST: u64 = 1 << 50;
    match size.0 {
        bytes if bytes % CHUNK != 0 => Err(format!("{what}: {size} is no multiple of 2M")),
        bytes if bytes > MOST => Err(format!("{what}: {size} is more than {}", Size(MOST))),
        bytes => Ok(bytes / CHUNK),
    }
}

/// A size as people write it.
fn text(chunks: u64) -> Size {
    Size(chunks * CHUNK)
}

fn vm(file: FileVm) -> Result<VmConfig, String> {
    let name = file.name;
    if name.is_empty() || name.len() > 64 || name != printable(&name) {
        let name = printable(&name);
        return Err(format!("'{name}' is no name for a VM: use 1 to 64 letters"));
    }
    let wrong = |message: String| format!("vm {name}: {message}");
    let size = |what: &str, size| chunks(what, size).map_err(wrong);
    let memory = size("memory", file.memory)?;
    if !(0.001..=1000.0).contains(&file.weight) {
        return Err(wrong("weight must be from 0.001 to 1000".into()));
    }
    if file.api.as_os_str().is_empty() {
        return Err(wrong("api is empty: name the socket of its daemon".into()));
    }
    if file.fast.pxm == file.slow.pxm {
        return Err(wrong("fast and slow have the same pxm".into()));
    }
    let or_memory = |what, limit: Option<Size>| limit.map_or(Ok(memory), |s| size(what, s));
    let fast_ceiling = or_memory("fast ceiling", file.fast.ceiling)?;
    let slow_ceiling = or_memory("slow ceiling", file.slow.ceiling)?;
    let slow_floor = size("slow floor", file.slow.floor)?;
    let floor = size("fast floor", file.fast.floor)?;
    let floor = floor.max(memory.saturating_sub(slow_ceiling));
    let ceiling = fast_ceiling.min(memory.saturating_sub(slow_floor));
    if floor > ceiling {
        return Err(wrong(format!(
            "with {} of memory, floors and ceilings ask for at least {} and at most {} of fast",
            text(memory),
            text(floor),
            text(ceiling)
        )));
    }
    let given = file.fast.size.map(|s| size("fast size", s)).transpose()?;
    if given.is_some_and(|size| !(floor..=ceiling).contains(&size)) {
        return Err(wrong(format!(
            "fast size must be from {} to {}",
            text(floor),
            text(ceiling)
        )));
    }
    Ok(VmConfig {
        api: file.api,
        memory,
        weight: file.weight,
        pxm: Tiers {
            fast: file.fast.pxm,
            slow: file.slow.pxm,
        },
        floor,
        ceiling,
        size: given,
        name,
    })
}

impl Config {
    fn check_names(&self) -> Result<(), String> {
        if self.vms.is_empty() {
            return Err("there is no [[vm]]".into());
        }
        let (mut names, mut sockets) = (BTreeSet::new(), BTreeSet::new());
        for vm in &self.vms {
            if !names.insert(&vm.name) {
                return Err(format!("two VMs are called {}", vm.name));
            }
            if !sockets.insert(&vm.api) {
                return Err(format!("vm {}: another VM has the same api", vm.name));
            }
        }
        Ok(())
    }

    /// Checks that the tiers have room for what the policy will give.
    fn check_sums(&self) -> Result<(), String> {
        let sum = |of: fn(&VmConfig) -> u64| self.vms.iter().map(of).sum::<u64>();
        let floors = sum(|vm| vm.floor);
        if floors > self.tiers.fast {
            return Err(format!(
                "the VMs' floors need {} of fast memory, and the tier has {}",
                text(floors),
                text(self.tiers.fast)
            ));
        }
        let fast = if self.policy.needs_sizes {
            if let Some(vm) = self.vms.iter().find(|vm| vm.size.is_none()) {
                return Err(format!(
                    "vm {}: policy {} needs a fast size",
                    vm.name, self.policy.name
                ));
            }
            let sizes = sum(|vm| vm.size.unwrap_or(0));
            if sizes > self.tiers.fast {
                return Err(format!(
                    "the VMs' sizes need {} of fast memory, and the tier has {}",
                    text(sizes),
                    text(self.tiers.fast)
                ));
            }
            sizes
        } else {
            sum(|vm| vm.ceiling).min(self.tiers.fast)
        };
        let slow = sum(|vm| vm.memory) - fast;
        if slow > self.tiers.slow {
            return Err(format!(
                "beside {} of fast memory the VMs need {} of slow, and the tier has {}",
                text(fast),
                text(slow),
                text(self.tiers.slow)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
policy = "utility"
[tiers]
fast = "4G"
slow = "16G"
[[vm]]
name = "a"
api = "/run/a"
memory = "8G"
weight = 2
fast = { pxm = 0, floor = "512M", ceiling = "3G", size = "1G" }
slow = { pxm = 1 }
[[vm]]
name = "b"
api = "/run/b"
memory = "4G"
fast = { pxm = 0, floor = 0, size = "2G" }
slow = { pxm = 1, floor = "1G", ceiling = "3G" }
"#;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("tierd.toml");
        fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| {
            let error = error.to_string();
            error
                .strip_prefix(&path.display().to_string())
                .unwrap()
                .to_string()
        })
    }

    #[test]
    fn slow_limits_are_limits_of_the_fast() {
        let config = read(GOOD).unwrap();
        let gib = (1 << 30) / CHUNK;
        assert_eq!(config.policy.name, "utility");
        assert_eq!(config.interval, Duration::from_secs(5));
        assert_eq!(
            (config.vms[0].floor, config.vms[0].ceiling),
            (gib / 2, 3 * gib)
        );
        assert_eq!((config.vms[1].floor, config.vms[1].ceiling), (gib, 3 * gib));
        assert_eq!((config.vms[0].weight, config.vms[1].weight), (2.0, 1.0));
    }

    #[test]
    fn bad_files_are_refused_with_a_line() {
        for (from, to, why) in [
            (
                "utility",
                "fair",
                ": there is no policy 'fair': choose from static, ",
            ),
            ("policy", "x = 1\npolicy", ":2: unknown field `x`"),
            ("\"4G\"", "\"4Q\"", ":4: '4Q' is no size"),
            ("\"4G\"", "-1", ":4: invalid value"),
            (
                "\"4G\"",
                "\"4097M\"",
                ": tiers: fast: 4097M is no multiple of 2M",
            ),
            ("\"4G\"", "\"2048P\"", ": tiers: fast: "),
            (
                "\"4G\"",
                "\"1G\"",
                ": the VMs' floors need 1536M of fast memory, and the tier has 1G",
            ),
            (
                "\"16G\"",
                "\"6G\"",
                ": beside 4G of fast memory the VMs need 8G of slow, and the tier has 6G",
            ),
            ("weight = 2", "weight = 0", ": vm a: weight must"),
            ("weight = 2", "weight = nan", ": vm a: weight must"),
            ("weight = 2", "weight = -inf", ": vm a: weight must"),
            (
                "slow = { pxm = 1 }",
                "slow = { pxm = 0 }",
                ": vm a: fast and slow have the same pxm",
            ),
            ("slow = { pxm = 1 }", "", ":6: missing field `slow`"),
            (
                "\"/run/b\"",
                "\"/run/a\"",
                ": vm b: another VM has the same api",
            ),
            ("\"/run/b\"", "\"\"", ": vm b: api is empty"),
            ("\"b\"", "\"a\"", ": two VMs are called a"),
            ("\"b\"", "\"\"", ": '' is no name"),
            ("\"b\"", "\"\\u001b\"", ": '\\u{1b}' is no name"),
            ("\"512M\"", "\"3G\", x = 1", ":11: unknown field `x`"),
            (
                "floor = \"512M\"",
                "floor = \"4G\"",
                ": vm a: with 8G of memory, floors and ceilings ask for at least 4G and at most 3G of fast",
            ),
            (
                "size = \"1G\"",
                "size = \"4G\"",
                ": vm a: fast size must be from 512M to 3G",
            ),
            (
                "policy = \"utility\"",
                "policy = \"utility\"\ninterval = \"0s\"",
                ": interval must",
            ),
            (
                "policy = \"utility\"",
                "policy = \"utility\"\ninterval = \"x\"",
                ": interval 'x': ",
            ),
            (
                "policy = \"utility\"",
                "policy = \"utility\"\nhysteresis = -0.1",
                ": hysteresis must",
            ),
            ("policy = \"utility\"", "policy =", ":2: "),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = read(&GOOD.replacen(from, to, 1)).map(drop).unwrap_err();
            assert!(error.starts_with(why), "{from} -> {to}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        let error = read("policy = \"utility\"\ntiers = { fast = 0, slow = 0 }");
        assert_eq!(error.map(drop).unwrap_err(), ": there is no [[vm]]");
        let error = Config::read(Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent: No such file"));
    }

    #[test]
    fn static_needs_sizes_that_fit() {
        let text = GOOD.replace("utility", "static");
        read(&text).unwrap();
        let error = read(&text.replace(", size = \"2G\"", ""))
            .map(drop)
            .unwrap_err();
        assert_eq!(error, ": vm b: policy static needs a fast size");
        let error = read(&text.replace("size = \"1G\"", "size = \"2050M\"")).map(drop);
        assert!(error.unwrap_err().contains("sizes need 4098M"));
        let error = read(&text.replace("\"16G\"", "\"8G\"")).map(drop);
        assert!(
            error
                .unwrap_err()
                .contains("beside 3G of fast memory the VMs need 9G")
        );
    }
}
