// SPDX-License-Identifier: GPL-2.0-or-later
//! Each item: as it should be, not, not applicable, and unreadable.

mod fake;

use demeter_host::item::{Mode, Status};
use demeter_host::items::ITEMS;
use demeter_host::setup::{Options, setup};
use fake::{Fake, NO_TURBO, OVERCOMMIT, THP};

use Mode::{Demeterhost, Tpphost};
use Status::{Not, NotApplicable, Ok};

/// Checks an item: its status, a part of what it found, and a part of what to do.
#[track_caller]
fn check(fake: &Fake, name: &str, mode: Mode, status: Status, found: &str, todo: &str) {
    let verdict = fake.check(name, mode);
    assert_eq!(verdict.status, status, "{verdict:?}");
    assert!(verdict.found.contains(found), "{verdict:?}");
    assert!(verdict.todo.contains(todo), "{verdict:?}");
    assert_eq!(verdict.todo.is_empty(), status != Not, "{verdict:?}");
    assert!(!verdict.found.contains('\n') && !verdict.todo.contains('\n'));
}

fn set_up(mode: Mode) -> Fake {
    let mut fake = Fake::server();
    let options = Options {
        mode,
        dax: &[],
        dry_run: false,
        go_on: &|| true,
    };
    let done = setup(&mut fake, &ITEMS, &options).unwrap();
    assert!(done.is_complete(), "{:?}", done.complaints());
    fake
}

#[test]
fn a_server_is_ready_after_setup() {
    for mode in [Demeterhost, Tpphost] {
        let mut fake = set_up(mode);
        fake.put(
            "/proc/sys/kernel/osrelease",
            &format!("6.12.48-{}", mode.name()),
        );
        // what a new login and dropped caches do
        fake.put("/proc/self/limits", "Max open files 65536 65536 files");
        let few = "MemTotal: 1000000 kB\nActive(file): 9 kB\nInactive(file): 9 kB";
        fake.put("/proc/meminfo", few);
        for item in ITEMS {
            let verdict = fake.check(item.name(), mode);
            let wanted = if item.name() == "guest-pebs" && mode == Tpphost {
                NotApplicable
            } else {
                Ok
            };
            assert_eq!(verdict.status, wanted, "{}: {verdict:?}", item.name());
        }
    }
}

#[test]
fn items_say_why_in_one_line() {
    for item in ITEMS {
        assert!(!item.why().contains(['\n', '.']), "{}", item.why());
        assert!(item.why().len() > 30);
    }
}

#[test]
fn kernel() {
    let mut fake = Fake::server();
    check(
        &fake,
        "kernel",
        Demeterhost,
        Ok,
        "6.12.48-demeterhost runs",
        "",
    );
    check(
        &fake,
        "kernel",
        Tpphost,
        Not,
        "demeterhost runs",
        "-tpphost.conf",
    );
    fake.put("/proc/sys/kernel/osrelease", "6.12.48+deb13-amd64");
    check(
        &fake,
        "kernel",
        Demeterhost,
        Not,
        "amd64",
        "bootctl set-oneshot",
    );
    fake.delete("/proc/sys/kernel/osrelease");
    check(&fake, "kernel", Demeterhost, Not, "is not there", "");
}

#[test]
fn boot_entries() {
    let mut fake = Fake::server();
    let entries = "/boot/efi/loader/entries";
    check(&fake, "boot-entries", Demeterhost, Ok, "-tpphost.conf", "");
    fake.delete(&format!("{entries}/linux-6.12.48-tpphost.conf"));
    fake.put(&format!("{entries}/linux-6.12.48-tpphostile.conf"), "");
    check(
        &fake,
        "boot-entries",
        Demeterhost,
        Not,
        "no entry of tpphost",
        "make install",
    );
    // with a boot counter, in another place
    fake.put("/efi/loader/entries/linux-6.12.48-tpphost+2-1.conf", "");
    check(&fake, "boot-entries", Demeterhost, Ok, "tpphost+2-1", "");
    fake.denied.insert(entries.into());
    check(&fake, "boot-entries", Demeterhost, Not, "denied", "as root");
    fake.delete("/sys/firmware/efi");
    check(
        &fake,
        "boot-entries",
        Demeterhost,
        NotApplicable,
        "UEFI",
        "",
    );
}

#[test]
fn kvm() {
    let mut fake = Fake::server();
    check(&fake, "kvm", Demeterhost, Ok, "can be used", "");
    fake.denied.insert("/dev/kvm".into());
    check(
        &fake,
        "kvm",
        Demeterhost,
        Not,
        "/dev/kvm: permission denied",
        "group kvm",
    );
    fake.delete("/dev/kvm");
    check(&fake, "kvm", Demeterhost, Not, "no /dev/kvm", "modprobe");
    fake.put("/proc/cpuinfo", "flags : fpu");
    check(
        &fake,
        "kvm",
        Demeterhost,
        Not,
        "neither VT-x nor SVM",
        "firmware",
    );
    fake.denied.insert("/proc/cpuinfo".into());
    check(
        &fake,
        "kvm",
        Demeterhost,
        Not,
        "/proc/cpuinfo: permission denied",
        "",
    );
}

#[test]
fn guest_pebs() {
    let mut fake = Fake::server();
    let parameter = "/sys/module/kvm_intel/parameters/pebs_guest";
    let name = "guest-pebs";
    check(&fake, name, Demeterhost, Ok, "is on", "");
    check(&fake, name, Tpphost, NotApplicable, "sample nothing", "");
    fake.put("/sys/bus/event_source/devices/cpu/caps/max_precise", "0");
    check(&fake, name, Demeterhost, Not, "no PEBS", "firmware");
    fake.put(parameter, "N");
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "pebs_guest is off",
        "pebs_guest=1",
    );
    // of the vendor's module, or of kvm, as each kernel has it
    for module in ["kvm", "kvm_amd", "kvm_intel"] {
        let path = format!("/sys/module/{module}/parameters/enable_mediated_pmu");
        let advice = format!("boot with {module}.enable_mediated_pmu=0: ");
        fake.put(&path, "Y");
        check(&fake, name, Demeterhost, Not, &path, &advice);
        fake.delete(&path);
    }
    fake.put("/sys/module/kvm/parameters/enable_mediated_pmu", "?");
    check(&fake, name, Demeterhost, Not, "neither Y nor N", "");
    fake.put("/sys/module/kvm/parameters/enable_mediated_pmu", "N");
    fake.put("/sys/module/kvm/parameters/enable_pmu", "N");
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "enable_pmu is off",
        "enable_pmu=1",
    );
    fake.put("/sys/module/kvm/parameters/enable_pmu", "Y");
    // another kernel, which has no such parameter
    fake.delete(parameter);
    fake.put("/sys/module/kvm_intel/parameters/ept", "Y");
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "not there",
        "pebs_guest=1, on demeterhost",
    );
    fake.delete("/sys/module/kvm_intel");
    check(&fake, name, Demeterhost, Not, "KVM for Intel", "item kvm");
    fake.put("/sys/module/kvm_amd/parameters/npt", "Y");
    check(&fake, name, Demeterhost, NotApplicable, "AMD", "");
}

#[test]
fn vms() {
    let mut fake = Fake::server();
    check(&fake, "vms", Demeterhost, Ok, "none", "");
    fake.denied.insert("/proc/1/fd".into());
    check(&fake, "vms", Demeterhost, Ok, "that this user may see", "");
    fake.put("/proc/77/comm", "qemu-system-x86");
    fake.denied.insert("/proc/77/fd".into());
    fake.put("/proc/78/comm", "cloud-hyperviso");
    fake.put("/proc/79/comm", "odd\x1b[2J");
    fake.links
        .insert("/proc/79/fd/5".into(), "anon_inode:kvm-vm".into());
    fake.put("/proc/80/comm", "firecracker");
    fake.links.insert("/proc/80/fd/5".into(), "/dev/kvm".into());
    let all = "77 (qemu-system-x86), 78 (cloud-hyperviso), 79 (odd\x1b[2J), 80 (firecracker)";
    check(&fake, "vms", Demeterhost, Not, all, "shut");
    fake.denied.insert("/proc".into());
    check(
        &fake,
        "vms",
        Demeterhost,
        Not,
        "/proc: permission denied",
        "",
    );
}

#[test]
fn dax() {
    let mut fake = Fake::server();
    check(
        &fake,
        "dax",
        Demeterhost,
        Not,
        "dax0.0 is a device",
        "setup",
    );
    fake.dax("dax0.0", "kmem");
    check(&fake, "dax", Demeterhost, Ok, "dax0.0 is system RAM", "");
    let block = "/sys/devices/system/node/node2/memory64";
    fake.put(&format!("{block}/valid_zones"), "Normal Movable");
    check(
        &fake,
        "dax",
        Demeterhost,
        Not,
        "memory64 is not",
        "daxctl online-memory dax0.0",
    );
    fake.put(&format!("{block}/valid_zones"), "Movable");
    fake.put(&format!("{block}/state"), "offline");
    check(
        &fake,
        "dax",
        Demeterhost,
        Not,
        "memory64 is not",
        "daxctl online-memory dax0.0",
    );
    fake.dax("dax0.0", "other");
    check(&fake, "dax", Demeterhost, Not, "no driver", "kmem");
    fake.links.remove("/sys/bus/dax/devices/dax0.0/driver");
    check(&fake, "dax", Demeterhost, Not, "no driver", "kmem");
    // PMEM that holds a file system, and a place for a namespace
    fake.delete("/sys/bus/dax");
    fake.put("/sys/bus/nd/devices/namespace0.0/mode", "fsdax");
    fake.put("/sys/bus/nd/devices/namespace0.0/size", "1000");
    fake.put("/sys/bus/nd/devices/namespace0.1/mode", "raw");
    fake.put("/sys/bus/nd/devices/namespace0.1/size", "0");
    check(
        &fake,
        "dax",
        Demeterhost,
        Not,
        "but namespace0.0 (fsdax)",
        "deletes",
    );
    fake.put("/sys/bus/nd/devices/namespace0.0/mode", "devdax");
    check(
        &fake,
        "dax",
        Demeterhost,
        NotApplicable,
        "no dax device",
        "",
    );
    fake.denied.insert("/sys/bus/dax/devices".into());
    check(&fake, "dax", Demeterhost, Not, "permission denied", "");
}

/// Each device that setup would change, where these are named
fn devices_of_setup(fake: &Fake, named: &[&str]) -> Vec<String> {
    let dax: Vec<_> = named.iter().map(ToString::to_string).collect();
    let options = Options {
        mode: Demeterhost,
        dax: &dax,
        dry_run: true,
        go_on: &|| true,
    };
    let done = setup(&mut fake.clone(), &[fake::item("dax")], &options).unwrap();
    let devices = done.actions.into_iter();
    let devices = devices.filter(|action| action.target.starts_with("dax"));
    devices
        .map(|action| {
            let lost = if action.contents_lost { " lost" } else { "" };
            format!("{}{lost}", action.target)
        })
        .collect()
}

#[test]
fn pmem_is_changed_only_if_it_is_named() {
    let mut fake = Fake::server();
    for (device, parent) in [
        ("dax1.0", fake::CXL),
        ("dax2.0", fake::PMEM),
        ("dax3.0", "platform/e820_pmem/ndbus1/region1/dax1.1"),
        ("dax4.0", "platform/of_a_later_kernel"),
    ] {
        fake.add_dax(device, parent);
    }
    let volatile = ["dax0.0", "dax1.0"];
    assert_eq!(devices_of_setup(&fake, &[]), volatile);
    assert_eq!(devices_of_setup(&fake, &["dax0.0"]), volatile);
    assert_eq!(
        devices_of_setup(&fake, &["dax3.0", "dax2.0"]),
        ["dax0.0", "dax1.0", "dax2.0 lost", "dax3.0 lost"]
    );
    // one whose kind cannot be told
    fake.links.remove("/sys/bus/dax/devices/dax1.0");
    assert_eq!(devices_of_setup(&fake, &[]), ["dax0.0"]);
    assert_eq!(
        devices_of_setup(&fake, &["dax1.0"]),
        ["dax0.0", "dax1.0 lost"]
    );
}

#[test]
fn check_names_the_command_for_pmem() {
    let mut fake = Fake::server();
    fake.add_dax("dax1.0", fake::PMEM);
    fake.add_dax("dax2.0", fake::PMEM);
    let name = "dax";
    check(&fake, name, Demeterhost, Not, "dax0.0 is a device", "setup");
    // other memory is there, so that PMEM may keep what it holds
    fake.dax("dax0.0", "kmem");
    let found = "dax0.0 is system RAM; dax1.0, dax2.0 is PMEM";
    check(&fake, name, Demeterhost, Ok, found, "");
    fake.delete("/sys/bus/dax/devices/dax0.0");
    let todo = "'demeter-host setup --dax dax1.0 --dax dax2.0' makes it system RAM: its contents \
                are lost, and undo cannot bring them back";
    check(&fake, name, Demeterhost, Not, "may hold data", todo);
}

#[test]
fn devices_that_are_named_must_be_there() {
    let mut fake = Fake::server();
    fake.add_dax("dax1.0", fake::PMEM);
    fake.links.remove("/sys/bus/dax/devices/dax1.0/driver");
    let before = fake.state();
    for (device, why) in [
        ("dax7.0", "/sys/bus/dax/devices/dax7.0: is not there"),
        ("dax1.0", "dax1.0: has no driver that makes it memory"),
    ] {
        let options = Options {
            mode: Demeterhost,
            dax: &[device.into()],
            dry_run: false,
            go_on: &|| true,
        };
        let said = setup(&mut fake, &ITEMS, &options).unwrap_err();
        assert!(said.starts_with(why) && !said.contains('\n'), "{said}");
        assert_eq!(fake.state(), before);
    }
}

#[test]
fn tiers() {
    let mut fake = Fake::server();
    let all = "tier 4: node 0 (2048 MiB, 80 ns); tier 22: node 2 (8192 MiB, 300 ns)";
    check(&fake, "tiers", Demeterhost, Ok, all, "");
    fake.put("/sys/devices/system/node/has_memory", "0");
    check(
        &fake,
        "tiers",
        Demeterhost,
        Not,
        "in one (tier 4: node 0",
        "--skip tiers",
    );
    fake.put("/sys/devices/system/node/has_memory", "0-");
    check(&fake, "tiers", Demeterhost, Not, "no list of nodes", "");
    fake.delete("/sys/devices/virtual/memory_tiering");
    fake.delete("/sys/devices/system/node/has_memory");
    check(
        &fake,
        "tiers",
        Demeterhost,
        Not,
        "knows no memory tiers",
        "boot",
    );
}

#[test]
fn swap() {
    let mut fake = Fake::server();
    check(&fake, "swap", Demeterhost, Not, "/swap file", "setup");
    fake.swaps.push(("/old (deleted)".into(), -4));
    check(
        &fake,
        "swap",
        Demeterhost,
        Not,
        "/old (deleted)",
        "swapoff -a",
    );
    fake.swaps.clear();
    check(&fake, "swap", Demeterhost, Ok, "none", "");
    fake.denied.insert("/proc/swaps".into());
    check(
        &fake,
        "swap",
        Demeterhost,
        Not,
        "/proc/swaps: permission denied",
        "",
    );
}

#[test]
fn values() {
    let mut fake = Fake::server();
    check(
        &fake,
        "overcommit",
        Demeterhost,
        Not,
        "is 0, not 1",
        "setup",
    );
    fake.denied.insert(OVERCOMMIT.into());
    check(
        &fake,
        "overcommit",
        Demeterhost,
        Not,
        "permission denied",
        "",
    );
    fake.delete(OVERCOMMIT);
    fake.denied.clear();
    check(
        &fake,
        "overcommit",
        Demeterhost,
        Not,
        "is not there",
        "kernel that has it",
    );

    let balancing = "/proc/sys/kernel/numa_balancing";
    let name = "numa-balancing";
    check(&fake, name, Demeterhost, Not, "is 1, not 0", "setup");
    check(&fake, name, Tpphost, Not, "is 1, not 2", "setup");
    fake.put(balancing, "0");
    check(&fake, name, Demeterhost, Ok, "is 0", "");
    fake.delete(balancing);
    fake.delete("/sys/kernel/mm/numa/demotion_enabled");
    check(
        &fake,
        name,
        Demeterhost,
        NotApplicable,
        "moves no pages",
        "",
    );
    check(&fake, name, Tpphost, Not, "is not there", "tpphost");

    check(
        &fake,
        "huge-pages",
        Demeterhost,
        Not,
        "is never, not madvise",
        "setup",
    );
    fake.put(THP, "[always] madvise never");
    let shmem = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
    fake.put(shmem, "always [within_size] advise never deny force");
    check(&fake, "huge-pages", Demeterhost, Ok, "is always, ", "");
    fake.delete("/sys/kernel/mm/transparent_hugepage");
    check(
        &fake,
        "huge-pages",
        Tpphost,
        NotApplicable,
        "no transparent",
        "",
    );

    check(&fake, "ksm", Demeterhost, Not, "is 1, not 0", "setup");
    fake.delete("/sys/kernel/mm/ksm");
    check(&fake, "ksm", Demeterhost, NotApplicable, "merges no", "");
}

const CPUFREQ: &str = "/sys/devices/system/cpu/cpufreq";

#[test]
fn frequency() {
    let mut fake = Fake::server();
    let name = "frequency";
    check(&fake, name, Demeterhost, Not, "turbo is on", "setup");
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "2 of 2 may go from 800 to 3500 MHz",
        "",
    );
    fake.put(NO_TURBO, "1");
    for cpu in 0..2 {
        fake.put(
            &format!("{CPUFREQ}/policy{cpu}/scaling_min_freq"),
            "2400000",
        );
    }
    check(&fake, name, Demeterhost, Not, "2 of 2 governors", "setup");
    fake.put(
        &format!("{CPUFREQ}/policy0/scaling_governor"),
        "performance",
    );
    fake.put(
        &format!("{CPUFREQ}/policy1/scaling_governor"),
        "performance",
    );
    check(&fake, name, Demeterhost, Ok, "2400 MHz, no turbo", "");
    fake.denied
        .insert(format!("{CPUFREQ}/policy1/scaling_governor"));
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "governor: permission denied",
        "",
    );
    fake.denied.clear();
    fake.put(&format!("{CPUFREQ}/policy1/scaling_min_freq"), "<unknown>");
    check(&fake, name, Demeterhost, Not, "min_freq: has no number", "");
    fake.delete(&format!("{CPUFREQ}/policy1/scaling_min_freq"));
    check(&fake, name, Demeterhost, Not, "min_freq: is not there", "");
    fake.delete(CPUFREQ);
    check(&fake, name, Demeterhost, NotApplicable, "firmware", "");
}

/// Files and what is in them
type Files<'a> = &'a [(&'a str, &'a str)];

/// What setup makes of frequencies with other drivers: limits, governor, turbo
#[test]
fn frequencies_of_other_drivers() {
    let policy = format!("{CPUFREQ}/policy0");
    let boost = format!("{CPUFREQ}/boost");
    let available = format!("{policy}/scaling_available_frequencies");
    let nominal = "/sys/devices/system/cpu/cpu0/acpi_cppc/nominal_freq";
    let cases: [(&str, Files, &str); 6] = [
        // acpi-cpufreq lists what there is without boost
        (
            "listed",
            &[(&boost, "1"), (&available, "1500000 2200000 1000000")],
            "2200000",
        ),
        // amd-pstate: ACPI knows the nominal one, in MHz; boost is of policies in new kernels
        ("nominal", &[(&boost, "1"), (nominal, "2450")], "2450000"),
        (
            "boost of a policy",
            &[(&format!("{policy}/boost"), "1"), (nominal, "2450")],
            "2450000",
        ),
        // nonsense of firmware
        ("zero", &[(&boost, "1"), (nominal, "0")], "3500000"),
        (
            "too high",
            &[(&boost, "1"), (nominal, "99999999999999999")],
            "3500000",
        ),
        ("too low", &[(&boost, "1"), (&available, "x 1")], "800000"),
    ];
    for (case, files, khz) in cases {
        let mut fake = Fake::server();
        fake.delete("/sys/devices/system/cpu/intel_pstate");
        fake.delete(&format!("{CPUFREQ}/policy1"));
        fake.delete(&format!("{policy}/base_frequency"));
        fake.put(&format!("{CPUFREQ}/policyx/scaling_min_freq"), "is none");
        for (path, text) in files {
            fake.put(path, text);
        }
        let items = [fake::item("frequency")];
        let options = Options {
            mode: Demeterhost,
            dax: &[],
            dry_run: false,
            go_on: &|| true,
        };
        let done = setup(&mut fake, &items, &options).unwrap();
        assert!(done.is_complete(), "{case}: {:?}", done.failed);
        assert_eq!(
            fake.at(&format!("{policy}/scaling_max_freq")),
            khz,
            "{case}"
        );
        assert_eq!(
            fake.at(&format!("{policy}/scaling_min_freq")),
            khz,
            "{case}"
        );
        assert_eq!(
            fake.at(&format!("{policy}/scaling_governor")),
            "performance"
        );
        assert_eq!(fake.at(files[0].0), "0", "{case}");
        assert_eq!(fake.check("frequency", Demeterhost).status, Ok, "{case}");
    }
}

#[test]
fn open_files() {
    let mut fake = Fake::server();
    let name = "open-files";
    check(&fake, name, Demeterhost, Not, "nr_open is 4096", "setup");
    fake.put("/proc/sys/fs/nr_open", "1048576");
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "1024 for a process",
        "new logins",
    );
    fake.put(fake::LIMITS, "x");
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "1024 for a process",
        "log in again",
    );
    fake.delete(fake::LIMITS);
    fake.folders.clear();
    check(
        &fake,
        name,
        Demeterhost,
        Not,
        "1024 for a process",
        "ulimit -n 65536",
    );
    fake.put(
        "/proc/self/limits",
        "Max open files unlimited unlimited files",
    );
    check(&fake, name, Demeterhost, Ok, "for a process", "");
    fake.put("/proc/self/limits", "Max cpu time 1 1 s");
    check(&fake, name, Demeterhost, Not, "does not say", "");
    fake.put("/proc/sys/fs/nr_open", "-1");
    check(&fake, name, Demeterhost, Not, "nr_open: has no number", "");
}

#[test]
fn limits_do_not_lower_what_a_login_may_ask_for() {
    let text = |hard: &str| {
        let mut fake = Fake::server();
        fake.put(
            "/proc/self/limits",
            &format!("Max open files 1024 {hard} files"),
        );
        let options = Options {
            mode: Demeterhost,
            dax: &[],
            dry_run: false,
            go_on: &|| true,
        };
        setup(&mut fake, &[fake::item("open-files")], &options).unwrap();
        fake.files[fake::LIMITS].clone()
    };
    assert!(!text("524288").contains("hard"));
    assert!(text("4096").contains("* hard nofile 65536\n* soft nofile 65536\n"));
}

#[test]
fn caches() {
    let mut fake = Fake::server();
    check(
        &fake,
        "caches",
        Demeterhost,
        Not,
        "195 MiB of files",
        "setup",
    );
    fake.put("/proc/meminfo", "MemTotal: 1000000 kB\nActive(file): 1 kB");
    check(
        &fake,
        "caches",
        Demeterhost,
        Not,
        "does not say Inactive(file)",
        "",
    );
    fake.put(
        "/proc/meminfo",
        "MemTotal: 1000000 kB\nActive(file): 1024 kB\nInactive(file): 0 kB",
    );
    check(&fake, "caches", Demeterhost, Ok, "1 MiB", "");
}
