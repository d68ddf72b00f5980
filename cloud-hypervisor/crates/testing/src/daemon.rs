// SPDX-License-Identifier: GPL-2.0-or-later
//! The daemon as a process, in a folder of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tiered_balloon_api::Client;

const LIMIT: Duration = Duration::from_secs(60);

/// A daemon, which is killed when it is dropped.
pub struct Daemon {
    child: Child,
    program: PathBuf,
    args: Vec<String>,
    folder: TempDir,
}

impl Daemon {
    /// Starts `program` with its sockets and more arguments, and waits until it is ready.
    pub fn start(program: impl Into<PathBuf>, args: &[&str]) -> Daemon {
        let folder = TempDir::new().unwrap();
        let program = program.into();
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let child = spawn(&program, folder.path(), &args);
        Daemon {
            child,
            program,
            args,
            folder,
        }
    }

    /// Path of the vhost-user socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("vm.sock")
    }

    /// Folder of its sockets.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns a client of its API.
    pub fn client(&self) -> Client {
        Client::new(self.folder.path().join("vm.api"), LIMIT)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits until it has ended, and returns its status, if it had one.
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it without warning and starts it again, as it was started before.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.program, self.folder.path(), &self.args);
    }

    /// Returns what it has said on stderr. It must have ended.
    pub fn complaint(&mut self) -> String {
        let stderr = self.child.stderr.take().expect("asked twice");
        std::io::read_to_string(stderr).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Path, folder: &Path, args: &[String]) -> Child {
    // It must not outlive a test that is killed.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .arg("--socket")
        .arg(folder.join("vm.sock"))
        .arg("--api")
        .arg(folder.join("vm.api"))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "{}", {
        let _ = child.kill();
        std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
    });
    child
}

/// Waits until something holds, for 20 s.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
