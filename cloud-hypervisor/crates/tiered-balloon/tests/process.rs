// SPDX-License-Identifier: GPL-2.0-or-later
//! The daemon as a process: what it refuses, what it leaves behind, and how it is shut in.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;
use tiered_balloon_testing::Daemon;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tiered-balloon");

/// Runs it with sockets in `folder`, and returns its status and what it says on stderr.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .current_dir(folder)
        .args(["--socket", "vm.sock", "--api", "vm.api"])
        .args(args)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"", "it is not ready");
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_is_done() {
    let folder = TempDir::new().unwrap();
    let many: Vec<String> = (0..16).map(|n| format!("--node={n}=1G")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cases: [(&[&str], &str); 14] = [
        (&[], "--node <PXM=SIZE>"),
        (&["--node", "1G"], "'1G' is no PXM=SIZE"),
        (&["--node", "0=x"], "'x' is no size"),
        (
            &["--node", "0=0"],
            "--node 0=0: a size is a multiple of 4096 and not 0",
        ),
        (&["--node", "0=4097"], "--node 0=4097: a size is"),
        (
            &["--node", "0=1G", "--node", "0=2G"],
            "--node 0=2G: node 0 was given before",
        ),
        (
            &["--node", "0=128P", "--node", "1=4K"],
            "--node 1=4K: all nodes together are too large",
        ),
        (&many, "16 nodes, at most 15 are possible"),
        (
            &["--node", "0=1G", "--target", "1=1G"],
            "--target 1=1G: there is no node 1",
        ),
        (
            &["--node", "0=1G", "--target", "0=2G"],
            "--target 0=2G: node 0: 2147483648 bytes",
        ),
        (
            &["--node", "0=1G", "--target", "0=1K"],
            "--target 0=1K: node 0: 1024 bytes",
        ),
        (
            &["--node", "0=1G", "--target", "0=1M", "--target", "0=2M"],
            "--target 0=2M: node 0 is named twice",
        ),
        (
            &["--node", "0=1G", "--statistics-interval", "0s"],
            "at least 10ms",
        ),
        (&["--node", "0=1G", "--log", "much"], "'much'"),
    ];
    for (args, why) in cases {
        let (status, said) = run(folder.path(), args);
        assert_eq!(status, Some(2), "{args:?}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with("tiered-balloon: ") && said.contains(why),
            "{said}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn sockets_of_others_are_left_alone() {
    let nodes = ["--node", "0=1G"];
    let first = Daemon::start(PROGRAM, &nodes);
    let (status, said) = run(first.folder(), &nodes);
    assert_eq!(status, Some(2));
    assert_eq!(
        said,
        "tiered-balloon: vm.sock: a process listens there already\n"
    );
    assert!(first.client().vm().is_ok());

    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    let _other = UnixListener::bind(path("vm.api")).unwrap();
    let (status, said) = run(folder.path(), &nodes);
    assert_eq!((status, said.lines().count()), (Some(2), 1));
    assert!(
        said.contains("vm.api: a process listens there already"),
        "{said}"
    );
    assert!(path("vm.api").exists() && !path("vm.sock").exists());

    fs::write(path("vm.sock"), "precious").unwrap();
    let (status, said) = run(folder.path(), &nodes);
    assert_eq!(status, Some(2));
    assert_eq!(
        said,
        "tiered-balloon: vm.sock: the file is there and is no socket\n"
    );
    assert_eq!(fs::read(path("vm.sock")).unwrap(), b"precious");

    let (status, said) = run(folder.path(), &["--node=0=1G", "--socket=/nowhere/x"]);
    assert_eq!((status, said.lines().count()), (Some(2), 1));
}

#[test]
fn what_a_dead_daemon_has_left_is_replaced() {
    let mut daemon = Daemon::start(PROGRAM, &["--node", "0=1G"]);
    daemon.kill_and_start();
    assert!(daemon.client().vm().is_ok());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(fs::read_dir(daemon.folder()).unwrap().count(), 0);
}

#[test]
fn all_threads_are_shut_in() {
    let status = |daemon: &Daemon| -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
        tasks
            .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
            .collect()
    };
    let daemon = Daemon::start(PROGRAM, &["--node", "0=1G"]);
    for thread in status(&daemon) {
        assert!(thread.contains("NoNewPrivs:\t1\n"), "{thread}");
        assert!(thread.contains("Seccomp:\t2\n"), "{thread}");
    }
    let daemon = Daemon::start(PROGRAM, &["--node", "0=1G", "--no-sandbox"]);
    assert!(
        status(&daemon)
            .iter()
            .all(|thread| thread.contains("Seccomp:\t0\n"))
    );
}

#[test]
fn help_has_command_lines_to_copy() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for line in [
        "vhost-user-device-pci",
        "--generic-vhost-user",
        "--node 1=5G",
    ] {
        assert!(help.contains(line), "{help}");
    }
}
