//! Tells the limits what they could not see: calls that the SDK repeats by itself, and every answer that is a throttle.
//!
//! A call is waited for once; the SDK may make it three times. The repetitions are charged, so that the rate is that of
//! the requests that leave, and the first throttle slows us down, not the third.

use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::domain::{AccountId, Region};
use crate::ports::{Operation, Pace, Quota};
use crate::telemetry;

use super::fault::{THROTTLED, retry_after};

/// The interceptor of one account's clients in one region, or of STS's.
#[derive(Clone)]
pub(super) struct Meter {
    pace: Arc<dyn Pace>,
    /// `None`: STS, which counts for all accounts together.
    place: Option<(AccountId, Region)>,
}

impl Meter {
    pub(super) fn of(pace: &Arc<dyn Pace>, account: &AccountId, region: &Region) -> Self {
        Meter { pace: pace.clone(), place: Some((account.clone(), region.clone())) }
    }

    pub(super) fn of_sts(pace: &Arc<dyn Pace>) -> Self {
        Meter { pace: pace.clone(), place: None }
    }

    /// What the call counts against. `None`: an operation that is not limited here.
    fn quota(&self, operation: &str) -> Option<Quota> {
        match &self.place {
            None => Some(Quota::Sts),
            Some((account, region)) => Some(Quota::of(account, region, Operation::named(operation)?)),
        }
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meter").field(&self.place).finish()
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_repeated = cfg.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1);
        if is_repeated && let Some(quota) = self.quota(operation(cfg)) {
            self.pace.charge(&quota);
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if context.output_or_error().is_err() && is_throttle(response) {
            let operation = operation(cfg);
            metrics::counter!(telemetry::AWS_THROTTLED, "operation" => operation.to_owned()).increment(1);
            if let Some(quota) = self.quota(operation) {
                self.pace.throttled(&quota, retry_after(response));
            }
        }
        Ok(())
    }
}

fn operation(cfg: &ConfigBag) -> &str {
    cfg.load::<Metadata>().map_or("", |metadata| metadata.name())
}

/// Every protocol writes the code into the body of its error as a word of its own.
fn is_throttle(response: &HttpResponse) -> bool {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    response.status().as_u16() == 429 || words.any(|word| THROTTLED.contains(&word))
}

#[cfg(test)]
mod unit {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
    }

    #[test]
    fn a_throttle_is_seen_in_every_protocol_and_other_refusals_are_none() {
        let json = r#"{"__type":"com.amazonaws.ssm#ThrottlingException","message":"Rate exceeded"}"#;
        assert!(is_throttle(&answer(400, json)));
        assert!(is_throttle(&answer(
            503,
            "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>"
        )));
        assert!(is_throttle(&answer(400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>")));
        assert!(is_throttle(&answer(429, "")));
        assert!(!is_throttle(&answer(400, r#"{"__type":"AccessDeniedException","message":"no"}"#)));
        assert!(!is_throttle(&answer(500, "")));
    }
}
