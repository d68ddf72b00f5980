// SPDX-License-Identifier: GPL-2.0-or-later
//! Sockets that clients find by a path.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a socket cannot be listened on.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Somebody else does.
    #[error("{}: a process listens there already", .0.display())]
    Used(PathBuf),
    /// A file of another kind is in the way.
    #[error("{}: the file is there and is no socket", .0.display())]
    NoSocket(PathBuf),
    /// It cannot be made.
    #[error("{}: {error}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
}

/// Listens at `path`. What a process that is dead has left there is replaced.
pub fn listen(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |error| SocketError::Io {
        path: path.to_owned(),
        error,
    };
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        bound => return bound.map_err(failed),
    }
    let is_socket = fs::symlink_metadata(path)
        .map_err(failed)?
        .file_type()
        .is_socket();
    if !is_socket {
        return Err(SocketError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Used(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)?;
            UnixListener::bind(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}
