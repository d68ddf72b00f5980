// SPDX-License-Identifier: GPL-2.0-or-later
//! The program on a tree that looks like a machine, with programs of ours in the place of
//! swapoff, swapon and daxctl.

mod fake;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use fake::Fake;
use tempfile::TempDir;

const JOURNAL: &str = "var/lib/demeter/host.json";

struct Tree {
    folder: TempDir,
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn refused(&self, code: i32, why: &str) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.err.contains(why), "{}", self.err);
        assert!(self.err.starts_with("demeter-host: "), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
    }
}

impl Tree {
    fn new() -> Self {
        Self::of(&Fake::server())
    }

    fn of(server: &Fake) -> Self {
        let tree = Self {
            folder: TempDir::new().unwrap(),
        };
        for (path, target) in &server.links {
            let path = tree.path(path);
            let parent = path.parent().unwrap();
            if target.starts_with("..") {
                fs::create_dir_all(parent.join(target)).unwrap();
            }
            fs::create_dir_all(parent).unwrap();
            symlink(target, path).unwrap();
        }
        for (path, text) in &server.files {
            // A file does not choose a word of those that it offers, as the kernel's do.
            let text = match text.split_once('[') {
                Some((_, rest)) => format!("{}\n", rest.split(']').next().unwrap()),
                None => text.clone(),
            };
            tree.write(path, &text);
        }
        fs::create_dir_all(tree.path("/etc/security/limits.d")).unwrap();
        let swaps = "Filename Type Size Used Priority\n/dev/dm-1 partition 1 0 -2\n";
        tree.write("/proc/swaps", swaps);
        tree.program("swapoff", "sed -i '2d' $root/proc/swaps");
        tree.program("swapon", "echo \"$1 partition 1 0 -2\" >>$root/proc/swaps");
        tree.program(
            "daxctl",
            "case $2 in\n--mode=system-ram) driver=kmem ;;\n*) driver=device_dax ;;\nesac\n\
             for device; do :; done\n\
             ln -sfn ../../../bus/dax/drivers/$driver $root/sys/bus/dax/devices/$device/driver",
        );
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        let root = self.folder.path().display();
        self.write(
            &format!("/usr/sbin/{name}"),
            &format!("#!/bin/sh -e\nroot={root}\n{script}\n"),
        );
        let path = self.path(&format!("/usr/sbin/{name}"));
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demeter-host"));
        command
            .args(line.split(' '))
            .arg("--root")
            .arg(self.folder.path());
        command
    }

    fn run(&self, line: &str) -> Ran {
        ran(self.command(line).output().unwrap())
    }

    /// All files and links, but for programs
    fn state(&self) -> BTreeMap<PathBuf, String> {
        let mut state = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with("usr") {
                    continue;
                }
                let text = if path.is_symlink() {
                    fs::read_link(&path).unwrap().display().to_string()
                } else if path.is_dir() {
                    folders.push(path);
                    continue;
                } else {
                    fs::read_to_string(&path).unwrap()
                };
                state.insert(path, text);
            }
        }
        state
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn check_says_what_is_missing() {
    let tree = Tree::new();
    let before = tree.state();
    let ran = tree.run("check");
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].starts_with("ok  kernel          6.12.48-demeterhost runs"));
    let swap = lines.iter().position(|line| line.starts_with("not swap"));
    let swap = swap.unwrap();
    assert!(lines[swap].ends_with(" /dev/dm-1 is on"), "{}", lines[swap]);
    let wanted = "slow tier were that slow: 'demeter-host setup' does that";
    assert!(lines[swap + 1].ends_with(wanted), "{}", lines[swap + 1]);
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("not ready to be a demeterhost: dax, swap, ")
    );
    assert_eq!(tree.state(), before);

    let ran = tree.run("check --json --mode tpphost --only swap,guest-pebs");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &json["ok"]), (Some(1), &false.into()));
    assert_eq!(json["mode"], "tpphost");
    assert_eq!(json["items"][0]["name"], "guest-pebs");
    assert_eq!(json["items"][0]["status"], "not applicable");
    assert_eq!(json["items"][1]["status"], "not");
    assert_eq!(json["items"][1]["needed"], true);

    let ran = tree.run("check --only kernel,kvm");
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.ends_with("ready to be a demeterhost\n"));
}

#[test]
fn names_do_not_write_to_the_terminal() {
    let tree = Tree::new();
    tree.write("/proc/77/comm", "qemu-system\x1b[2J\n");
    let ran = tree.run("check --only vms");
    assert!(ran.out.contains("77 (qemu-system?[2J)"), "{}", ran.out);
    tree.write("/proc/swaps", "Filename\n/a\x1b[2J\\012b file 1 0 -2\n");
    let ran = tree.run("setup --only swap");
    assert!(
        ran.out.contains("swap /a?[2J?b: automatic"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn the_mode_is_that_of_the_kernel() {
    let tree = Tree::new();
    tree.write("/proc/sys/kernel/osrelease", "6.12.48-tpphost\n");
    let ran = tree.run("check --only kernel");
    assert!(ran.out.ends_with("ready to be a tpphost\n"), "{}", ran.out);
    let ran = tree.run("setup --only numa-balancing --json");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["actions"][0]["after"], "2");
}

#[test]
fn setup_and_undo() {
    let tree = Tree::new();
    let before = tree.state();
    let would = tree.run("setup --dry-run --skip caches");
    assert_eq!((would.code, would.err.as_str()), (Some(0), ""));
    assert!(
        would.out.ends_with(" changes would be made\n"),
        "{}",
        would.out
    );
    assert_eq!(tree.state(), before);

    let ran = tree.run("setup --skip caches");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for line in [
        "dax             dax0.0: devdax -> system-ram\n",
        "swap            swap /dev/dm-1: automatic -> nothing\n",
        "cpu/cpufreq/policy*/scaling_min_freq: 800000 -> 2400000 (2 times)\n",
        "limits.d/90-demeter.conf: nothing -> a file of 5 lines\n",
        " changes made; 'demeter-host undo' puts back the settings\n",
    ] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
    let mode = |path| fs::metadata(tree.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(JOURNAL), 0o600);
    assert_eq!(mode("var/lib/demeter"), 0o700);
    assert_eq!(mode("etc/security/limits.d/90-demeter.conf"), 0o644);
    let only = "swap,overcommit,huge-pages,ksm,frequency,dax,numa-balancing";
    assert_eq!(tree.run(&format!("check --only {only}")).code, Some(0));

    let ran = tree.run("undo");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(tree.state(), before);
    let ran = tree.run("undo");
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "0 changes undone\n")
    );
}

#[test]
fn pmem_loses_its_contents_only_if_it_is_named() {
    let mut server = Fake::server();
    server.add_dax("dax1.0", fake::PMEM);
    let tree = Tree::of(&server);
    let before = tree.state();
    let ran = tree.run("setup --only dax");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains("dax0.0") && !ran.out.contains("dax1.0"));
    assert_eq!(tree.run("undo").code, Some(0));
    assert_eq!(tree.state(), before);

    let lost = "; its contents are lost, and undo cannot bring them back\n";
    let changed = format!("dax1.0: devdax -> system-ram{lost}");
    let line = "setup --only dax --dax dax1.0";
    let would = tree.run(&format!("{line} --dry-run"));
    assert!(would.out.contains(&changed), "{}", would.out);
    assert_eq!(tree.state(), before);
    let json = tree.run(&format!("{line} --dry-run --json")).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let actions = json["actions"].as_array().unwrap().iter();
    let of_pmem = actions.filter(|action| action["contents_lost"] == true);
    let of_pmem: Vec<_> = of_pmem.map(|action| &action["target"]).collect();
    assert_eq!(of_pmem, ["dax1.0"]);

    let ran = tree.run(line);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains(&changed), "{}", ran.out);
    assert_eq!(ran.out.matches(lost).count(), 1, "{}", ran.out);
    let ran = tree.run("undo");
    let back = format!("dax1.0: system-ram -> devdax{lost}");
    assert!(ran.out.contains(&back), "{}", ran.out);
    assert_eq!(tree.state(), before);
}

#[test]
fn killed_between_journal_and_change() {
    for script in [
        "kill -9 $PPID",
        "sed -i \"\\#^$1 #d\" $root/proc/swaps; kill -9 $PPID",
    ] {
        let tree = Tree::new();
        let before = tree.state();
        tree.program("swapoff", script);
        let ran = tree.run("setup --skip caches");
        assert_eq!(ran.code, None);
        let journal = fs::read_to_string(tree.path(JOURNAL)).unwrap();
        assert!(journal.contains("/dev/dm-1") && !journal.contains("overcommit"));
        let ran = tree.run("undo");
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert_eq!(tree.state(), before);
    }
}

#[test]
fn a_signal_lets_it_say_what_it_did() {
    let tree = Tree::new();
    let before = tree.state();
    tree.program(
        "swapoff",
        "kill -TERM $PPID; sed -i \"\\#^$1 #d\" $root/proc/swaps",
    );
    let ran = tree.run("setup --skip caches");
    ran.refused(1, "interrupted: 'demeter-host undo' puts back");
    assert!(ran.out.contains("swap /dev/dm-1") && !ran.out.contains("overcommit"));
    assert_eq!(tree.run("undo").code, Some(0));
    assert_eq!(tree.state(), before);
}

#[test]
fn only_one_at_a_time() {
    let tree = Tree::new();
    let before = tree.state();
    tree.program(
        "swapoff",
        "touch $root/usr/begun\nwhile ! [ -e $root/usr/go ]; do sleep 0.01; done\n\
         sed -i \"\\#^$1 #d\" $root/proc/swaps",
    );
    let mut command = tree.command("setup --skip caches");
    let mut first = command.stdout(Stdio::null()).spawn().unwrap();
    wait_for(|| tree.path("usr/begun").exists());
    tree.run("setup")
        .refused(1, "another setup or undo is running");
    tree.run("undo")
        .refused(1, "another setup or undo is running");
    fs::write(tree.path("usr/go"), "").unwrap();
    assert!(first.wait().unwrap().success());
    assert_eq!(tree.run("undo").code, Some(0));
    assert_eq!(tree.state(), before);
}

#[test]
fn what_fails_is_one_line_each() {
    let tree = Tree::new();
    let before = tree.state();
    tree.program("swapoff", "echo 'swapoff: /dev/dm-1: busy' >&2; exit 1");
    let ran = tree.run("setup --only swap");
    ran.refused(1, "swap /dev/dm-1: swapoff: /dev/dm-1: busy");
    fs::remove_file(tree.path("usr/sbin/swapoff")).unwrap();
    tree.run("setup --only swap")
        .refused(1, "swapoff is not installed");
    assert_eq!(tree.state(), before);

    tree.run("setup --only overcommit");
    tree.write("/proc/sys/vm/overcommit_memory", "2\n");
    let why = "overcommit_memory: somebody has set 2 since";
    tree.run("undo").refused(1, why);
    let ran = tree.run("undo --force");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(tree.state(), before);
}

#[test]
fn a_journal_that_is_not_to_be_trusted() {
    let tree = Tree::new();
    tree.write(JOURNAL, "{\"version\": 1, \"records\": 5}");
    let before = tree.state();
    let folder = tree.path("var/lib/demeter");
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    for line in ["setup", "undo", "undo --force"] {
        tree.run(line).refused(1, "is no journal of this version");
    }
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    for line in ["setup", "undo"] {
        tree.run(line).refused(1, "others may write to it");
    }
    assert_eq!(tree.state(), before);
}

#[test]
fn bad_input_is_one_line() {
    let tree = Tree::new();
    let before = tree.state();
    for (line, why) in [
        ("setup --only nothing", "'nothing'"),
        ("check --only swap --skip ksm", "cannot be used with"),
        ("undo --mode tpphost", "unexpected argument"),
        ("setup --dax /dev/dax0.0", "dax devices are called dax0.0"),
        ("setup --dax dax0.0 --skip dax", "--dax is for item dax"),
        ("setup --dax dax0.0 --only swap", "--dax is for item dax"),
        ("other", "unrecognized subcommand 'other'"),
    ] {
        tree.run(line).refused(2, why);
    }
    tree.run("setup --dax dax7.0")
        .refused(1, "dax7.0: is not there");
    assert_eq!(tree.state(), before);
}

#[test]
fn containers_are_refused() {
    let first = [
        ("/proc/self/ns/pid", "pid:[4026531836]"),
        ("/proc/self/ns/user", "user:[4026531837]"),
    ];
    let mut server = Fake::server();
    for (path, namespace) in first {
        server.links.insert(path.into(), namespace.into());
    }
    let line = "setup --only overcommit";
    assert_eq!(Tree::of(&server).run(line).code, Some(0));

    let mut containers = Vec::new();
    for (path, namespace) in first {
        let mut container = server.clone();
        let other = namespace.replace("40265318", "40265322");
        container.links.insert(path.into(), other);
        containers.push(container);
    }
    for path in [
        "/.dockerenv",
        "/run/.containerenv",
        "/run/systemd/container",
    ] {
        let mut container = server.clone();
        container.put(path, "");
        containers.push(container);
    }
    for container in containers {
        let tree = Tree::of(&container);
        let before = tree.state();
        for line in [line, "undo"] {
            tree.run(line).refused(1, "this is a container");
        }
        assert_eq!(tree.run(&format!("{line} --dry-run")).code, Some(0));
        assert_eq!(tree.run("check --only kernel").code, Some(0));
        assert_eq!(tree.state(), before);
    }
}

#[test]
fn only_root_may_change_the_machine() {
    // where everybody may run it
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("demeter-host");
    fs::copy(env!("CARGO_BIN_EXE_demeter-host"), &program).unwrap();
    let run = |line: &str| {
        let mut command = Command::new(&program);
        command.args(line.split(' ')).current_dir("/");
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.uid(65534).gid(65534);
        }
        ran(command.output().unwrap())
    };
    for line in ["setup", "undo", "undo --force"] {
        run(line).refused(
            1,
            "only root may change the machine: use sudo, or --dry-run",
        );
    }
    let ran = run("check --json");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 15);
    let ran = run("setup --dry-run --only overcommit");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}
