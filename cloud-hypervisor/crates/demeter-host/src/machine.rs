// SPDX-License-Identifier: GPL-2.0-or-later
//! The machine: its files and programs, and nothing else of it. Tests have another one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

/// What is read of a file at most: /proc/cpuinfo of a thousand processors is less.
const MOST: u64 = 16 << 20;
/// Where programs are, below the root
const PATH: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// What is looked at and changed. Paths begin with a slash.
pub trait Machine {
    /// The text of a file; bytes that are no text become U+FFFD.
    fn read(&self, path: &str) -> io::Result<String>;
    /// Names in a folder, sorted
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
    /// Where a symbolic link points to
    fn link(&self, path: &str) -> io::Result<String>;
    /// Fails if the file cannot be opened for reading and writing.
    fn open(&self, path: &str) -> io::Result<()>;
    /// Writes a value to a file of the kernel.
    fn write(&mut self, path: &str, value: &str) -> io::Result<()>;
    /// Makes a file have a text and permissions, or leaves what was there, also if the machine
    /// stops.
    fn replace(&mut self, path: &str, text: &str, mode: u32) -> io::Result<()>;
    /// Deletes a file and what an interrupted [`Machine::replace`] left of it. It may be gone.
    fn remove(&mut self, path: &str) -> io::Result<()>;
    /// Runs a program. If it fails, the error has the last line of what it said.
    fn run(&mut self, program: &str, arguments: &[&str]) -> io::Result<()>;
}

/// Whether this runs in a container: its journal goes with it, while what it changes is the
/// host's. A kernel has fixed numbers for its first namespaces (linux/proc_ns.h); containers that
/// share them have files of the programs that run them.
pub fn is_container(machine: &dyn Machine) -> bool {
    let namespaces = [
        ("/proc/self/ns/pid", "pid:[4026531836]"),
        ("/proc/self/ns/user", "user:[4026531837]"),
    ];
    let marks = [
        "/.dockerenv",
        "/run/.containerenv",
        "/run/systemd/container",
    ];
    // A kernel without such namespaces has no link.
    let is_other = |(path, first): &(&str, &str)| machine.link(path).is_ok_and(|to| to != *first);
    namespaces.iter().any(is_other) || marks.iter().any(|path| machine.read(path).is_ok())
}

/// The machine that this runs on, or a tree that looks like it.
pub struct Real {
    root: PathBuf,
}

impl Real {
    /// A machine whose files are below a folder; that of this one is "/".
    pub fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Makes a folder that only the owner may write to, and locks it for as long as what is
    /// returned lives. Says in one line why that cannot be.
    pub fn lock(&self, folder: &str) -> Result<File, String> {
        let path = self.path(folder);
        let context = |error: io::Error| format!("{}: {error}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(context)?;
        }
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(context(error)),
            _ => {}
        }
        let opened = File::open(&path).map_err(context)?;
        let about = opened.metadata().map_err(context)?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
            return Err(format!(
                "{}: others may write to it, so that what is in it is not trusted",
                path.display()
            ));
        }
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(opened),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err("another setup or undo is running: wait for it".into())
            }
            Err(error) => Err(context(error.into())),
        }
    }
}

/// Where [`Machine::replace`] writes before it renames
fn new_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".new");
    name.into()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Deletes a file. Returns whether it was there.
fn delete(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Machine for Real {
    fn read(&self, path: &str) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(self.path(path))?
            .take(MOST)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.path(path))?
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn link(&self, path: &str) -> io::Result<String> {
        let target = fs::read_link(self.path(path))?;
        Ok(target.to_string_lossy().into())
    }

    fn open(&self, path: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).open(self.path(path))?;
        Ok(())
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).truncate(true).open(self.path(path))?;
        // One write: the kernel takes each for a value.
        file.write_all(format!("{value}\n").as_bytes())
    }

    fn replace(&mut self, path: &str, text: &str, mode: u32) -> io::Result<()> {
        let path = self.path(path);
        let new = new_name(&path);
        // What is left of an earlier one may have other permissions.
        delete(&new)?;
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_folder(&path)
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let path = self.path(path);
        let was_there = delete(&new_name(&path))? | delete(&path)?;
        if was_there {
            sync_folder(&path)
        } else {
            Ok(())
        }
    }

    fn run(&mut self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let found = PATH
            .iter()
            .map(|folder| self.root.join(folder).join(program))
            .find(|path| path.is_file())
            .ok_or_else(|| io::Error::other(format!("{program} is not installed")))?;
        let output = Command::new(found)
            .args(arguments)
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().rfind(|line| !line.trim().is_empty());
        Err(io::Error::other(match line {
            Some(line) => line.trim().to_string(),
            None => format!("{program}: {}", output.status),
        }))
    }
}
