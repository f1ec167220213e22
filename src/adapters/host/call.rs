//! The operator's end of the control socket.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::ports::Order;

use super::{ANSWER_MAX, ANSWERED_WITHIN, Answer, WRITTEN_WITHIN, path, peer};

/// Why there is no answer: one sentence for whoever sits at the shell, the remedy last.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error(
        "no muster is running on the store `{}`; start it with `muster serve`, or name the right one with --config or \
         --store",
        .0.display()
    )]
    NotRunning(PathBuf),
    #[error(
        "the store `{}` belongs to {}; use `sudo -u {} muster …`, or be root",
        .store.display(),
        .owner.as_deref().unwrap_or("another user"),
        .owner.as_deref().unwrap_or("USER")
    )]
    Closed { store: PathBuf, owner: Option<String> },
    #[error(
        "muster does not answer at `{}`; it may still do what was asked: look at its log, and stop it with `systemctl stop \
         muster` if nothing else helps",
        .0.display()
    )]
    Silent(PathBuf),
    #[error("the answer at `{}` cannot be read: {cause}; use the same version as the one that runs", .socket.display())]
    Broken { socket: PathBuf, cause: String },
}

/// Asks the Muster that runs on this store.
///
/// # Errors
/// [`CallError`]; what Muster itself refuses is an answer.
pub async fn call(store: &Path, order: &Order) -> Result<Answer, CallError> {
    let socket = path(store);
    let broken = |cause: String| CallError::Broken { socket: socket.clone(), cause };
    let mut stream = UnixStream::connect(&socket).await.map_err(|fault| match fault.kind() {
        io::ErrorKind::PermissionDenied => CallError::Closed { store: store.to_owned(), owner: owner(store) },
        // No folder, no socket, or one that a killed Muster left behind.
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => CallError::NotRunning(store.to_owned()),
        _ => broken(fault.to_string()),
    })?;
    let mut line = serde_json::to_vec(order).map_err(|fault| broken(fault.to_string()))?;
    line.push(b'\n');
    let written = timeout(WRITTEN_WITHIN, stream.write_all(&line)).await;
    written.map_err(|_| CallError::Silent(socket.clone()))?.map_err(|fault| broken(fault.to_string()))?;
    let mut answer = Vec::new();
    let mut reader = BufReader::new(stream.take(ANSWER_MAX));
    // A little longer than Muster itself, so that it can say so.
    let read = timeout(ANSWERED_WITHIN + Duration::from_secs(5), reader.read_until(b'\n', &mut answer)).await;
    read.map_err(|_| CallError::Silent(socket.clone()))?.map_err(|fault| broken(fault.to_string()))?;
    if answer.is_empty() {
        return Err(CallError::Silent(socket));
    }
    serde_json::from_slice(&answer).map_err(|fault| broken(fault.to_string()))
}

/// Of the store's folder, as far as it can be seen.
fn owner(store: &Path) -> Option<String> {
    std::fs::metadata(store).ok().map(|found| peer::user_name(found.uid()))
}
