//! What secrets look like, and what stands before them. Linear-time expressions only.
//!
//! Order counts: shapes that are secrets wherever they stand come first, so that they get their own kind.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Match, Regex, RegexSet};

use super::value::{self, after_flag, anchored, any, directive, element, in_url, keyed, token_like};

pub(super) struct Rule {
    pub kind: &'static str,
    pub regex: Regex,
    /// Groups that hold the secret: the first that took part. All but the one named `key`.
    pub value_groups: Vec<usize>,
    /// How much of the value, from its start, is the secret; `None` if it is none.
    pub pick: Pick,
}

/// Key, value, and whether the value stood in quotes, to the secret part of the value.
pub(super) type Pick = for<'a> fn(&str, &'a str, bool) -> Option<&'a str>;

impl Rule {
    /// The value that was found, and whether it is the last alternative: by convention the one without quotes.
    pub fn value<'h>(&self, captures: &Captures<'h>) -> Option<(Match<'h>, bool)> {
        let found = self.value_groups.iter().find_map(|i| Some((captures.get(*i)?, *i)))?;
        Some((found.0, self.value_groups.last() == Some(&found.1)))
    }
}

/// Kind, expression, what a line must contain for it to be tried, what of the value goes. What it must contain does not depend
/// on which digits it has: see [`super::Harmless`].
type Shape = (&'static str, String, &'static str, Pick);

/// Left of the separator: the last word of a name says that its value is a secret.
const KEY: &str = r"[A-Za-z0-9_.\-]*(?:pass(?:word|wd|phrase|code)|[A-Za-z0-9][_.\-](?:pass|pw)|(?-i:[a-z]P(?:ass|w))|bindpw|(?:(?-u:\b)|_)psw|[a-z0-9_]*authtok|pwd\
|secret|token|_auth|(?:api|app|auth|access|secret|private|account|encryption|signing|master|shared[_\-]?access)[_\-]?key)\
(?:[_.\-](?:prod|production|staging|stage|dev|test|uat|old|new|prev|previous|current|primary|secondary|master|main|replica\
|admin|root|value|raw|plain|text|hash|enc|b64|base64))?[_\-]?[0-9]{0,3}";
const KEY_WORDS: &str = "(?i)pass|pw|psw|authtok|secret|token|_auth|key";
/// Between name and value, quotes of the name included, also escaped ones. A declared type may stand between.
const SEPARATOR: &str =
    r#"\\*["'\]]?(?:(?:\s*:\s*|\s+)(?:&(?:'static\s+)?)?(?i:string|str)\s*:?=|\s*(?:=>|==|[:?.+]{0,3}=|:))\s*"#;
/// A value in quotes, in escaped quotes, or bare. What of a bare one belongs to it is for `value`.
const VALUE: &str = r#"(?:\\+"([^"\\]*)|"((?:[^"\\]|\\.)*)|'([^']*)|([^\s"'=]\S*))"#;
/// A value behind a flag.
const WORD: &str = r#"(?:'([^']*)|"([^"]*)|([^\s"']\S*))"#;

/// `user:password` behind curl's flag. The user's name may have been taken for a key before.
const CURL_USER: &str = r#"(?:-[A-Za-z]*u|--user|-U|--proxy-user)(?:\s*|=)(?:"{user}:([^"]+)|'{user}:([^']+)\
|(?:"[^"]*"|'[^']*'|{user}):"([^"]+)|(?:"[^"]*"|'[^']*'|{user}):'([^']+)|(?:"[^"]*"|'[^']*'|{user}):([^\s"']+))"#;
/// A key that is sent as the user's name, with no password.
const CURL_KEY: &str = r#"(?:-[A-Za-z]*u|--user)(?:\s*|=)["']?([^\s:"'/‹]{8,}):(?:["'\s]|$)"#;

/// What curl sends, behind what must stand before it.
fn curl(before: &str, needs: &'static str) -> [Shape; 2] {
    let user = CURL_USER.replace("\\\n", "").replace("{user}", r#"(?:[^\s:"'/‹]|‹secret:[a-z-]{1,24}#[0-9a-f]{4}›)*"#);
    [
        ("password", format!("{before}{user}"), needs, directive),
        ("password", format!("{before}{CURL_KEY}"), needs, token_like),
    ]
}

pub(super) fn name_pattern() -> String {
    // The names alone are continued in the source with a backslash and a line end.
    KEY.replace("\\\n", "")
}

/// `<password>`, or `<property name="db.password">`.
pub(super) fn element_pattern() -> String {
    let key = name_pattern();
    format!(r#"<(?:[a-z0-9]+:|[^<>]*\s(?:name|key)=["'])?(?P<key>{key})["']?(?:\s[^<>]*)?>"#)
}

fn shapes() -> Vec<Shape> {
    let key = name_pattern();
    let [curl_password, curl_key] = curl(r"(?-u:\b)curl(?-u:\b)[^|;]*?\s", "curl");
    let shape = |kind, regex: &str, needs, pick: Pick| (kind, regex.to_owned(), needs, pick);
    vec![
        // Cloud keys.
        shape("aws-key", r"(?-u:\b)((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})(?-u:\b)", "AKIA|ASIA|ABIA|ACCA", any),
        shape(
            "aws-secret-key",
            r#"(?i)aws[a-z0-9_.\- ]{0,20}(?:secret|sk)[a-z0-9_.\- ]{0,24}["']?\s{0,4}[:=,]?\s{0,4}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
            "(?i)aws",
            any,
        ),
        shape("gcp-key", r"(?-u:\b)(AIza[0-9A-Za-z_\-]{35})", "AIza", any),
        shape("gcp-token", r"(?-u:\b)(ya29\.[0-9A-Za-z_\-]{20,})", "ya[0-9]{2}", any),
        shape("azure-key", r"(?i)(?:AccountKey|SharedAccessKey|SharedSecretKey)\s*=\s*([A-Za-z0-9+/]{20,}={0,2})", "(?i)key", any),
        shape("azure-key", r"(?i)[?&;]sig=([A-Za-z0-9%+/=_\-]{20,})", "(?i)sig=", any),
        shape("azure-key", r"(?:(?-u:\b)|^|[^A-Za-z0-9_~.\-])([A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34})", "Q~", any),
        // Chat.
        shape("slack-token", r"(?-u:\b)(xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{10,}|xapp-[A-Za-z0-9\-]{10,})", "xox|xapp-", any),
        shape(
            "slack-webhook",
            r"(?i)hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([A-Za-z0-9/+_\-]{16,})",
            "(?i)hooks[.]slack",
            any,
        ),
        shape(
            "discord-token",
            r"(?-u:\b)([MNO][A-Za-z0-9_\-]{22,28}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,})",
            // No longer runs: the one pass over all lines takes four times as long with them.
            r"[A-Za-z0-9_\-]{3}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{3}",
            token_like,
        ),
        shape("discord-webhook", r"(?i)discord(?:app)?\.com/api/webhooks/[0-9]+/([A-Za-z0-9_\-]{30,})", "(?i)discord", any),
        // Forges and services.
        shape(
            "forge-token",
            r"(?-u:\b)(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[A-Za-z0-9_\-.]{20,})",
            "gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-",
            any,
        ),
        shape(
            "api-key",
            r"(?-u:\b)((?:npm_|dop_v1_|hf_|hv[sb]\.|pypi-|lin_api_|sk_live_|rk_live_|whsec_|SG\.|AGE-SECRET-KEY-1|dp\.pt\.|shpat_|sk-(?:ant-|proj-)?)[A-Za-z0-9_.\-]{20,})",
            "npm_|dop_v[0-9]_|hf_|hv[sb][.]|pypi-|lin_api_|_live_|whsec_|SG[.]|AGE-SECRET|dp[.]pt|shpat_|sk-",
            value::service_key,
        ),
        // These have no digits; names that begin so are of any length.
        shape("api-key", r"(?-u:\b)(hf_[A-Za-z]{34})(?-u:\b)", "hf_", any),
        shape("jwt", r"(?-u:\b)(ey[A-Za-z0-9_\-]{10,}\.(?:ey[A-Za-z0-9_\-]{6,}|[A-Za-z0-9_\-]*\.[A-Za-z0-9_\-]+)[A-Za-z0-9_.\-]*)", "ey", any),
        shape(
            "crypt-hash",
            r"(\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|sha1|md5|scrypt|argon2(?:id|i|d)|pbkdf2[a-z0-9\-]*)\$[A-Za-z0-9./=,+$\-]{13,})",
            r"\$[a-z0-9\-]{1,16}\$",
            any,
        ),
        shape("crypt-hash", r#"(\{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT)\}[^\s"',]{16,})"#, r"\{(?:S?SHA|S?MD[0-9]|CRYPT)", any),
        // What stands before it says what it is.
        shape(
            "authorization",
            r#"(?i)authorization\\*["']?\s*[:=]\s*\\*["']?(?:bearer|basic|token|digest|negotiate|ntlm|apikey|bot|key|splunk|aws4-hmac-sha256)\s+([^\s"'\\]+)"#,
            "(?i)authorization",
            value::credential,
        ),
        // Any other scheme.
        shape(
            "authorization",
            r#"(?i)authorization\\*["']?\s*[:=]\s*\\*["']?[a-z][a-z0-9_\-]*\s+([^\s"'\\]{16,})"#,
            "(?i)authorization",
            value::schemed,
        ),
        shape("authorization", r#"(?i)authorization\\*["']?\s*[:=]\s*\\*["']?([^\s"'\\]{8,})"#, "(?i)authorization", token_like),
        // In docker's config.json.
        shape("authorization", r#"["']auth\\*["']\s*:\s*\\*["']([A-Za-z0-9+/]{16,}={0,2})\\*["']"#, r#"["']auth"#, value::encoded),
        shape("authorization", r"(?i)(?-u:\b)bearer\s+([A-Za-z0-9._~+/\-]{16,}=*)", "(?i)bearer", token_like),
        shape("cookie", r#"(?i)(?-u:\b)cookie\\*["']?:\s*[^=\s;"']+=([^\s;"'][^"']*)"#, "(?i)cookie", any),
        shape(
            "url-password",
            r#"(?i)(?-u:\b)[a-z][a-z0-9+.\-]{1,30}://[^\s/?#:@"'<>\[]*:([^\s"'<>/?#]+|[^\s"'<>]+)@[^\s"'<>@/]"#,
            "://",
            in_url,
        ),
        (
            "password",
            format!(r#"^\s*(?:[#>+\-]+\s*)?(?:export\s+|set\s+|declare\s+-x\s+|setenv\s+)?["']?(?P<key>(?i:{key})){SEPARATOR}([^\s"':=\\].*)$"#),
            KEY_WORDS,
            anchored,
        ),
        ("password", format!(r"(?P<key>(?i:{key})){SEPARATOR}{VALUE}"), KEY_WORDS, keyed),
        ("password", format!(r"(?:^|[?&;\s])(?P<key>(?i:pass|pw))={WORD}"), "(?i)pass=|pw=", keyed),
        (
            "password",
            format!(r#"(?i)["']?(?:name|key)["']?\s*[:=]\s*["'](?P<key>{key})["']\s*,?\s*["']?value["']?\s*[:=]\s*{VALUE}"#),
            KEY_WORDS,
            keyed,
        ),
        (
            "password",
            format!(r#"(?i){}\s*([^<>]+?)\s*</"#, element_pattern()),
            "</",
            element,
        ),
        // `define('DB_PASSWORD', '…')` and the like, but not any list in which a name stands.
        (
            "password",
            format!(
                r#"(?i)(?:define|env|get|set|put|add|store|export|config|property|header|option|append|default)[a-z_]*\s*\(\s*["'](?P<key>{key})["']\s*,\s*(?:"((?:[^"\\]|\\.)*)|'((?:[^'\\]|\\.)*))"#
            ),
            KEY_WORDS,
            after_flag,
        ),
        (
            "password",
            r#"(?i)(?:log_?in|sign_?in|authenticate)\s*\(\s*[^,()]+,\s*(?:"([^"]+)|'([^']+))"#.to_owned(),
            r"(?i)(?:log_?in|sign_?in|authenticate)\s*\(",
            directive,
        ),
        (
            "password",
            format!(r#"(?i)(?:^|[\s"'\[,(=])--?(?P<key>{key}|[a-z0-9\-]*-pass|pass)(?:\s+|["'],\s*["']){WORD}"#),
            KEY_WORDS,
            after_flag,
        ),
        (
            "password",
            format!(r"(?-u:\b)(?:(?:mysql|mariadb)(?:dump|admin|import|check|show|sh|-dump|-admin)?|xtrabackup|mariabackup|mytop)(?-u:\b)[^|;&]*?\s-p{WORD}"),
            "mysql|mariadb|xtrabackup|mariabackup|mytop",
            directive,
        ),
        (
            "password",
            format!(r"(?-u:\b)(?:sshpass\s+-p\s*|docker\s+login(?-u:\b)[^|;&]*?\s-p\s+|redis-cli(?-u:\b)[^|;&]*?\s-a\s+|ldap[a-z]+(?-u:\b)[^|;&]*?\s-w\s*){WORD}"),
            "sshpass|docker|redis-cli|ldap",
            directive,
        ),
        curl_password,
        curl_key,
        (
            "password",
            format!(r"(?i)^\s*(?:bindpw|requirepass|masterauth|ro_?community6?|rw_?community6?|ldap_default_authtok|snmp-server\s+community)\s+{WORD}"),
            "(?i)bindpw|requirepass|masterauth|community|authtok",
            directive,
        ),
        ("password", format!(r"(?i)(?-u:\b)login\s+\S+\s+password\s+{WORD}"), "(?i)password", directive),
        ("password", format!(r"(?i)(?:^|\s)-pass(?:in|out)?\s+pass:{WORD}"), "pass:", directive),
        (
            "password",
            r#"(?i)identified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?["']([^"']+)"#.to_owned(),
            "(?i)identified",
            directive,
        ),
        (
            "password",
            r#"(?i)(?:(?:alter|create)\s+(?:user|role|login|group)\s[^;]*?|(?-u:\b)(?:with|encrypted)\s+)(?-u:\b)password\s+[EN]?(?:"([^"]+)|'((?:[^'\\]|\\.|'')+))"#.to_owned(),
            "(?i)password",
            directive,
        ),
        (
            "password",
            r#"(?i)set\s+password(?-u:\b)[^;=]*=\s*(?:(?:old_)?password\s*\(\s*)?["']([^"']+)"#.to_owned(),
            "(?i)password",
            directive,
        ),
    ]
}

/// A rule that is made when it is first needed: to make all of them takes as long as to read a thousand outputs.
type Late = LazyLock<Rule, Box<dyn FnOnce() -> Rule + Send>>;

pub(super) static RULES: LazyLock<Vec<Late>> = LazyLock::new(|| shapes().into_iter().map(late).collect());

/// The kinds of secrets that there are.
pub(super) static KINDS: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| shapes().iter().map(|(kind, ..)| *kind).chain(["private-key"]).collect());

/// For a line that goes on with a `curl`, beside the others.
pub(super) static CURL_GOES_ON: LazyLock<Vec<Late>> =
    LazyLock::new(|| curl(r"(?:^|\s)", "").into_iter().map(late).collect());

fn late(shape: Shape) -> Late {
    LazyLock::new(Box::new(|| rule(shape)))
}

fn rule((kind, pattern, _, pick): Shape) -> Rule {
    let regex = regex(&pattern);
    let names = regex.capture_names().enumerate().skip(1);
    let value_groups = names.filter(|(_, name)| *name != Some("key")).map(|(i, _)| i).collect();
    Rule { kind, regex, value_groups, pick }
}

/// Which rules may apply to a line, in one pass: the same order as [`RULES`].
pub(super) static SUSPECTS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(shapes().iter().map(|(_, _, needs, _)| *needs)).expect("the rules are constants that a test compiles")
});

/// Whether any of them may, which is sooner asked than which.
pub(super) static SUSPECT: LazyLock<Regex> = LazyLock::new(|| {
    let needs: BTreeSet<&str> = shapes().iter().map(|(_, _, needs, _)| *needs).collect();
    regex(&needs.iter().map(|needs| format!("(?:{needs})")).collect::<Vec<_>>().join("|"))
});

pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the rules are constants that a test compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_must_contain_for_a_rule_does_not_depend_on_which_digits_it_has() {
        let classes = regex(r"\[[^\]]*\]|\{[0-9,]+\}");
        for (kind, _, needs, _) in shapes() {
            let outside = classes.replace_all(needs, "");
            assert!(!outside.contains(|c: char| c.is_ascii_digit()), "{kind}: {needs}");
            let inside = classes.find_iter(needs).map(|class| class.as_str().replace("0-9", ""));
            let mut inside = inside.filter(|class| class.starts_with('['));
            assert!(inside.all(|class| !class.contains(|c: char| c.is_ascii_digit())), "{kind}: {needs}");
        }
    }
}
