//! Who is at the other end, by the kernel's word, and what people call them.

use std::fs;

use tokio::net::UnixStream;
use tokio::net::unix::UCred;

use crate::domain::Principal;

const ROOT: u32 = 0;

/// The user that this process runs as, by the kernel's word.
pub(super) fn own_uid() -> std::io::Result<u32> {
    UnixStream::pair()?.0.peer_cred().map(|cred| cred.uid())
}

/// Root can do all this anyway, and Muster's own user can read the store and stop the process.
pub(super) fn is_let_in(uid: u32, own: u32) -> bool {
    uid == ROOT || uid == own
}

/// Under which name the journal knows them.
pub(super) fn operator(cred: &UCred) -> Principal {
    Principal::host(&host_name(), &user_name(cred.uid()))
}

fn host_name() -> String {
    let read = |path: &str| fs::read_to_string(path).ok().map(|name| name.trim().to_owned());
    let named =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter().filter_map(read).find(|name| !name.is_empty());
    named.unwrap_or_else(|| "localhost".to_owned())
}

/// The name in `/etc/passwd`, else the number: a directory of users elsewhere is not asked while it burns.
pub(super) fn user_name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&passwd, uid).unwrap_or_else(|| uid.to_string())
}

fn name_in(passwd: &str, uid: u32) -> Option<String> {
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_bots_own_user_are_let_in_and_nobody_else() {
        assert!(is_let_in(0, 998) && is_let_in(998, 998));
        assert!(!is_let_in(1000, 998) && !is_let_in(1000, 0));
    }

    #[test]
    fn a_user_has_the_name_that_the_host_knows_or_a_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n# a comment\nmuster:x:998:998::/var/lib/muster:/usr/sbin/nologin\n";
        assert_eq!(name_in(passwd, 998).as_deref(), Some("muster"));
        assert_eq!(name_in(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_in(passwd, 65532), None);
        assert_eq!(name_in(":x:7:7::/:/bin/sh\nbroken", 7), None);
    }
}
