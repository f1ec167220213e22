//! Files and folders that only their owner may read, and that survive a power cut once they are written.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes the folder and those above it; durable when it returns.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    let is_new = !path.exists();
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)?;
    tighten(path, DIR_MODE)?;
    if is_new && let Some(parent) = path.parent() {
        sync_dir(parent)?;
    }
    Ok(())
}

/// Takes rights from others that something gave them, such as Kubernetes with `fsGroup`, which does it anew at
/// each start. So it is no reason to refuse.
pub(super) fn tighten(path: &Path, mode: u32) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

pub(super) fn tighten_file(path: &Path) -> io::Result<()> {
    tighten(path, FILE_MODE)
}

/// Opens (or makes) a file for its owner only.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(FILE_MODE).open(path)
}

/// The file holds these bytes or is not there, whatever happens in between. `draft` is on the same file system.
pub(super) fn write(draft: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(draft, path));
    if let Err(e) = written {
        // The draft is rubbish; that it may stay changes nothing.
        let _ = fs::remove_file(draft);
        return Err(e);
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes the names in the folder durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}
