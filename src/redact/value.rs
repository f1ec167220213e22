//! How much of what stands behind a name is the secret, and when it is none.

use std::sync::LazyLock;

use regex::Regex;

use super::rules::regex;

/// The whole value.
pub(super) fn any<'a>(_: &str, value: &'a str, _: bool) -> Option<&'a str> {
    Some(value)
}

/// Words have no digits, tokens of this length do.
pub(super) fn token_like<'a>(_: &str, value: &'a str, _: bool) -> Option<&'a str> {
    value.bytes().any(|b| b.is_ascii_digit()).then_some(value)
}

/// Behind the start of a service's keys. OpenSSH names its algorithms for security keys alike.
pub(super) fn service_key<'a>(key: &str, value: &'a str, quoted: bool) -> Option<&'a str> {
    let algorithm = ["sk-ssh-ed25519-cert-v", "sk-ecdsa-sha2-nistp"].iter().any(|name| value.starts_with(name));
    token_like(key, value, quoted).filter(|_| !algorithm)
}

/// Base64 of a user and a password.
pub(super) fn encoded<'a>(_: &str, value: &'a str, _: bool) -> Option<&'a str> {
    value.bytes().any(|b| b.is_ascii_digit() || b == b'=').then_some(value)
}

/// Behind a command's own flag or directive: everything but what stands for a secret.
pub(super) fn directive<'a>(_: &str, value: &'a str, quoted: bool) -> Option<&'a str> {
    let value = if quoted { value } else { until_end(value) };
    (!value.starts_with('-') && !is_placeholder(value)).then_some(value)
}

/// Behind `Authorization: Bearer`.
pub(super) fn credential<'a>(_: &str, value: &'a str, _: bool) -> Option<&'a str> {
    let value = value.trim_end_matches([',', ';']);
    (!is_placeholder(value)).then_some(value)
}

/// Behind `Authorization:` and one more word, which may also begin a sentence.
pub(super) fn schemed<'a>(key: &str, value: &'a str, quoted: bool) -> Option<&'a str> {
    credential(key, value, quoted).and_then(|value| token_like(key, value, quoted))
}

/// Between `scheme://user:` and `@`.
pub(super) fn in_url<'a>(_: &str, value: &'a str, _: bool) -> Option<&'a str> {
    static PORT: LazyLock<Regex> = LazyLock::new(|| regex("^[0-9]{1,5}/"));
    (!PORT.is_match(value) && !is_placeholder(value)).then_some(value)
}

/// Behind `password=` and the like.
pub(super) fn keyed<'a>(key: &str, value: &'a str, quoted: bool) -> Option<&'a str> {
    let value = if quoted { value } else { until_end(value) };
    let speaks = speaks(key) && SPOKEN.contains(&value);
    (is_secret(key, value) && !speaks && (quoted || !is_prose_word(value))).then_some(value)
}

/// Behind `--password `, where help texts go on in prose.
pub(super) fn after_flag<'a>(key: &str, value: &'a str, quoted: bool) -> Option<&'a str> {
    let value = keyed(key, value, quoted)?;
    (!value.starts_with('-')).then_some(value)
}

/// A line that starts with the name: the value is the rest of it, spaces included, up to a next `name=`.
pub(super) fn anchored<'a>(key: &str, value: &'a str, _: bool) -> Option<&'a str> {
    static NEXT: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"\s+(?:["']?[A-Za-z_][A-Za-z0-9_.\-]*["']?\s*[=:]|--?[A-Za-z]|#|//)"#));
    let value = NEXT.find(value).map_or(value, |next| &value[..next.start()]).trim_end();
    let mut words = value.split_whitespace();
    if let (Some(_), Some(_)) = (words.next(), words.next()) {
        let prose = value.split_whitespace().any(is_prose_word) && !value.bytes().any(|b| b.is_ascii_digit());
        return (!speaks(key) && !prose && is_secret(key, value)).then_some(value);
    }
    keyed(key, value, false)
}

/// Between a name's tags.
pub(super) fn element<'a>(key: &str, value: &'a str, _: bool) -> Option<&'a str> {
    is_secret(key, value).then_some(value)
}

/// `passwd:` also names the program that speaks, a line of nsswitch.conf, and a file, as BSD's does.
fn speaks(key: &str) -> bool {
    key.eq_ignore_ascii_case("passwd") || key == "master.passwd"
}

fn is_secret(key: &str, value: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let is_password =
        ["pass", "psw"].iter().any(|name| lower.contains(name)) || lower.ends_with("pw") || lower.ends_with("pwd");
    // `Token::new` in a program's text.
    let is_code = value.strip_prefix(':').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    if is_code || is_placeholder(value) || is_path(value) || !value.chars().any(char::is_alphanumeric) && !is_password {
        return false;
    }
    // `PWD=/srv` is the working folder.
    if lower.ends_with("pwd") && value.starts_with(['/', '~']) {
        return false;
    }
    // `example.pw:8080` is a host.
    static PORT: LazyLock<Regex> = LazyLock::new(|| regex("^[0-9]{1,5}(?:/|$)"));
    if lower.ends_with(".pw") && PORT.is_match(value) {
        return false;
    }
    // `pam_auth = some_method`; what npm has behind `_auth` is base64.
    if lower.ends_with("_auth")
        && lower != "_auth"
        && value.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b))
    {
        return false;
    }
    if lower.ends_with("token") && !is_password && (is_named(value) || is_number(value)) {
        return false;
    }
    // Counters: `secret: 5`, `pass=12`.
    let few = value.len() <= 3 && value.bytes().all(|b| b.is_ascii_digit());
    !(few && (!is_password || lower == "pass" || lower == "pw"))
}

/// Words that name a token, as `NSS Certificate DB`: no token has spaces. Behind a quote that nothing closes, one may
/// be the first word.
fn is_named(value: &str) -> bool {
    let word = |word: &str| word.len() < 16 && !word.bytes().any(|b| b.is_ascii_digit());
    value.contains(' ') && value.split(' ').all(word)
}

/// A count or a serial number; six digits may be a one-time password.
fn is_number(value: &str) -> bool {
    match value.strip_prefix("0x") {
        Some(hex) => hex.len() <= 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => value.len() <= 5 && value.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// What stands behind `passwd:` in nsswitch.conf, and how the program of that name begins its sentences.
const SPOKEN: &[&str] = &[
    "files",
    "compat",
    "sss",
    "systemd",
    "nis",
    "ldap",
    "db",
    "winbind",
    "dns",
    "ASCII",
    "password",
    "all",
    "user",
    "you",
    "authentication",
    "permission",
    "unlocking",
    "locking",
    "expiring",
];

/// What stands where a secret would, and is none.
fn is_placeholder(value: &str) -> bool {
    static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]*|\$\([^)]*\)?|%[A-Z_][A-Z0-9_]*%|\{\{.*|<[^<>]*>|\[[A-Za-z_ \-]*\]|\([A-Za-z ]*\))$",
        )
    });
    let lower = value.to_lowercase();
    value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '•' | '#' | '-' | '_' | '?' | '!' | '…'))
        || NOTHING.contains(&lower.as_str())
        || REFERENCE.is_match(value)
}

const NOTHING: &[&str] = &[
    "null",
    "nil",
    "none",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "empty",
    "unset",
    "undefined",
    "redacted",
    "hidden",
    "masked",
    "n/a",
    "required",
    "optional",
    "enabled",
    "disabled",
    "invalid",
    "expired",
    "missing",
    "incorrect",
    "failed",
    "unknown",
    "string",
    "{",
    "[",
    "|",
    ">",
    "|-",
    ">-",
    "|+",
    ">+",
    "\\",
];

/// A file that holds the secret. Base64 may start with a slash too, so only known roots count.
fn is_path(value: &str) -> bool {
    static PATH: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:file:/|~/|\./|/(?:etc|var|run|home|root|usr|opt|tmp|srv|mnt|proc|dev|sys|app|data)/)[A-Za-z0-9_./\-]*$",
        )
    });
    PATH.is_match(value)
}

/// Words of sentences about secrets.
fn is_prose_word(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "a",
        "an",
        "and",
        "are",
        "argument",
        "be",
        "can",
        "cannot",
        "contains",
        "does",
        "expired",
        "flag",
        "for",
        "from",
        "has",
        "have",
        "if",
        "in",
        "incorrect",
        "invalid",
        "is",
        "may",
        "must",
        "not",
        "of",
        "on",
        "option",
        "or",
        "required",
        "should",
        "successfully",
        "the",
        "to",
        "updated",
        "via",
        "was",
        "when",
        "will",
        "with",
        "wrong",
    ];
    WORDS.contains(&word.trim_matches([',', '.', ':', ';']).to_lowercase().as_str())
}

/// Where a bare value ends: at the quote or bracket of what it stands in, or before the next `name=`.
fn until_end(value: &str) -> &str {
    static NEXT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"^(?:[&;,]\s*\\*["']?[A-Za-z_][A-Za-z0-9_.\-]*\\*["']?\s*=|,\s*\\*["'][A-Za-z_][A-Za-z0-9_.\-]*\\*["']\s*:)"#,
        )
    });
    for (at, c) in value.char_indices().skip(1) {
        let rest = &value[at..];
        let behind = &rest[c.len_utf8()..];
        // A bracket that opened inside the value closes inside it.
        let closes = |open: char| !value[..at].contains(open) && behind.chars().all(|c| ")}]>,;.'\"".contains(c));
        let ends = match c {
            '"' | '\'' | '`' => behind.is_empty() || behind.starts_with([',', ';', ')', '}', ']', '&', ':', '|', '>']),
            '\\' => behind.starts_with('"'),
            '&' | ';' | ',' => behind.is_empty() || NEXT.is_match(rest),
            ')' => closes('('),
            '}' => closes('{'),
            ']' => closes('['),
            '>' => closes('<'),
            _ => false,
        };
        if ends {
            return &value[..at];
        }
    }
    value
}
