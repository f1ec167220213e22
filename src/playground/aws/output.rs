//! How outputs are cut: by the agent to 2,500 characters for lists, by the service to 24,000 and 8,000 for one node.
//!
//! Cuts are by bytes, so they can split a character; what is left of it reads as U+FFFD.

const SHORT: usize = 2500;
const STDOUT: usize = 24_000;
const STDERR: usize = 8_000;
const ERROR_TITLE: &str = "\n----------ERROR-------\n";
const OUT_CUT: &str = "\n---Output truncated---";
const ERR_CUT: &str = "\n---Error truncated----";

fn head(text: &str, bytes: usize) -> String {
    String::from_utf8_lossy(&text.as_bytes()[..bytes.min(text.len())]).into_owned()
}

/// Both streams in at most 2,500 bytes, as ListCommandInvocations shows them.
#[must_use]
pub fn short(stdout: &str, stderr: &str) -> String {
    let title = if stderr.is_empty() { "" } else { ERROR_TITLE };
    let space = SHORT - title.len();
    if stdout.len() + stderr.len() < space {
        return format!("{stdout}{title}{stderr}");
    }
    let half = space / 2;
    if stderr.len() < half {
        let room = space - stderr.len() - OUT_CUT.len();
        return format!("{}{OUT_CUT}{title}{stderr}", head(stdout, room));
    }
    if stdout.len() < half {
        let room = space - stdout.len() - ERR_CUT.len();
        return format!("{stdout}{title}{}{ERR_CUT}", head(stderr, room));
    }
    let room = (space - OUT_CUT.len() - ERR_CUT.len()) / 2;
    format!("{}{OUT_CUT}{title}{}{ERR_CUT}", head(stdout, room), head(stderr, room))
}

/// The agent's own cut of stdout.
#[must_use]
pub fn stdout(text: &str) -> String {
    if text.len() < STDOUT { text.to_owned() } else { head(text, STDOUT - 20) + "--output truncated--" }
}

#[must_use]
pub fn stderr(text: &str) -> String {
    if text.len() < STDERR { text.to_owned() } else { head(text, STDERR) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_output_is_whole_with_the_errors_under_their_title() {
        assert_eq!(short("out\n", ""), "out\n");
        assert_eq!(
            short("failed-stdout\n", "failed-stderr\nfailed to run commands: exit status 7"),
            "failed-stdout\n\n----------ERROR-------\nfailed-stderr\nfailed to run commands: exit status 7"
        );
    }

    #[test]
    fn a_long_output_is_cut_and_says_so() {
        let long = "x".repeat(5000);
        for (out, err) in [(long.as_str(), ""), (&long, "e"), ("o", &long), (&long, &long)] {
            let text = short(out, err);
            assert!(text.len() <= SHORT, "{}", text.len());
            assert_eq!(text.contains("---Output truncated---"), out.len() > 100);
            assert_eq!(text.contains("---Error truncated----"), err.len() > 100);
        }
        let whole = stdout(&"x".repeat(30_000));
        assert_eq!((whole.len(), whole.ends_with("x--output truncated--")), (24_000, true));
        assert_eq!(stderr(&long.repeat(2)).len(), 8000);
    }

    #[test]
    fn a_cut_through_a_character_leaves_valid_text() {
        let text = short(&"é".repeat(2000), "");
        assert!(text.contains('\u{fffd}') || text.len() <= SHORT);
    }
}
