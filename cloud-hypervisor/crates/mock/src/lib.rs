// SPDX-License-Identifier: GPL-2.0-or-later
//! A daemon with a guest for tests of its clients: the API of the real one on a Unix socket,
//! and a guest that follows its targets step by step, as far as it has free memory. What goes
//! wrong panics.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{from_slice, to_vec};
use tempfile::TempDir;
use tiered_balloon_api::{Driver, Failure, Node, NodeTarget, Stats, Target, Targets, Vm};
use tiny_http::{Method, Request, Response, Server};

/// What daemon and guest know and do; tests change it at will.
#[derive(Debug)]
pub struct State {
    /// Answer to `GET /vm`.
    pub vm: Vm,
    /// Answer to `GET /stats`.
    pub stats: Stats,
    /// Bytes that the guest uses. Its nodes together never get smaller than that.
    pub used: u64,
    /// Bytes of the first two nodes that the host does not get back, whatever is in the balloon.
    pub held: [u64; 2],
    /// Bytes that the guest moves into or out of a balloon in a millisecond.
    pub speed: u64,
    /// Whether the daemon leaves requests unanswered.
    pub mute: bool,
    /// Whether it falls mute when it has set targets, before it answers.
    pub mute_after_set: bool,
    /// All targets that were set, in order.
    pub log: Vec<Vec<NodeTarget>>,
}

/// A running daemon; dropping it ends it.
pub struct Mock {
    folder: TempDir,
    state: Arc<Mutex<State>>,
    server: Arc<Server>,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mock {
    /// Starts a daemon whose guest has nodes of that many bytes, numbered from 0, all of it
    /// given, and a driver.
    pub fn start(nodes: &[u64]) -> Self {
        let folder = TempDir::new().expect("a folder for the socket");
        let server = Server::http_unix(&folder.path().join("api")).expect("a socket");
        let nodes = (0..).zip(nodes).map(|(pxm, &bytes)| Node {
            pxm,
            bytes,
            target: bytes,
            ballooned: 0,
            resident: bytes,
        });
        let state = State {
            vm: Vm {
                version: "mock".into(),
                pid: std::process::id(),
                socket: "none".into(),
                connected: true,
                driver: Some(Driver {
                    version: 1,
                    capabilities: vec!["statistics".into()],
                }),
                nodes: nodes.collect(),
            },
            stats: Stats::default(),
            used: 0,
            held: [0; 2],
            speed: u64::MAX,
            mute: false,
            mute_after_set: false,
            log: Vec::new(),
        };
        let mut mock = Self {
            folder,
            state: Arc::new(Mutex::new(state)),
            server: Arc::new(server),
            end: Arc::default(),
            threads: Vec::new(),
        };
        let (server, state) = (mock.server.clone(), mock.state.clone());
        mock.threads
            .push(thread::spawn(move || serve(&server, &state)));
        let (end, state) = (mock.end.clone(), mock.state.clone());
        mock.threads.push(thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                lock(&state).follow();
                thread::sleep(Duration::from_millis(1));
            }
        }));
        mock
    }

    /// Its API.
    pub fn api(&self) -> PathBuf {
        self.folder.path().join("api")
    }

    /// A folder of its own, for files of the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it knows; while this is held it stands still.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        lock(&self.state).mute = false;
        self.server.unblock();
        for thread in self.threads.drain(..) {
            let joined = thread.join();
            assert!(joined.is_ok() || thread::panicking(), "the mock panicked");
        }
    }
}

impl State {
    /// What the guest has of a node.
    pub fn given(&self, pxm: usize) -> u64 {
        self.vm.nodes[pxm].given()
    }

    /// Sets what the guest shall have and has of its nodes, at once.
    pub fn set(&mut self, targets: &[u64]) {
        for (node, &target) in self.vm.nodes.iter_mut().zip(targets) {
            node.target = target;
            node.ballooned = node.bytes - target;
            node.resident = target;
        }
    }

    /// Follows the targets for a millisecond: takes what is given, and gives what is free.
    fn follow(&mut self) {
        if self.vm.driver.is_none() {
            return;
        }
        for node in &mut self.vm.nodes {
            let more = node.target.saturating_sub(node.given()).min(self.speed);
            node.ballooned -= more;
        }
        let mut free = self.vm.nodes.iter().map(Node::given).sum::<u64>();
        free = free.saturating_sub(self.used);
        for node in &mut self.vm.nodes {
            let less = node.given().saturating_sub(node.target);
            let less = less.min(self.speed).min(free);
            node.ballooned += less;
            free -= less;
            node.resident = node.given();
        }
        for (node, held) in self.vm.nodes.iter_mut().zip(self.held) {
            node.resident = node.resident.max(held);
        }
    }

    fn put(&mut self, targets: &[NodeTarget]) -> Result<(), (u16, String)> {
        for target in targets {
            let node = self.vm.nodes.iter().find(|node| node.pxm == target.pxm);
            let node = node.ok_or((404, format!("there is no node {}", target.pxm)))?;
            if target.bytes > node.bytes || target.bytes % 4096 != 0 {
                return Err((400, format!("node {} cannot have that", node.pxm)));
            }
        }
        for target in targets {
            for node in self
                .vm
                .nodes
                .iter_mut()
                .filter(|node| node.pxm == target.pxm)
            {
                node.target = target.bytes;
            }
        }
        self.log.push(targets.to_vec());
        Ok(())
    }
}

fn serve(server: &Server, state: &Mutex<State>) {
    // Requests that are not answered are kept, since to drop them is an answer.
    let mut silenced = Vec::new();
    while let Ok(request) = server.recv() {
        if lock(state).mute {
            silenced.push(request);
        } else {
            silenced.extend(answer(request, state));
        }
    }
}

/// Does what a request asks for and answers it. Returns it if it gets no answer.
fn answer(mut request: Request, state: &Mutex<State>) -> Option<Request> {
    let mut body = Vec::new();
    let read = request.as_reader().read_to_end(&mut body);
    read.expect("clients of tests send all");
    let path = request.url().to_string();
    let mut state = lock(state);
    let node = path.strip_prefix("/nodes/");
    let node = node.and_then(|path| path.strip_suffix("/target")?.parse::<u32>().ok());
    let text = "serializing does not fail";
    let (status, body) = match (request.method(), path.as_str(), node) {
        (Method::Get, "/vm", _) => (200, to_vec(&state.vm).expect(text)),
        (Method::Get, "/stats", _) => (200, to_vec(&state.stats).expect(text)),
        (Method::Put, "/targets", _) => {
            let targets: Targets = from_slice(&body).expect("clients of tests send JSON");
            match state.put(&targets.targets) {
                Ok(()) => (200, to_vec(&state.vm.nodes).expect(text)),
                Err((status, error)) => (status, to_vec(&Failure { error }).expect(text)),
            }
        }
        (Method::Put, _, Some(pxm)) => {
            let Target { bytes } = from_slice(&body).expect("clients of tests send JSON");
            match state.put(&[NodeTarget { pxm, bytes }]) {
                Ok(()) => {
                    let node = state.vm.nodes.iter().find(|node| node.pxm == pxm);
                    (200, to_vec(&node).expect(text))
                }
                Err((status, error)) => (status, to_vec(&Failure { error }).expect(text)),
            }
        }
        _ => {
            let error = "there is no such request".into();
            (404, to_vec(&Failure { error }).expect(text))
        }
    };
    if state.mute_after_set && !matches!(request.method(), Method::Get) {
        state.mute = true;
        return Some(request);
    }
    drop(state);
    // A client that is gone misses nothing.
    let _ = request.respond(Response::from_data(body).with_status_code(status));
    None
}
