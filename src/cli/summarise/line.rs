//! One line of what comes in -> the node that it is of.

use std::sync::LazyLock;

use regex::Regex;

/// Longer names are none: it is the longest that DNS knows.
const NAME_MAX: usize = 253;
/// What people have in front of a colon and is no node: the tools themselves.
const TOOLS: &[&str] = &["ssh", "bash", "sh", "sudo", "curl", "clush", "clubak", "pdsh", "parallel", "xargs"];
/// Nodes that one set such as `web-[1-300]` stands for at most.
const SET_MAX: usize = 10_000;

/// One line of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Of(&'a str, &'a [u8]),
    /// pdsh and clush say on standard error how it ended on a node, or on a set of them.
    End(&'a str, End<'a>),
    Nobody,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End<'a> {
    Exit(i32),
    Trouble(&'a str),
}

/// Which node a line is of. A name has no blank in it and ends at the first `: `, at a tab, or at a colon that ends the line.
pub(super) fn parse(line: &[u8]) -> Line<'_> {
    static END: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:pdsh@[^\s:]+|clush): (\S+?)(?: \(\d+\))?: (.+?)\s*$").expect("a constant"));
    static EXIT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:ssh )?exited with exit code (\d{1,3})$").expect("a constant"));
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"pdsh@") || line.starts_with(b"clush: ") {
        let end = std::str::from_utf8(line).ok().and_then(|text| END.captures(text));
        return end.map_or(Line::Nobody, |found| {
            let (names, why) = (found.get(1).map_or("", |m| m.as_str()), found.get(2).map_or("", |m| m.as_str()));
            let code = EXIT.captures(why).and_then(|exit| exit[1].parse().ok());
            Line::End(names, code.map_or(End::Trouble(why), End::Exit))
        });
    }
    let head = &line[..line.len().min(NAME_MAX + 2)];
    let ends = |at: usize| match head[at] {
        b'\t' => Some((at, at + 1)),
        b':' => match line.get(at + 1) {
            None => Some((at, at + 1)),
            Some(b' ' | b'\t') => Some((at, at + 2)),
            Some(_) => None,
        },
        _ => None,
    };
    let found = (0..head.len()).take_while(|at| head[*at] != b' ').find_map(ends);
    let name = found.and_then(|(end, from)| Some((std::str::from_utf8(&line[..end]).ok()?, from)));
    match name.filter(|(name, _)| is_name(name)) {
        Some((name, from)) => Line::Of(name, line.get(from..).unwrap_or_default()),
        None => Line::Nobody,
    }
}

/// A host, an address, a container, `user@host`: nothing that only looks like the start of a sentence in brackets, and no
/// folded set of nodes, which would count as one.
fn is_name(name: &str) -> bool {
    let between = |b: u8| matches!(b, b'.' | b'-' | b'_' | b':' | b'@' | b'/' | b'%' | b'[' | b']' | b'#');
    let (mut says, mut folded, mut others) = (false, false, false);
    for b in name.bytes() {
        let alphanumeric = b.is_ascii_alphanumeric();
        says |= alphanumeric;
        folded |= b == b'[';
        others |= !alphanumeric && !between(b);
    }
    if others {
        let other = |c: char| !c.is_alphanumeric() && !u8::try_from(c).is_ok_and(between);
        (says, others) = (name.contains(char::is_alphanumeric), name.contains(other));
    }
    says && !others && (!folded || name.starts_with('[')) && name.len() <= NAME_MAX && !TOOLS.contains(&name)
}

/// `web-[1-3,07]` as its nodes; any other text as itself.
pub(super) fn expand(names: &str) -> Vec<String> {
    let set = names.split_once('[').and_then(|(head, rest)| {
        let (inside, tail) = rest.split_once(']')?;
        let mut nodes = Vec::new();
        for part in inside.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (low, high): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
            for n in low..=high {
                if nodes.len() == SET_MAX {
                    return None;
                }
                nodes.push(format!("{head}{n:0width$}{tail}", width = from.len()));
            }
        }
        Some(nodes)
    });
    set.unwrap_or_else(|| names.split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_node_in_every_usual_form() {
        let of = |line: &'static str| match parse(line.as_bytes()) {
            Line::Of(name, rest) => (name, std::str::from_utf8(rest).unwrap()),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(of("web-1: nginx: up"), ("web-1", "nginx: up"));
        assert_eq!(of("web-1:"), ("web-1", ""));
        assert_eq!(of("web-1: "), ("web-1", ""));
        assert_eq!(of("web-1:   indented"), ("web-1", "  indented"));
        assert_eq!(of("web-1\tcolumn\tcolumn"), ("web-1", "column\tcolumn"));
        assert_eq!(of("web-1:\tline"), ("web-1", "line"));
        assert_eq!(of("fe80::1: line"), ("fe80::1", "line"));
        assert_eq!(of("ops@10.0.0.1: line\r"), ("ops@10.0.0.1", "line"));
        assert_eq!(of("[a][b]: up"), ("[a][b]", "up"));
        for line in ["no node here", "Error in something: x", "http://x", "", "***: x", ": x", "{\"a\": 1}"] {
            assert_eq!(parse(line.as_bytes()), Line::Nobody, "{line}");
        }
        for line in ["ssh: connect to host web-9 port 22: refused", "web-[1-3]: up", "clush: what", "bash: no such"] {
            assert_eq!(parse(line.as_bytes()), Line::Nobody, "{line}");
        }
        assert_eq!(parse(b"pdsh@desk: web-1: ssh exited with exit code 3"), Line::End("web-1", End::Exit(3)));
        assert_eq!(parse(b"clush: web-[1-3] (3): exited with exit code 255"), Line::End("web-[1-3]", End::Exit(255)));
        assert_eq!(parse(b"clush: web-1: command timeout"), Line::End("web-1", End::Trouble("command timeout")));
        assert_eq!(expand("web-[08-10,3].x"), ["web-08.x", "web-09.x", "web-10.x", "web-3.x"]);
        assert_eq!(expand("a,b"), ["a", "b"]);
        assert_eq!(expand("web-[1-999999999]"), ["web-[1-999999999]"]);
    }
}
