//! Takes out of a thread's text what differs from run to run, so that it can be compared with a stored one.
//!
//! In this order: names of output files (`r-<run>-NAME-<hash>.txt`); short run ids (`r-#1`, `r-#2` in order of appearance); the
//! simulators' addresses (`http://<host>`); Slack times (`<ts>`); ids of Discord (`<snowflake>`); ULIDs (`<run>`); UUIDs (`<id>`); digests of plans and revisions, and hex of 12 digits and more that
//! is no node id (`<hash>`);
//! dates, as those of a journal too, and clock times (`<date>`, `<clock>`); durations such as `3.2 s`, `1 m 12 s`, `14 min` (`<time>`); sizes of
//! files (`<size>`). Everything else must be the same in every run.

use std::sync::LazyLock;

use regex::Regex;

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"https?://(?:127\.0\.0\.1|localhost|\[::1\]):\d+", "http://<host>"),
        (r"\b\d{10}\.\d{6}\b|\bp\d{16}\b", "<ts>"),
        (r"\b1[1-9]\d{17}\b", "<snowflake>"),
        (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<run>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
        (r"(?P<keep>[Pp]lan |revision )`[0-9a-f]{12}`", "${keep}`<hash>`"),
        // The mark by which a message of Muster's at Discord is found again.
        (r"(?m)(?P<keep>\bmuster )[0-9a-f]{12}$", "${keep}<hash>"),
        (r"(?P<keep>^|[^-0-9A-Za-z])(?:sha256:)?[0-9a-f]*[a-f][0-9a-f]{11,}\b", "${keep}<hash>"),
        (r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d\b", "<date>"),
        (
            r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?)?",
            "<date>",
        ),
        (r"\b\d{1,2}:\d\d(?::\d\d)?(?: UTC)?\b", "<clock>"),
        (r"\b\d+(?:\.\d+)?\s?(?:ms|s|min|m|h|seconds?|minutes?|hours?)\b(?: \d+\s?(?:ms|s|min|m)\b)*", "<time>"),
        (r"(?m)^(?P<keep>.*\(file\) .*), [\d.]+ (?:bytes?|kB|MB)$", "${keep}, <size>"),
    ];
    rules.into_iter().filter_map(|(pattern, by)| Some((Regex::new(pattern).ok()?, by))).collect()
});
/// A short id of nothing but digits reads the same in the name of a file, which is read first for that.
static FILE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\br-[0-9a-z]{4,26}-([a-z0-9-]+)-[0-9a-f]{6}\.(txt|csv|json)\b").ok());
static SHORT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\br-[0-9A-HJKMNP-TV-Z]{4,26}\b").ok());

pub fn normalise(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(file) = FILE.as_ref() {
        text = file.replace_all(&text, "r-<run>-$1-<hash>.$2").into_owned();
    }
    if let Some(short) = SHORT.as_ref() {
        let mut seen: Vec<String> = Vec::new();
        text = short
            .replace_all(&text, |found: &regex::Captures<'_>| {
                let id = found[0].to_owned();
                let at = seen.iter().position(|s| *s == id).unwrap_or_else(|| {
                    seen.push(id);
                    seen.len() - 1
                });
                format!("r-#{}", at + 1)
            })
            .into_owned();
    }
    for (rule, by) in RULES.iter() {
        text = rule.replace_all(&text, *by).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        let text = "r-7F3K and r-9ZZZ, r-7F3K again; 3.2 s, 1 m 12 s, 14 min; until 14:30 UTC on 2026-11-22\n\
                    01JD3X5Q8Z4W6V2N7B9C1M0KTR i-0a1b2c3d4e5f60718 111111111111 digest 0a1b2c3d4e5f6071\n\
                    http://127.0.0.1:4711/x 1763820000.000123 1576309853126852608\n(file) run-r-7F3K.log, 12.3 kB\n\
                    since Sun 2026-11-22 10:00:01; Nov  2 10:00:01 ip-10-0-0-1 systemd; r-4573 has r-4573-df-50b171.txt";
        insta::assert_snapshot!(normalise(text), @r"
        r-#1 and r-#2, r-#1 again; <time>, <time>, <time>; until <clock> on <date>
        <run> i-0a1b2c3d4e5f60718 111111111111 digest <hash>
        http://<host>/x <ts> <snowflake>
        (file) run-r-#1.log, <size>
        since <date>; <date> ip-10-0-0-1 systemd; r-#3 has r-<run>-df-<hash>.txt
        ");
        assert_eq!(RULES.len(), 13);
    }
}
