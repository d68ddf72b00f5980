// SPDX-License-Identifier: GPL-2.0-or-later
//! tierd against mocked daemons, whose guests give back memory in their own time and only what
//! is free.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tiered_balloon_api::{Heat, Statistics};
use tiered_balloon_mock::Mock;

const M: u64 = 1 << 20;
const LATER: Duration = Duration::from_secs(60);

/// VMs of 256 MiB with a name each, and a configuration.
struct Host {
    folder: TempDir,
    vms: Vec<Mock>,
    interval: &'static str,
}

impl Host {
    /// A host whose VMs have that many MiB of fast memory, and use 128 MiB.
    fn new(fast: &[u64]) -> Self {
        let start = |&fast: &u64| {
            let vm = Mock::start(&[256 * M, 256 * M]);
            let mut state = vm.state();
            state.set(&[fast * M, (256 - fast) * M]);
            state.used = 128 * M;
            state.speed = M;
            drop(state);
            vm
        };
        Self {
            folder: TempDir::new().unwrap(),
            vms: fast.iter().map(start).collect(),
            interval: "200ms",
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tierd.toml")
    }

    /// Writes the configuration: policy, MiB of the tiers, and a line for each VM.
    fn configure(&self, policy: &str, tiers: [u64; 2], lines: &[&str]) {
        let [fast, slow] = tiers;
        let mut text = format!(
            "policy = \"{policy}\"\ninterval = \"{}\"\n\
             [tiers]\nfast = \"{fast}M\"\nslow = \"{slow}M\"\n",
            self.interval
        );
        for ((vm, line), name) in self.vms.iter().zip(lines).zip('a'..) {
            let api = vm.api();
            text += &format!(
                "[[vm]]\nname = \"{name}\"\napi = \"{}\"\nmemory = \"256M\"\n\
                 fast = {{ pxm = 0, floor = \"16M\" }}\nslow = {{ pxm = 1 }}\n{line}\n",
                api.display()
            );
        }
        fs::write(self.path(), text).unwrap();
    }

    fn run(&self, rest: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tierd"));
        let output = command.arg("--config").arg(self.path()).args(rest).output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.unwrap();
        Ran {
            code: status.code(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    fn start(&self) -> Running {
        // It must not outlive a test that is killed.
        let mut command = Command::new("setpriv");
        let tierd = [
            "--pdeathsig",
            "KILL",
            env!("CARGO_BIN_EXE_tierd"),
            "--config",
        ];
        let command = command.args(tierd).arg(self.path());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Running { child, lines }
    }

    /// MiB of fast memory that the VMs have.
    fn fast(&self) -> Vec<u64> {
        self.vms.iter().map(|vm| vm.state().given(0) / M).collect()
    }

    /// Waits until the VMs have that many MiB of fast memory, and checks all the time that no
    /// memory is given twice and that no VM is short of more than an exchange takes.
    fn wait_for(&self, tiers: [u64; 2], fast: &[u64]) {
        let start = Instant::now();
        while self.fast() != fast {
            assert!(
                start.elapsed() < LATER,
                "{:?} instead of {fast:?}",
                self.fast()
            );
            self.check(tiers);
            thread::sleep(Duration::from_millis(1));
        }
        self.check(tiers);
    }

    /// Waits until the VMs have of slow memory what they do not have of fast.
    fn wait_for_slow(&self) {
        let start = Instant::now();
        let whole = |vm: &Mock| {
            let state = vm.state();
            let targets = state.vm.nodes.iter().map(|node| node.target);
            state.given(0) + state.given(1) == 256 * M && targets.sum::<u64>() == 256 * M
        };
        while !self.vms.iter().all(whole) {
            assert!(start.elapsed() < LATER, "{:?}", self.fast());
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn check(&self, tiers: [u64; 2]) {
        let states: Vec<_> = self.vms.iter().map(Mock::state).collect();
        for (pxm, tier) in tiers.iter().enumerate() {
            let nodes = states.iter().map(|state| &state.vm.nodes[pxm]);
            let claims = nodes.map(|node| node.claim() / M).collect::<Vec<_>>();
            assert!(
                claims.iter().sum::<u64>() <= *tier,
                "tier {pxm}: {claims:?}"
            );
        }
        for state in &states {
            let targets = state.vm.nodes.iter().map(|node| node.target / M);
            assert!(targets.sum::<u64>() >= 256 - 4);
        }
    }

    /// Lets a guest tell that so many MiB are that hot, and the rest is not.
    fn heat(&self, vm: usize, hot: u64, heat: u64) {
        let stats = &mut self.vms[vm].state().stats;
        stats.age_ms = Some(10);
        stats.statistics = Some(Statistics {
            heat: vec![
                Heat {
                    pages: hot * M / 4096,
                    heat,
                },
                Heat {
                    pages: 256 * M / 4096,
                    heat: 1,
                },
            ],
            ..Default::default()
        });
    }
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Waits for a line of the log that has these words.
    fn says(&self, words: &str) {
        let end = Instant::now() + LATER;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect(words);
            if line.contains(words) {
                return;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(status.unwrap().success());
    }

    fn end(mut self) {
        self.signal("TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.says("VMs keep what they have");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn memory_follows_heat_and_is_never_given_twice() {
    // Both tiers are given away to the last byte.
    let tiers = [192, 576];
    let host = Host::new(&[64, 64, 64]);
    host.configure("utility", tiers, &["", "", ""]);
    host.heat(0, 128, 900_000);
    host.heat(1, 48, 500_000);
    host.heat(2, 200, 100);
    let tierd = host.start();
    host.wait_for(tiers, &[128, 48, 16]);
    host.heat(0, 32, 900_000);
    host.wait_for(tiers, &[32, 48, 112]);
    host.wait_for_slow();
    let set = |host: &Host| {
        host.vms
            .iter()
            .map(|vm| vm.state().log.len())
            .sum::<usize>()
    };
    let before = set(&host);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(set(&host), before, "nothing moves without a reason");
    tierd.end();
    assert_eq!(host.fast(), [32, 48, 112]);
}

#[test]
fn a_vm_that_is_silent_keeps_what_it_has() {
    let tiers = [256, 768];
    let host = Host::new(&[120, 60, 60]);
    host.configure("proportional", tiers, &["", "", "weight = 2"]);
    host.vms[0].state().mute = true;
    let tierd = host.start();
    tierd.says("a: keeps what it has: the daemon at ");
    // It may have all that it is allowed, which is all there is.
    tierd.says("nothing is divided: floors need 32M of fast memory, 0 is left");
    host.check(tiers);
    host.vms[0].state().mute = false;
    host.wait_for(tiers, &[64, 64, 128]);
    host.vms[0].state().mute = true;
    tierd.says("a: keeps what it has: the daemon at ");
    host.configure(
        "proportional",
        tiers,
        &["weight = 0.1", "weight = 1.5", "weight = 1.5"],
    );
    tierd.signal("HUP");
    host.wait_for(tiers, &[64, 96, 96]);
    host.vms[0].state().mute = false;
    tierd.says("a: answers again");
    host.wait_for(tiers, &[16, 120, 120]);
    tierd.end();
}

#[test]
fn a_vm_that_is_not_started_has_its_floor() {
    let tiers = [192, 1024];
    let mut host = Host::new(&[16, 64, 64]);
    host.interval = "5s";
    host.configure("proportional", tiers, &["", "", ""]);
    let started = host.vms.remove(0);
    let ran = {
        let api = started.api();
        fs::rename(&api, api.with_extension("away")).unwrap();
        host.run(&["--once"])
    };
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out
            .contains("a: keeps what it has: no daemon answers at "),
        "{}",
        ran.out
    );
    assert_eq!(host.fast(), [88, 88]);
    let api = started.api();
    fs::rename(api.with_extension("away"), &api).unwrap();
    assert_eq!(host.run(&["--once"]).code, Some(0));
    assert_eq!(host.fast(), [64, 64]);
    assert_eq!(started.state().given(0), 64 * M);
}

#[test]
fn a_vm_that_cannot_shrink_is_noticed_and_left_out() {
    let tiers = [192, 1024];
    let host = Host::new(&[128, 16, 48]);
    host.configure("proportional", tiers, &["", "", ""]);
    // What this guest uses cannot be moved.
    host.vms[0].state().speed = 0;
    assert_eq!(host.run(&["--once"]).code, Some(1));
    let tierd = host.start();
    tierd.says("a: cannot give back 64M of fast memory");
    host.wait_for(tiers, &[128, 32, 32]);
    host.vms[0].state().speed = M;
    host.wait_for(tiers, &[64, 64, 64]);
    tierd.end();
}

#[test]
fn what_the_host_has_not_got_back_is_not_given_again() {
    let tiers = [192, 1024];
    let host = Host::new(&[128, 16, 48]);
    host.configure("proportional", tiers, &["", "", ""]);
    host.vms[0].state().held[0] = 128 * M;
    let tierd = host.start();
    tierd.says("a: cannot give back 64M of fast memory");
    host.wait_for(tiers, &[64, 32, 32]);
    host.vms[0].state().held[0] = 0;
    host.wait_for(tiers, &[64, 64, 64]);
    tierd.end();
}

/// A VM that keeps slow memory gets what others give back slowly. Where there is no slow memory
/// to give them for it, they only lend a little.
#[test]
fn slow_memory_that_is_kept_matters_only_where_it_is_scarce() {
    for (slow, fast) in [(576 + 48, [64, 64, 64]), (576, [24, 84, 84])] {
        let host = Host::new(&[16, 88, 88]);
        host.configure("proportional", [192, slow], &["", "", ""]);
        host.vms[0].state().held[1] = 240 * M;
        for vm in &host.vms[1..] {
            vm.state().speed = M / 32;
        }
        let tierd = host.start();
        tierd.says("a: cannot give back ");
        thread::sleep(Duration::from_secs(8));
        host.check([192, slow]);
        let differs = host
            .fast()
            .into_iter()
            .zip(fast)
            .map(|(a, b): (u64, u64)| a.abs_diff(b));
        assert!(differs.max() <= Some(4), "{slow}: {:?}", host.fast());
        tierd.end();
    }
}

#[test]
fn a_target_whose_answer_is_lost_counts() {
    let tiers = [192, 1024];
    let host = Host::new(&[16, 64, 64]);
    // There are 48 MiB left for the first to grow, at once.
    host.configure("proportional", tiers, &["weight = 1000", "", ""]);
    host.vms[0].state().mute_after_set = true;
    let tierd = host.start();
    tierd.says("a: keeps what it has: the daemon at ");
    host.wait_for(tiers, &[64, 64, 64]);
    // The others must not have what it may have taken.
    thread::sleep(Duration::from_secs(1));
    host.check(tiers);
    assert_eq!(host.fast(), [64, 64, 64]);
    tierd.end();
}

#[test]
fn without_slow_memory_nothing_is_divided() {
    let tiers = [256, 576];
    let host = Host::new(&[16, 96, 96]);
    host.configure("proportional", tiers, &["", "", ""]);
    // The first has more than its memory, and does not give it back.
    let mut state = host.vms[0].state();
    state.set(&[16 * M, 256 * M]);
    state.speed = 0;
    drop(state);
    let tierd = host.start();
    tierd.says("of slow memory, 320M is left");
    host.check(tiers);
    host.vms[0].state().speed = M;
    host.wait_for(tiers, &[86, 86, 84]);
    tierd.says("memory is divided again");
    tierd.end();
}

#[test]
fn a_lie_is_no_curve() {
    let mut host = Host::new(&[64, 64]);
    host.interval = "20s";
    host.configure("utility", [128, 512], &["", ""]);
    host.heat(0, 200, u64::MAX);
    host.heat(1, 32, 10);
    let ran = host.run(&["--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("a: its curve of heat is not believed"),
        "{}",
        ran.err
    );
    assert_eq!(host.fast(), [64, 64]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut host = Host::new(&[64, 64]);
    host.interval = "20s";
    host.configure("static", [256, 512], &["", ""]);
    let text = fs::read_to_string(host.path()).unwrap();
    let text = text.replacen("\"16M\" }", "\"16M\", size = \"200M\" }", 1);
    fs::write(
        host.path(),
        text.replace("\"16M\" }", "\"16M\", size = \"50M\" }"),
    )
    .unwrap();
    let ran = host.run(&["--once", "--dry-run", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["vms"][0]["fast"]["share"], 200 * M);
    assert_eq!(report["vms"][1]["slow"]["share"], 206 * M);
    assert_eq!(report["fast"]["claimed"], 128 * M);
    let ran = host.run(&["--once", "--dry-run"]);
    let line: Vec<_> = ran.out.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(
        line,
        ["a", "1", "16M", "256M", "64M", "200M", "192M", "56M", "no"]
    );
    assert!(host.vms.iter().all(|vm| vm.state().log.is_empty()));

    let ran = host.run(&["--once", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["vms"][0]["fast"]["claim"], 200 * M);
    assert_eq!(host.fast(), [200, 50]);
}

#[test]
fn check_shows_what_a_configuration_allows() {
    let host = Host::new(&[64]);
    host.configure("utility", [100, 256], &["weight = 3"]);
    let ran = |config: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tierd"));
        command
            .args(["check", "--config", config])
            .output()
            .unwrap()
    };
    let good = ran(host.path().to_str().unwrap());
    assert!(good.status.success());
    let text = String::from_utf8(good.stdout).unwrap();
    let line: Vec<_> = text.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(line, ["a", "256M", "3", "16M", "256M", "-"]);

    host.configure("utility", [8, 256], &[""]);
    let bad = ran(host.path().to_str().unwrap());
    assert_eq!(bad.status.code(), Some(2));
    let line = String::from_utf8(bad.stderr).unwrap();
    assert!(
        line.contains("floors need 16M") && line.lines().count() == 1,
        "{line}"
    );
    let started = host.run(&[]);
    assert_eq!((started.code, started.err), (Some(2), line));
}

#[test]
fn a_bad_configuration_does_not_replace_a_good_one() {
    let tiers = [128, 512];
    let host = Host::new(&[64, 64]);
    host.configure("proportional", tiers, &["weight = 3", ""]);
    let tierd = host.start();
    host.wait_for(tiers, &[96, 32]);
    let good = fs::read_to_string(host.path()).unwrap();
    fs::write(
        host.path(),
        good.replace("weight = 3", "weight = 1\nwait = 1"),
    )
    .unwrap();
    tierd.signal("HUP");
    tierd.says("goes on as it was: ");
    fs::write(host.path(), good.replace("weight = 3", "weight = 1")).unwrap();
    tierd.signal("HUP");
    host.wait_for(tiers, &[64, 64]);
    tierd.end();
}

#[test]
fn bad_arguments_are_one_line() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierd"));
    let mut child = command
        .arg("--dry-run")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(
        line.starts_with("tierd: ") && line.lines().count() == 1,
        "{line}"
    );
}
