//! What parameters and steps may be called.

use crate::domain::Invalid;

/// Longest name of a parameter, a step or an extracted value.
pub const NAME_MAX: usize = 32;

/// Names that a shell, PowerShell or the command grammar already uses.
///
/// On Windows the environment ignores case, so `$env:path` would be the system's own. zsh binds `path` to `PATH` and
/// owns `status`; `on` starts the selector in a command.
pub const RESERVED: &[&str] = &[
    "aliases",
    "allusersprofile",
    "appdata",
    "argv",
    "cdpath",
    "commands",
    "commonprogramfiles",
    "computername",
    "comspec",
    "dirstack",
    "driverdata",
    "env",
    "fpath",
    "functions",
    "histchars",
    "history",
    "home",
    "homedrive",
    "homepath",
    "host",
    "ifs",
    "input",
    "lang",
    "lastexitcode",
    "localappdata",
    "logonserver",
    "mailpath",
    "manpath",
    "matches",
    "modules",
    "muster",
    "null",
    "on",
    "options",
    "os",
    "parameters",
    "path",
    "pathext",
    "pid",
    "pipestatus",
    "profile",
    "programdata",
    "programfiles",
    "prompt",
    "ps1",
    "ps2",
    "ps3",
    "ps4",
    "psmodulepath",
    "public",
    "pwd",
    "reason",
    "root",
    "sessionname",
    "shell",
    "signals",
    "status",
    "systemdrive",
    "systemroot",
    "temp",
    "term",
    "tmp",
    "tmpdir",
    "user",
    "userdomain",
    "username",
    "userprofile",
    "watch",
    "windir",
    "words",
];

/// Whether a parameter may have this name: `[a-z][a-z0-9]*`, at most 32 characters, not reserved.
///
/// # Errors
/// Why not, as a fragment that starts with the name.
pub fn parameter(name: &str) -> Result<(), Invalid> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !good {
        return Err(Invalid(format!("`{name}` is not a parameter name: lower-case letters and digits only")));
    }
    if name.len() > NAME_MAX {
        return Err(Invalid(format!("`{name}` is longer than {NAME_MAX} characters")));
    }
    if RESERVED.contains(&name) {
        return Err(Invalid(format!("`{name}` is a reserved name, because shells or commands use it themselves")));
    }
    Ok(())
}

/// Whether a step or an extracted value may have this name: `[a-z][a-z0-9_-]*`, at most 32 characters.
///
/// # Errors
/// Why not, as a fragment that starts with the name.
pub fn plain(name: &str) -> Result<(), Invalid> {
    let good = name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if good {
        Ok(())
    } else {
        Err(Invalid(format!("`{name}` is not a name: lower-case letters, digits, `-` and `_`, at most {NAME_MAX}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_sorted_once_each_and_refused() {
        assert!(RESERVED.is_sorted_by(|a, b| a < b));
        assert!(RESERVED.iter().all(|name| parameter(name).is_err()));
        assert!(parameter("service").is_ok() && parameter("p95").is_ok());
        for bad in ["", "Service", "a_b", "a-b", "9a", "é"] {
            assert!(parameter(bad).is_err(), "{bad}");
        }
    }
}
