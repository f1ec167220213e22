//! Snowflakes: ids that carry their time, 42 bits of milliseconds since 2015 above 22 bits that make them unique.
//!
//! Source: Discord's reference, "Snowflakes". As text they have 19 digits from 2022 to 2090, so they sort by age.

use jiff::Timestamp;

/// The first second of 2015, in milliseconds.
const EPOCH_MS: i64 = 1_420_070_400_000;

#[derive(Debug, Default)]
pub struct Snowflakes {
    last: u64,
}

impl Snowflakes {
    /// A new id, larger than every one before.
    pub fn new_id(&mut self) -> String {
        let now = u64::try_from(Timestamp::now().as_millisecond() - EPOCH_MS).unwrap_or_default() << 22;
        self.last = now.max(self.last + 1);
        self.last.to_string()
    }
}

/// When the thing with this id was made, as Discord writes times: `2026-11-28T21:17:38.000000+00:00`.
pub fn written_time(id: &str) -> String {
    written(time(id))
}

pub fn time(id: &str) -> Timestamp {
    let millis = id.parse::<u64>().unwrap_or_default() >> 22;
    // 42 bits of milliseconds are far inside what a timestamp holds.
    Timestamp::from_millisecond(EPOCH_MS + millis as i64).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_time_and_ids_sort_by_age() {
        assert_eq!(written_time("175928847299117063"), "2016-04-30T11:18:25.796000+00:00");
        let mut ids = Snowflakes::default();
        let made: Vec<String> = (0..100).map(|_| ids.new_id()).collect();
        assert!(made.is_sorted() && made.iter().all(|id| id.len() == 19), "{made:?}");
        assert!(Timestamp::now().duration_since(time(&made[0])).as_secs() < 60);
    }
}
