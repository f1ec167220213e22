//! Muster's end of the control socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::message::to_text;
use crate::ports::{Control, Order};

use super::{ANSWERED_WITHIN, Answer, ORDER_MAX, WRITTEN_WITHIN, path, peer};

/// Operators at once; more of them wait.
const CONNECTIONS_MAX: usize = 8;
/// What is read of an order that is too long, so that whoever wrote it gets to read why it is refused.
const READ_MAX: u64 = 1 << 20;

/// Why there is no control socket. One sentence with the remedy last; the bot goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("a running muster answers at `{}` already; stop it first", .0.display())]
    Answered(PathBuf),
    #[error("`{}` is no socket, so `muster halt` and its like will not work; move it away and start again", .0.display())]
    NoSocket(PathBuf),
    #[error(
        "the control socket `{}` cannot be made, so `muster halt` and its like will not work: {cause}; the folder has to \
         belong to muster's user, and its path to be shorter than 90 characters",
        .path.display()
    )]
    Io { path: PathBuf, cause: io::Error },
}

/// The socket, open. Dropping it takes it away.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    listener: UnixListener,
    own_uid: u32,
}

impl Socket {
    /// Opens it in the store's folder, for this user alone. A socket that a killed Muster left behind is replaced; one that
    /// somebody answers at is not.
    ///
    /// # Errors
    /// [`BindError`], which the bot can live with.
    pub async fn bind(store: &Path) -> Result<Socket, BindError> {
        let path = path(store);
        let failed = |cause: io::Error| BindError::Io { path: path.clone(), cause };
        match fs::symlink_metadata(&path) {
            Ok(found) if !found.file_type().is_socket() => return Err(BindError::NoSocket(path)),
            Ok(_) => match UnixStream::connect(&path).await {
                Ok(_) => return Err(BindError::Answered(path)),
                Err(_) => fs::remove_file(&path).map_err(failed)?,
            },
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(failed(cause)),
        }
        let own_uid = peer::own_uid().map_err(failed)?;
        // The store's folder keeps everybody else out, so nobody can be faster than the next line.
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let socket = Socket { path: path.clone(), listener, own_uid };
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(socket)
    }

    /// Answers whoever is let in, for as long as it is polled.
    pub async fn serve(self, control: Arc<dyn Control>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // Never closed.
            let Ok(seat) = room.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (control, own_uid) = (control.clone(), self.own_uid);
                    tokio::spawn(async move {
                        // Whoever hung up needs no answer.
                        let _ = answer(stream, control.as_ref(), own_uid).await;
                        drop(seat);
                    });
                }
                Err(fault) => {
                    tracing::error!(%fault, "the control socket takes no connection at this moment");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next start replaces it if it stays.
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(mut stream: UnixStream, control: &dyn Control, own_uid: u32) -> io::Result<()> {
    let cred = stream.peer_cred()?;
    let answer = if peer::is_let_in(cred.uid(), own_uid) {
        let by = peer::operator(&cred);
        match timeout(WRITTEN_WITHIN, order(&mut stream)).await {
            Ok(Ok(order)) => match timeout(ANSWERED_WITHIN, control.order(&by, order)).await {
                Ok(told) => Answer { done: told.done, text: to_text(&told.card) },
                Err(_) => refusal("there is no answer yet, and it may still be done; `muster status` says"),
            },
            Ok(Err(what)) => refusal(&what),
            Err(_) => refusal("no order came; write one line of JSON such as `{\"order\":\"status\"}`"),
        }
    } else {
        tracing::warn!(uid = cred.uid(), "somebody at the control socket was not let in");
        refusal("only root and the user that runs muster are let in here; use `sudo`")
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    timeout(WRITTEN_WITHIN, stream.write_all(&line)).await??;
    stream.shutdown().await
}

/// Reads one line.
async fn order(stream: &mut UnixStream) -> Result<Order, String> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(READ_MAX));
    reader.read_until(b'\n', &mut line).await.map_err(|fault| format!("the order cannot be read: {fault}"))?;
    if line.len() as u64 > ORDER_MAX {
        return Err(format!("the order is longer than {ORDER_MAX} bytes; shorten the reason"));
    }
    serde_json::from_slice(&line)
        .map_err(|fault| format!("that is no order ({fault}); write for example `{{\"order\":\"status\"}}`"))
}

fn refusal(what: &str) -> Answer {
    Answer { done: false, text: format!("{what}\n") }
}
