//! Discord's ids: 64-bit numbers, written as text everywhere, never zero.

/// The number of an id that Discord could have made.
pub(super) fn snowflake(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|id| plain && *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_discord_could_have_made_is_an_id() {
        assert_eq!(snowflake("175928847299117063"), Some(175_928_847_299_117_063));
        for text in ["", "0", "-1", "+1", "U034CD", "1 ", "18446744073709551616"] {
            assert_eq!(snowflake(text), None, "{text}");
        }
    }
}
