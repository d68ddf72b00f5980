// SPDX-License-Identifier: GPL-2.0-or-later
//! tierctl against mocked daemons.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use serde_json::Value;
use tiered_balloon_api::{Heat, Node, NodeStatistics, Statistics};
use tiered_balloon_mock::Mock;

const MIB: u64 = 1 << 20;

fn command(api: &[&Path], rest: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierctl"));
    for api in api {
        command.arg("--api").arg(api);
    }
    command.args(rest);
    command
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(api: &[&Path], rest: &[&str]) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command(api, rest).output().unwrap();
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn json<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn status_shows_nodes() {
    let mock = Mock::start(&[512 * MIB, 4096 * MIB]);
    mock.state().set(&[128 * MIB, 4096 * MIB]);
    let ran = run(&[&mock.api()], &["status"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert!(
        lines[0].ends_with(&["driver", "1", "(statistics)"]),
        "{}",
        ran.out
    );
    assert_eq!(
        lines[1],
        ["PXM", "SIZE", "TARGET", "GUEST", "BALLOON", "HOST"]
    );
    assert_eq!(lines[2], ["0", "512M", "128M", "128M", "384M", "128M"]);
    assert_eq!(lines[3], ["1", "4G", "4G", "4G", "0", "4G"]);
}

#[test]
fn several_vms_are_shown_whoever_fails() {
    let (a, b) = (Mock::start(&[MIB]), Mock::start(&[2 * MIB]));
    let none = a.folder().join("none");
    let ran = run(&[&a.api(), &none, &b.api()], &["status", "--json"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.err.lines().count(), 1);
    assert!(
        ran.err.starts_with("tierctl: no daemon answers at "),
        "{}",
        ran.err
    );
    let list: Vec<Value> = json(&ran.out);
    assert_eq!(list[0]["nodes"][0]["bytes"], MIB);
    assert_eq!(list[0]["api"], a.api().to_str().unwrap());
    assert!(list[1]["error"].as_str().unwrap().starts_with("no daemon"));
    assert_eq!(list[2]["nodes"][0]["bytes"], 2 * MIB);
    let ran = run(&[&a.api(), &none, &b.api()], &["status"]);
    assert!(
        ran.out.contains(&format!("{}:\n", b.api().display())),
        "{}",
        ran.out
    );
}

#[test]
fn resize_waits_for_the_guest() {
    let mock = Mock::start(&[512 * MIB, 1024 * MIB]);
    mock.state().speed = 2 * MIB;
    let ran = run(&[&mock.api()], &["resize", "0=200M", "1=1000M", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let nodes: Vec<Node> = json(&ran.out);
    assert_eq!(nodes[0].given(), 200 * MIB);
    assert_eq!(nodes[1].given(), 1000 * MIB);
    assert_eq!(mock.state().log.len(), 1);
    let ran = run(&[&mock.api()], &["resize", "0=512M"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(mock.state().given(0), 512 * MIB);
}

#[test]
fn resize_says_what_is_missing() {
    let mock = Mock::start(&[512 * MIB]);
    mock.state().used = 300 * MIB;
    let ran = run(&[&mock.api()], &["resize", "0=200M", "--timeout", "300ms"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.err,
        "tierctl: after 300ms, node 0 has 100M more than 200M\n"
    );
    assert!(ran.out.contains("300M"), "{}", ran.out);

    mock.state().vm.driver = None;
    let ran = run(&[&mock.api()], &["resize", "0=100M", "--timeout", "1h"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("the guest has no driver that follows"),
        "{}",
        ran.err
    );

    mock.state().vm.connected = false;
    let ran = run(&[&mock.api()], &["resize", "0=60M", "--timeout", "1h"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err
            .contains("the targets are set, but no hypervisor is connected: "),
        "{}",
        ran.err
    );

    let ran = run(&[&mock.api()], &["resize", "0=50M", "--no-wait"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(mock.state().vm.nodes[0].target, 50 * MIB);
}

#[test]
fn a_bad_resize_changes_nothing() {
    let mock = Mock::start(&[512 * MIB, 512 * MIB]);
    for (nodes, code, why) in [
        (&["0=1M", "7=1M"][..], 1, "there is no node 7"),
        (&["0=1M", "1=1G"], 1, "node 1 cannot have that"),
        (&["0=1M", "0=2M"], 2, "a node is named twice"),
        (&["0=1M", "1=x"], 2, "write 512M"),
    ] {
        let rest: Vec<&str> = ["resize"].iter().chain(nodes).copied().collect();
        let ran = run(&[&mock.api()], &rest);
        assert_eq!(ran.code, Some(code), "{nodes:?}: {}", ran.err);
        assert!(
            ran.err.contains(why) && ran.err.lines().count() == 1,
            "{}",
            ran.err
        );
        assert_eq!(ran.out, "");
        assert!(mock.state().log.is_empty());
    }
}

#[test]
fn stats_show_the_guest_and_the_daemon() {
    let mock = Mock::start(&[512 * MIB]);
    let ran = run(&[&mock.api()], &["stats"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.out.starts_with("The guest has sent no statistics."),
        "{}",
        ran.out
    );

    let mut state = mock.state();
    state.stats.age_ms = Some(1500);
    state.stats.statistics = Some(Statistics {
        promoted: 4711,
        psi_some_us: 2_000_000,
        heat: vec![Heat {
            pages: 256,
            heat: 3 << 9,
        }],
        nodes: vec![NodeStatistics {
            pxm: 3,
            free: 512,
            ..Default::default()
        }],
        ..Default::default()
    });
    state.stats.bad.insert("bad \x1b range".into(), 9);
    state.stats.bad.insert("node".into(), 0);
    drop(state);
    let ran = run(&[&mock.api()], &["stats"]);
    for line in [
        "age 1s 500ms",
        "some task waited 2s",
        "promoted 4711",
        "3 0 2M 0 0 0 0",
        "1M 1.500",
        r"bad \u{1b} range 9",
    ] {
        let mut lines = ran.out.lines();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(lines.any(|l| words(l) == line), "{line}: {}", ran.out);
    }
    assert!(!ran.out.contains("node"), "{}", ran.out);
    let list: Vec<Value> = json(&run(&[&mock.api()], &["stats", "--json"]).out);
    assert_eq!(list[0]["statistics"]["promoted"], 4711);
}

#[test]
fn watch_goes_on_until_nobody_reads() {
    let mock = Mock::start(&[MIB]);
    let mut watch = command(&[&mock.api()], &["watch", "--interval", "10ms", "--json"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for target in [MIB, MIB / 2] {
        mock.state().set(&[target]);
        let seen = lines.by_ref().any(|line| {
            let list: Vec<Value> = json(&line.unwrap());
            list[0]["nodes"][0]["target"] == target
        });
        assert!(seen);
    }
    drop(lines);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn bad_arguments_are_one_line() {
    for rest in [
        &["status"][..],
        &["--api", "x"],
        &["frobnicate"],
        &["--api", "x", "watch", "-q"],
    ] {
        let ran = run(&[], rest);
        assert_eq!(ran.code, Some(2), "{rest:?}");
        assert!(
            ran.err.starts_with("tierctl: ") && ran.err.lines().count() == 1,
            "{}",
            ran.err
        );
    }
    let ran = run(&[], &["--help"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("Examples:"));
}
