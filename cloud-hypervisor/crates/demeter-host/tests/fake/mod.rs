// SPDX-License-Identifier: GPL-2.0-or-later
//! A machine in memory, which does with values what the kernel does with them, and which can be
//! stopped before any change.

// Each program of tests uses some of it.
#![allow(dead_code, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};

use demeter_host::item::{Context, Item, Mode, Verdict};
use demeter_host::items::ITEMS;
use demeter_host::machine::Machine;

pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
pub const NO_TURBO: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
pub const OVERCOMMIT: &str = "/proc/sys/vm/overcommit_memory";
pub const FREE: &str = "/proc/sys/vm/min_free_kbytes";
pub const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
pub const JOURNAL: &str = "/var/lib/demeter/host.json";
pub const LIMITS: &str = "/etc/security/limits.d/90-demeter.conf";

/// Where the kernel has dax devices of memory that firmware reserves, of a CXL region, and of PMEM
pub const VOLATILE: &str = "platform/hmem.0";
pub const CXL: &str = "platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0";
pub const PMEM: &str = "LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0/dax0.1";

/// Frequency without turbo, in kHz
const BASE: u64 = 2_400_000;

#[derive(Debug, Clone, Default)]
pub struct Fake {
    pub files: BTreeMap<String, String>,
    pub links: BTreeMap<String, String>,
    /// Folders that are there though nothing is in them
    pub folders: BTreeSet<String>,
    /// Files and folders that may not be read
    pub denied: BTreeSet<String>,
    /// Files and programs that refuse to change something
    pub refused: BTreeSet<String>,
    /// What the kernel makes of any value of a file
    pub made: BTreeMap<String, String>,
    pub swaps: Vec<(String, i32)>,
    /// Changes that are left until the program is killed
    pub life: Option<usize>,
    /// Changes so far
    pub changes: usize,
}

fn missing() -> io::Error {
    ErrorKind::NotFound.into()
}

fn denied() -> io::Error {
    ErrorKind::PermissionDenied.into()
}

impl Fake {
    /// A server as its distribution leaves it: Intel, two processors, CXL memory as a device, swap.
    pub fn server() -> Self {
        let mut fake = Self::default();
        let mut file = |path: &str, text: &str| {
            fake.files.insert(path.into(), format!("{text}\n"));
        };
        file(BOOT_ID, "boot-1");
        file("/proc/sys/kernel/osrelease", "6.12.48-demeterhost");
        file("/proc/cpuinfo", "processor : 0\nflags : fpu vmx sse");
        file(
            "/proc/meminfo",
            "MemTotal: 1000000 kB\nActive(file): 100000 kB\nInactive(file): 100000 kB",
        );
        file(
            "/proc/self/limits",
            "Limit Soft Hard Units\nMax open files 1024 4096 files",
        );
        file("/proc/1/comm", "systemd");
        file("/proc/200/comm", "bash");
        file(OVERCOMMIT, "0");
        file(FREE, "4200");
        file("/proc/sys/vm/drop_caches", "0");
        file("/proc/sys/kernel/numa_balancing", "1");
        file("/proc/sys/vm/demote_scale_factor", "0");
        file("/proc/sys/fs/nr_open", "4096");
        file("/proc/sys/fs/file-max", "9223372036854775807");
        file("/sys/kernel/mm/numa/demotion_enabled", "false");
        file(THP, "always madvise [never]");
        file(
            "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
            "always within_size advise [never] deny force",
        );
        file("/sys/kernel/mm/ksm/run", "1");
        file("/sys/firmware/efi/fw_platform_size", "64");
        file("/dev/kvm", "");
        file("/sys/module/kvm/parameters/enable_pmu", "Y");
        file("/sys/module/kvm_intel/parameters/pebs_guest", "Y");
        file("/sys/bus/event_source/devices/cpu/caps/max_precise", "3");
        file(
            "/boot/efi/loader/entries/linux-6.12.48-demeterhost.conf",
            "",
        );
        file("/boot/efi/loader/entries/linux-6.12.48-tpphost.conf", "");
        file(
            "/sys/devices/virtual/memory_tiering/memory_tier4/nodelist",
            "0-1",
        );
        file(
            "/sys/devices/virtual/memory_tiering/memory_tier22/nodelist",
            "2",
        );
        file("/sys/devices/virtual/memory_tiering/uevent", "");
        file("/sys/devices/system/node/has_memory", "0,2");
        for (node, mib, ns) in [(0, 2048, 80), (2, 8192, 300)] {
            let folder = format!("/sys/devices/system/node/node{node}");
            file(
                &format!("{folder}/meminfo"),
                &format!("Node {node} MemTotal: {} kB", mib << 10),
            );
            let class = format!("{folder}/access0/initiators");
            file(&format!("{class}/read_latency"), &ns.to_string());
        }
        file("/sys/devices/system/node/node2/memory64/state", "online");
        file(
            "/sys/devices/system/node/node2/memory64/valid_zones",
            "Movable",
        );
        file("/sys/devices/system/memory/auto_online_blocks", "online");
        file(NO_TURBO, "0");
        for cpu in 0..2 {
            let policy = format!("/sys/devices/system/cpu/cpufreq/policy{cpu}");
            file(&format!("{policy}/scaling_governor"), "powersave");
            file(&format!("{policy}/energy_performance_preference"), "power");
            file(
                &format!("{policy}/scaling_available_governors"),
                "performance powersave",
            );
            file(&format!("{policy}/cpuinfo_min_freq"), "800000");
            file(&format!("{policy}/cpuinfo_max_freq"), "3500000");
            file(&format!("{policy}/scaling_min_freq"), "800000");
            file(&format!("{policy}/scaling_max_freq"), "3500000");
            file(&format!("{policy}/base_frequency"), &BASE.to_string());
        }
        fake.add_dax("dax0.0", VOLATILE);
        fake.folders.insert("/etc/security/limits.d".into());
        for process in [1, 200] {
            let folder = format!("/proc/{process}/fd");
            fake.links.insert(format!("{folder}/0"), "/dev/null".into());
        }
        fake.swaps = vec![
            ("/dev/dm-1".into(), -2),
            ("/swap file".into(), -3),
            ("/zram".into(), 100),
        ];
        fake
    }

    pub fn put(&mut self, path: &str, text: &str) {
        self.files.insert(path.into(), format!("{text}\n"));
    }

    pub fn at(&self, path: &str) -> &str {
        self.files[path].trim()
    }

    /// Deletes a file or a folder.
    pub fn delete(&mut self, path: &str) {
        let below = format!("{path}/");
        let is_in = |name: &String| name == path || name.starts_with(&below);
        let files = self.files.len() + self.links.len();
        self.files.retain(|name, _| !is_in(name));
        self.links.retain(|name, _| !is_in(name));
        self.folders.retain(|name| !is_in(name));
        assert!(self.files.len() + self.links.len() < files, "{path}");
    }

    /// Everything that can be seen of it, but for how it was stopped
    pub fn state(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let mut swaps = self.swaps.clone();
        swaps.sort();
        (self.files.clone(), self.links.clone(), swaps)
    }

    /// The kernel forgets what it was told; files on disk stay.
    pub fn reboot(&mut self, fresh: &Self, boot: &str) {
        let disk = |path: &&String| path.starts_with("/var/") || path.starts_with("/etc/");
        let kept = self.files.iter().filter(|(path, _)| disk(path));
        let kept: Vec<_> = kept.map(|(a, b)| (a.clone(), b.clone())).collect();
        self.files.clone_from(&fresh.files);
        self.files.extend(kept);
        self.links.clone_from(&fresh.links);
        self.swaps.clone_from(&fresh.swaps);
        self.put(BOOT_ID, boot);
    }

    pub fn check(&self, name: &str, mode: Mode) -> Verdict {
        let context = Context {
            machine: self,
            mode,
            dax: &[],
        };
        let result = item(name).check(&context);
        result.unwrap_or_else(|why| Verdict::not(why, "unreadable"))
    }

    /// A change begins: it is made if the program lives that long.
    fn step(&mut self) -> io::Result<()> {
        if let Some(life) = &mut self.life {
            if *life == 0 {
                return Err(io::Error::other("killed"));
            }
            *life -= 1;
        }
        self.changes += 1;
        Ok(())
    }

    fn swapoff(&mut self, device: &str) -> io::Result<()> {
        let at = self.swaps.iter().position(|(name, _)| name == device);
        let (_, gone) = self.swaps.remove(at.ok_or_else(missing)?);
        // The kernel closes the gap in its own priorities.
        for (_, priority) in &mut self.swaps {
            if gone < 0 && *priority < gone {
                *priority += 1;
            }
        }
        Ok(())
    }

    pub fn swapon_by_hand(&mut self, device: &str, priority: i32) {
        self.swapon(device, Some(&priority.to_string()));
    }

    fn swapon(&mut self, device: &str, priority: Option<&str>) {
        let of_kernel = self.swaps.iter().map(|(_, priority)| *priority);
        let least = of_kernel.min().unwrap_or(0).min(-1);
        let priority = priority.map_or(least - 1, |text| text.parse().unwrap());
        assert!(self.swaps.iter().all(|(name, _)| name != device));
        self.swaps.push((device.into(), priority));
    }
}

pub fn item(name: &str) -> &'static dyn Item {
    *ITEMS.iter().find(|item| item.name() == name).unwrap()
}

impl Machine for Fake {
    fn read(&self, path: &str) -> io::Result<String> {
        if self.denied.contains(path) {
            return Err(denied());
        }
        if path == "/proc/swaps" {
            let mut text = String::from("Filename Type Size Used Priority\n");
            for (name, priority) in &self.swaps {
                let name = name.replace('\\', "\\134").replace(' ', "\\040");
                text += &format!("{name}\tfile\t1\t0\t{priority}\n");
            }
            return Ok(text);
        }
        let text = self.files.get(path).ok_or_else(missing)?;
        // While turbo is off, limits above the base frequency show as that.
        if path.ends_with("_max_freq") && self.files.get(NO_TURBO).is_some_and(|t| t == "1\n") {
            let khz: u64 = text.trim().parse().unwrap();
            return Ok(format!("{}\n", khz.min(BASE)));
        }
        Ok(text.clone())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        if self.denied.contains(path) {
            return Err(denied());
        }
        let below = format!("{path}/");
        let all = self.files.keys().chain(self.links.keys());
        let names = all.filter_map(|name| name.strip_prefix(&below)?.split('/').next());
        let names: BTreeSet<_> = names.map(String::from).collect();
        if names.is_empty() && !self.folders.contains(path) {
            return Err(missing());
        }
        Ok(names.into_iter().collect())
    }

    fn link(&self, path: &str) -> io::Result<String> {
        self.links.get(path).cloned().ok_or_else(missing)
    }

    fn open(&self, path: &str) -> io::Result<()> {
        self.read(path).map(|_| ())
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        self.step()?;
        if self.refused.contains(path) {
            return Err(ErrorKind::InvalidInput.into());
        }
        let made = self.made.get(path).cloned();
        let text = self.files.get_mut(path).ok_or_else(missing)?;
        if path.ends_with("drop_caches") {
            return Ok(());
        }
        if text.contains('[') {
            let words = text.split_whitespace();
            let words = words.map(|word| word.trim_matches(['[', ']']));
            let words: Vec<_> = words
                .map(|word| match word == value {
                    true => format!("[{word}]"),
                    false => word.into(),
                })
                .collect();
            assert!(words.iter().any(|word| word.starts_with('[')), "{value}");
            *text = words.join(" ") + "\n";
        } else {
            *text = made.unwrap_or_else(|| value.into()) + "\n";
        }
        // What follows, and does not come back by itself
        if let Some(policy) = path.strip_suffix("scaling_governor") {
            self.put(
                &format!("{policy}energy_performance_preference"),
                "performance",
            );
        }
        if path == THP {
            self.put(FREE, if value == "never" { "4000" } else { "5000" });
        }
        Ok(())
    }

    fn replace(&mut self, path: &str, text: &str, _mode: u32) -> io::Result<()> {
        self.step()?;
        if self.refused.contains(path) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.files.insert(format!("{path}.new"), text.into());
        self.step()?;
        self.files.remove(&format!("{path}.new"));
        self.files.insert(path.into(), text.into());
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        self.step()?;
        self.files.remove(&format!("{path}.new"));
        self.step()?;
        self.files.remove(path);
        Ok(())
    }

    fn run(&mut self, program: &str, arguments: &[&str]) -> io::Result<()> {
        self.step()?;
        if self.refused.contains(program) {
            return Err(io::Error::other("refused"));
        }
        match (program, arguments) {
            ("swapoff", [device]) => self.swapoff(device)?,
            ("swapon", [device]) => self.swapon(device, None),
            ("swapon", ["-p", priority, device]) => self.swapon(device, Some(priority)),
            ("daxctl", ["reconfigure-device", "--mode=system-ram", device]) => {
                self.dax(device, "kmem");
            }
            ("daxctl", ["reconfigure-device", "--mode=devdax", "--force", device]) => {
                self.dax(device, "device_dax");
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

impl Fake {
    /// Adds a dax device that is no system RAM.
    pub fn add_dax(&mut self, device: &str, parent: &str) {
        let folder = format!("/sys/bus/dax/devices/{device}");
        self.put(&format!("{folder}/target_node"), "2");
        let driver = "../../../bus/dax/drivers/device_dax";
        self.links.insert(format!("{folder}/driver"), driver.into());
        let path = format!("../../../devices/{parent}/{device}");
        self.links.insert(folder, path);
    }

    pub fn dax(&mut self, device: &str, driver: &str) {
        let link = format!("/sys/bus/dax/devices/{device}/driver");
        let target = format!("../../../bus/dax/drivers/{driver}");
        assert!(self.links.insert(link, target).is_some());
        self.put(FREE, if driver == "kmem" { "6000" } else { "4000" });
    }
}
