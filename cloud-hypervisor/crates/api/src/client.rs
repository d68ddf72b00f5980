// SPDX-License-Identifier: GPL-2.0-or-later
//! A blocking client of the daemon's API. Each request has a connection of its own, so that a
//! daemon that was started again is found at once. Time and size of answers are bounded: a
//! daemon that a guest took over costs its clients no more than that.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use ureq::Agent;
use ureq::http::Response;

use crate::unix::{NoResolver, UnixConnector, Unreachable};
use crate::{Failure, Node, NodeTarget, Stats, Target, Targets, Vm, printable};

/// Bytes of the longest answer that is read. `/stats` of 16 nodes has less than 16 KiB.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Why a request failed. Each is a line that says what was asked, and of whom.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody listens.
    #[error("no daemon answers at {}: {error}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// Somebody listens, and says nothing.
    #[error("the daemon at {} has not answered for {:?}", path.display(), limit)]
    Late {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The daemon does not do what it was asked.
    #[error("the daemon at {} refuses: {message}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// HTTP status.
        status: u16,
        /// What the daemon says.
        message: String,
    },
    /// That is no daemon, or one of another version.
    #[error("what answers at {} is no tiered balloon: {message}", path.display())]
    Strange {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

/// A client of one daemon. Making one connects to nothing.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
    limit: Duration,
    agent: Agent,
}

impl Client {
    /// Makes a client of the daemon whose API is the socket at `path`. A request fails when it
    /// takes longer than `limit`.
    pub fn new(path: impl Into<PathBuf>, limit: Duration) -> Self {
        let path = path.into();
        let config = Agent::config_builder()
            .timeout_global(Some(limit))
            .max_idle_connections(0)
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .build();
        let agent = Agent::with_parts(config, UnixConnector(path.clone()), NoResolver);
        Self { path, limit, agent }
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for the state of the VM.
    pub fn vm(&self) -> Result<Vm, Error> {
        self.get("/vm")
    }

    /// Asks for statistics of guest and daemon.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.get("/stats")
    }

    /// Asks for the same in Prometheus' text format.
    pub fn metrics(&self) -> Result<String, Error> {
        let bytes = self.read(self.agent.get(url("/metrics")).call())?;
        String::from_utf8(bytes).map_err(|error| self.strange(error))
    }

    /// Sets what the guest shall have of a node, and returns the node. It does not wait for
    /// the guest.
    pub fn set_target(&self, pxm: u32, bytes: u64) -> Result<Node, Error> {
        self.put(&format!("/nodes/{pxm}/target"), &Target { bytes })
    }

    /// Sets targets of several nodes, all or none, and returns all nodes.
    pub fn set_targets(&self, targets: &[NodeTarget]) -> Result<Vec<Node>, Error> {
        let targets = targets.to_vec();
        self.put("/targets", &Targets { targets })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let bytes = self.read(self.agent.get(url(path)).call())?;
        self.parse(&bytes)
    }

    fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|error| self.strange(error))?;
        let request = self.agent.put(url(path));
        let bytes = self.read(request.content_type("application/json").send(&body[..]))?;
        self.parse(&bytes)
    }

    fn parse<'a, T: Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<T, Error> {
        serde_json::from_slice(bytes).map_err(|error| self.strange(error))
    }

    /// Reads the body of an answer, or what failed.
    fn read(&self, result: Result<Response<ureq::Body>, ureq::Error>) -> Result<Vec<u8>, Error> {
        let mut response = result.map_err(|error| self.failed(error))?;
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER);
        let bytes = body.read_to_vec().map_err(|error| self.failed(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(bytes);
        }
        let message = match serde_json::from_slice::<Failure>(&bytes) {
            Ok(failure) => printable(&failure.error),
            Err(_) => status.to_string(),
        };
        Err(Error::Refused {
            path: self.path.clone(),
            status: status.as_u16(),
            message,
        })
    }

    fn strange(&self, error: impl ToString) -> Error {
        Error::Strange {
            path: self.path.clone(),
            message: printable(&error.to_string()),
        }
    }

    fn failed(&self, error: ureq::Error) -> Error {
        let path = self.path.clone();
        match error {
            ureq::Error::Timeout(_) => Error::Late {
                path,
                limit: self.limit,
            },
            ureq::Error::Other(error) => match error.downcast::<Unreachable>() {
                Ok(error) => Error::Unreachable {
                    path,
                    error: error.0,
                },
                Err(error) => self.strange(error),
            },
            error => self.strange(error),
        }
    }
}

/// The address of a request; the host means nothing.
fn url(path: &str) -> String {
    format!("http://localhost{path}")
}
