//! What AWS's clock says, learned from the `Date` of its answers; and a count of every HTTP request.
//!
//! A request is taken only within minutes of the time it is signed with, so that a send is signed with, and given up
//! by, AWS's time and not this host's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;

use crate::domain::Timestamp;
use crate::ports::Clock;
use crate::telemetry;

/// AWS's clock minus this host's, in milliseconds. Shared by every clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew(Arc<AtomicI64>);

impl Skew {
    pub(super) fn correct(&self, local: Timestamp) -> Timestamp {
        local.checked_add(self.ahead()).unwrap_or(local)
    }

    /// How far AWS's clock is ahead; negative where it is behind.
    pub(super) fn ahead(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Learns from one answer: `date` has whole seconds, and the server wrote it between `sent` and `received`.
    ///
    /// So the skew lies in an interval. Zero if that is possible, else its middle: a clock that is right is not made
    /// wrong by rounding.
    fn learn(&self, sent: Timestamp, received: Timestamp, date: Timestamp) {
        let least = date.as_millisecond() - received.as_millisecond();
        let most = date.as_millisecond() + 999 - sent.as_millisecond();
        let skew = if least <= 0 && most >= 0 { 0 } else { least + (most - least) / 2 };
        self.0.store(skew, Ordering::Relaxed);
    }
}

/// The interceptor that every client carries.
#[derive(Clone)]
pub(super) struct Witness {
    pub(super) skew: Skew,
    pub(super) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

#[derive(Debug, Clone, Copy)]
struct SentAt(Timestamp);
impl Storable for SentAt {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "Witness"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = cfg.load::<Metadata>().map_or_else(String::new, |m| m.name().to_owned());
        metrics::counter!(telemetry::AWS_CALLS, "operation" => operation).increment(1);
        cfg.interceptor_state().store_put(SentAt(self.clock.now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sent = cfg.load::<SentAt>().map(|s| s.0);
        let date = context
            .response()
            .headers()
            .get("date")
            .and_then(|text| DateTime::from_str(text, Format::HttpDate).ok())
            .and_then(|d| Timestamp::from_second(d.secs()).ok());
        if let (Some(sent), Some(date)) = (sent, date) {
            self.skew.learn(sent, self.clock.now(), date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_is_right_is_left_alone_and_a_wrong_one_is_corrected() {
        let skew = Skew::default();
        let now = at("2026-11-22T10:00:00.900Z");
        skew.learn(at("2026-11-22T10:00:00.700Z"), now, at("2026-11-22T10:00:00Z"));
        assert_eq!(skew.correct(now), now, "rounding to seconds is no skew");

        skew.learn(at("2026-11-22T10:00:00Z"), at("2026-11-22T10:00:00.200Z"), at("2026-11-22T10:07:00Z"));
        let corrected = skew.correct(at("2026-11-22T10:00:00Z"));
        let off = corrected.duration_since(at("2026-11-22T10:07:00Z")).as_millis().abs();
        assert!(off <= 1000, "{off} ms off");

        skew.learn(at("2026-11-22T10:07:00Z"), at("2026-11-22T10:07:00.200Z"), at("2026-11-22T10:00:00Z"));
        assert!(skew.correct(at("2026-11-22T10:07:00Z")) < at("2026-11-22T10:00:02Z"), "backwards too");
    }
}
