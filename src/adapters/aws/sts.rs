//! AssumeRole, and what its refusals mean.
//!
//! The SDK's own provider cannot carry a SourceIdentity and asks for its base credentials at every call, so this is
//! ours: one STS client for the process, credentials kept with the session they belong to. That also keeps the SDK's
//! identity cache (64 entries unless told, evicted at random) out of the way of hundreds of accounts.
//!
//! AWS counts every call against the account that Muster calls from and its region, so what is bounded is the whole: a
//! rate that learns, at the engine's limits ([`Quota::Sts`]), where runs take turns. Calls in flight have a bound that an
//! ordinary day never reaches and a time-out each, so that an account whose role answers late holds back none.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::{Mutex, Semaphore};

use crate::domain::{AccountId, Secret, Timestamp};
use crate::ports::{Clock, Pace, Quota};

use super::fault::{Failure, Fault, Site, between};
use super::meter::Meter;
use super::skew::{Skew, Witness};

/// AssumeRole calls in flight at once, when STS hangs: the rate is what bounds them otherwise.
const IN_FLIGHT: usize = 256;
/// One AssumeRole with the SDK's repetitions, and one exchange of it: STS answers within tenths of a second.
const WITHIN: Duration = Duration::from_secs(15);
const ATTEMPT_WITHIN: Duration = Duration::from_secs(5);
/// A session is renewed this long before it ends, so that none ends within a call.
const MARGIN: Duration = Duration::from_secs(300);
/// A chained session lasts an hour at most.
const LASTS_SECS: i32 = 3600;

/// One AssumeRole.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) site: Site,
    pub(super) role_arn: String,
    pub(super) session_name: String,
    pub(super) external_id: Option<Secret>,
    /// Sticky: a session that carries one cannot change it further on, so the central role's has none.
    pub(super) source_identity: Option<String>,
    pub(super) policy: Option<String>,
}

/// Why a session could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AssumeError {
    /// The session policy does not fit AWS's packed form; a shorter one may.
    PolicyTooLarge,
    Fault(Fault),
}

impl AssumeError {
    pub(super) fn into_fault(self, site: &Site) -> Fault {
        match self {
            AssumeError::Fault(fault) => fault,
            AssumeError::PolicyTooLarge => {
                Fault::Refused(format!("AWS finds the session policy for {site} too large: run on fewer nodes at once"))
            }
        }
    }
}

/// The STS client of the process, with the central role behind it where there is one.
pub(super) struct Sts {
    /// The host's own rights.
    base: SdkConfig,
    central_role: Option<String>,
    witness: Witness,
    pace: Arc<dyn Pace>,
    /// What roles are assumed with: the host's rights, or the central role's. Replaced when AWS drops its session.
    entry: RwLock<Entry>,
    slots: Semaphore,
}

#[derive(Debug, Clone)]
struct Entry {
    generation: u64,
    config: SdkConfig,
    client: aws_sdk_sts::Client,
}

impl Sts {
    pub(super) fn new(base: SdkConfig, central_role: Option<String>, witness: Witness, pace: Arc<dyn Pace>) -> Self {
        let entry = RwLock::new(enter(&base, central_role.as_deref(), &witness, &pace, 0));
        Sts { base, central_role, witness, pace, entry, slots: Semaphore::new(IN_FLIGHT) }
    }

    /// The configuration whose credentials are the central role's, or the host's own.
    pub(super) fn config(&self) -> SdkConfig {
        self.entry().config
    }

    /// Account and ARN of those credentials.
    pub(super) async fn caller(&self) -> Result<(AccountId, String), Fault> {
        let site = central_site(self.central_role.as_deref());
        self.pace.turn(&Quota::Sts).await;
        identity(&self.entry().client, &site).await
    }

    /// Account and ARN of the host's own rights, before any role.
    pub(super) async fn host(&self) -> Result<(AccountId, String), Fault> {
        self.pace.turn(&Quota::Sts).await;
        identity(&client(&self.base, &self.witness, &self.pace), &central_site(None)).await
    }

    /// One AssumeRole. If the central role's session was dropped, it is assumed anew once.
    pub(super) async fn assume(&self, ask: &Ask) -> Result<Credentials, AssumeError> {
        self.pace.turn(&Quota::Sts).await;
        let _slot = self.slots.acquire().await.ok();
        let entry = self.entry();
        match assume(&entry.client, ask, self.central_role.is_some()).await {
            Err(AssumeError::Fault(Fault::Expired(_))) if self.central_role.is_some() => {
                self.pace.turn(&Quota::Sts).await;
                assume(&self.renewed(entry.generation).client, ask, true).await
            }
            other => other,
        }
    }

    fn entry(&self) -> Entry {
        self.entry.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn renewed(&self, stale: u64) -> Entry {
        let mut entry = self.entry.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if entry.generation == stale {
            *entry = enter(&self.base, self.central_role.as_deref(), &self.witness, &self.pace, stale + 1);
        }
        entry.clone()
    }
}

pub(super) fn client(config: &SdkConfig, witness: &Witness, pace: &Arc<dyn Pace>) -> aws_sdk_sts::Client {
    let told = config.timeout_config();
    let shorter = |told: Option<Duration>, ours: Duration| told.map_or(ours, |told| told.min(ours));
    let mut timeouts = told.map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
    timeouts
        .set_operation_timeout(Some(shorter(told.and_then(TimeoutConfig::operation_timeout), WITHIN)))
        .set_operation_attempt_timeout(Some(shorter(
            told.and_then(TimeoutConfig::operation_attempt_timeout),
            ATTEMPT_WITHIN,
        )));
    aws_sdk_sts::Client::from_conf(
        aws_sdk_sts::config::Builder::from(config)
            .timeout_config(timeouts.build())
            .interceptor(witness.clone())
            .interceptor(Meter::of_sts(pace))
            .build(),
    )
}

/// GetCallerIdentity, which no policy can deny.
pub(super) async fn identity(client: &aws_sdk_sts::Client, site: &Site) -> Result<(AccountId, String), Fault> {
    let answer =
        client.get_caller_identity().send().await.map_err(|e| Failure::of(&e).fault("GetCallerIdentity", site))?;
    let account = answer.account().unwrap_or_default();
    match account.parse() {
        Ok(id) => Ok((id, answer.arn().unwrap_or_default().to_owned())),
        Err(wrong) => Err(Fault::Transient(format!("STS did not say which account this is: {wrong}"))),
    }
}

fn enter(
    base: &SdkConfig,
    central_role: Option<&str>,
    witness: &Witness,
    pace: &Arc<dyn Pace>,
    generation: u64,
) -> Entry {
    let host = client(base, witness, pace);
    let Some(role_arn) = central_role else {
        return Entry { generation, config: base.clone(), client: host };
    };
    let ask = Ask {
        site: central_site(central_role),
        role_arn: role_arn.to_owned(),
        session_name: "muster".to_owned(),
        external_id: None,
        source_identity: None,
        policy: None,
    };
    let provider = Assumed::new(Assumer::Host(host, pace.clone()), ask, witness.skew.clone(), witness.clock.clone());
    let config = with_session(base, &Arc::new(provider));
    Entry { generation, client: client(&config, witness, pace), config }
}

/// `base` with the credentials of one session, which keeps them itself.
pub(super) fn with_session(base: &SdkConfig, provider: &Arc<Assumed>) -> SdkConfig {
    base.to_builder()
        .credentials_provider(SharedCredentialsProvider::new(Kept(provider.clone())))
        .identity_cache(IdentityCache::no_cache())
        .build()
}

/// The account that the central role's ARN names, for sentences about it.
fn central_site(role_arn: Option<&str>) -> Site {
    let account = role_arn.and_then(|arn| arn.split(':').nth(4)?.parse().ok());
    Site {
        name: if role_arn.is_some() { "the central account" } else { "this host's account" }.to_owned(),
        account: account.unwrap_or_else(nobody),
        role: role_arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned(),
        region: None,
    }
}

/// Stands where an account id is needed before AWS has told it. No account has this id.
pub(super) fn nobody() -> AccountId {
    match "000000000000".parse() {
        Ok(id) => id,
        Err(_) => unreachable!("twelve digits are an account id"),
    }
}

async fn assume(client: &aws_sdk_sts::Client, ask: &Ask, chained: bool) -> Result<Credentials, AssumeError> {
    let answer = client
        .assume_role()
        .role_arn(&ask.role_arn)
        .role_session_name(&ask.session_name)
        .set_external_id(ask.external_id.as_ref().map(|id| id.reveal().to_owned()))
        .set_source_identity(ask.source_identity.clone())
        .set_policy(ask.policy.clone())
        .duration_seconds(LASTS_SECS)
        .send()
        .await
        .map_err(|e| {
            let mut failure = Failure::of(&e);
            // STS quotes a value that it finds malformed.
            if let Some(secret) = ask.external_id.as_ref().filter(|s| !s.reveal().is_empty()) {
                failure.message = failure.message.replace(secret.reveal(), "…");
            }
            refusal(&failure, ask, chained)
        })?;
    let given = answer.credentials().ok_or_else(|| {
        AssumeError::Fault(Fault::Transient(format!("STS gave no credentials for {}; it is tried again", ask.site)))
    })?;
    Ok(Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        SystemTime::try_from(*given.expiration()).ok(),
        "muster",
    ))
}

fn refusal(failure: &Failure, ask: &Ask, chained: bool) -> AssumeError {
    if failure.code() == "PackedPolicyTooLarge" || failure.code() == "PackedPolicyTooLargeException" {
        return AssumeError::PolicyTooLarge;
    }
    let Ask { site, .. } = ask;
    let fault = match failure.code() {
        "AccessDenied" | "AccessDeniedException" => Fault::Refused(denial(failure, ask)),
        "RegionDisabledException" => Fault::Refused(format!(
            "STS is switched off in the configured region for {site}: switch it on in that account, or set another `region` under `[aws]`"
        )),
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => Fault::Refused(format!(
            "AWS finds the session policy for {site} malformed ({}): check the document names and the boundary tag",
            failure.message
        )),
        _ if failure.expired() || failure.unrecognized() => Fault::Expired(if chained {
            format!("AWS dropped the central role's session before {site} was entered; it is assumed anew")
        } else {
            "AWS no longer accepts the credentials that Muster runs with: renew them on this host".to_owned()
        }),
        // Not the account is throttled that was to be entered, so its own limits must not learn from it.
        _ if failure.throttled() => {
            Fault::Transient(format!("STS throttles the entering of {site}; it is tried again"))
        }
        _ => failure.fault("AssumeRole", site),
    };
    AssumeError::Fault(fault)
}

/// STS gives one code for a missing role, a wrong External ID and a trust that does not name us, on purpose; the
/// action it names tells some of them apart.
fn denial(failure: &Failure, ask: &Ask) -> String {
    let Ask { site, .. } = ask;
    let role = &site.role;
    let caller = between(&failure.message, "User: ").map(|arn| format!(" (`{arn}`)")).unwrap_or_default();
    match between(&failure.message, "to perform: ") {
        Some("sts:SetSourceIdentity") => format!(
            "cannot enter {site}: the role `{role}` lets Muster in, but does not let it say who it acts for; add `sts:SetSourceIdentity` to the role's trust policy"
        ),
        Some("sts:TagSession") => format!(
            "cannot enter {site}: the role `{role}` does not allow `sts:TagSession`; add it to the role's trust policy"
        ),
        _ if ask.external_id.is_some() => format!(
            "cannot enter {site}: the role `{role}` refuses Muster{caller}; check that the role exists, that its trust policy names this caller, and that the External ID is the one it asks for"
        ),
        _ => format!(
            "cannot enter {site}: the role `{role}` refuses Muster{caller}; check that the role exists and that its trust policy names this caller, and give the account its `external_id` if the role asks for one"
        ),
    }
}

/// Who calls AssumeRole.
pub(super) enum Assumer {
    /// The host itself, to enter the central role.
    Host(aws_sdk_sts::Client, Arc<dyn Pace>),
    /// Whatever roles are entered with.
    Entry(Arc<Sts>),
}

/// One session: its credentials, renewed before they end. Concurrent first uses make one call.
pub(super) struct Assumed {
    by: Assumer,
    ask: Ask,
    skew: Skew,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
    generation: AtomicU64,
    /// Sessions in a row that AWS did not take.
    dropped: AtomicU32,
    /// STS found the policy too large, and always will.
    too_large: AtomicBool,
}

#[derive(Clone)]
struct Held {
    credentials: Credentials,
    since: Timestamp,
}

impl std::fmt::Debug for Assumed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Assumed({}, {})", self.ask.site, self.ask.session_name)
    }
}

impl Assumed {
    pub(super) fn new(by: Assumer, ask: Ask, skew: Skew, clock: Arc<dyn Clock>) -> Self {
        Assumed {
            by,
            ask,
            skew,
            clock,
            held: Mutex::new(None),
            generation: AtomicU64::new(0),
            dropped: AtomicU32::new(0),
            too_large: AtomicBool::new(false),
        }
    }

    pub(super) fn site(&self) -> &Site {
        &self.ask.site
    }

    /// The credentials in hand, or new ones; and which generation they are, for [`Self::forget`].
    pub(super) async fn credentials(&self) -> Result<(Credentials, u64), AssumeError> {
        let mut held = self.held.lock().await;
        let now = self.skew.correct(self.clock.now());
        let left = held.as_ref().map(|h| left(h, now));
        if let (Some(h), Some(Left::Plenty)) = (held.as_ref(), left) {
            return Ok((h.credentials.clone(), self.generation.load(Ordering::Relaxed)));
        }
        if self.too_large.load(Ordering::Relaxed) {
            return Err(AssumeError::PolicyTooLarge);
        }
        let asked = match &self.by {
            Assumer::Host(client, pace) => {
                // Within the turn of whoever enters an account by it.
                pace.charge(&Quota::Sts);
                assume(client, &self.ask, false).await
            }
            Assumer::Entry(sts) => sts.assume(&self.ask).await,
        };
        match (asked, held.as_ref(), left) {
            (Ok(credentials), ..) => {
                *held = Some(Held { credentials: credentials.clone(), since: self.skew.correct(self.clock.now()) });
                Ok((credentials, self.generation.fetch_add(1, Ordering::Relaxed) + 1))
            }
            // Renewal failed, but what we hold is good for a while yet. A refusal stands: rights were taken away.
            (Err(AssumeError::Fault(Fault::Transient(_))), Some(h), Some(Left::Little)) => {
                Ok((h.credentials.clone(), self.generation.load(Ordering::Relaxed)))
            }
            (Err(error), ..) => {
                self.too_large.store(error == AssumeError::PolicyTooLarge, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// AWS does not take the credentials of this generation: the next use assumes anew. Says how many sessions in a row
    /// it did not take: from the second on, new ones will not help.
    pub(super) async fn forget(&self, generation: u64) -> u32 {
        let mut held = self.held.lock().await;
        if self.generation.load(Ordering::Relaxed) == generation && held.take().is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.dropped.load(Ordering::Relaxed)
    }

    /// AWS took them.
    pub(super) fn taken(&self) {
        self.dropped.store(0, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Plenty,
    Little,
    None,
}

/// Short sessions (a role may allow 15 minutes, a simulator seconds) are used for two thirds of their life at least.
fn left(held: &Held, now: Timestamp) -> Left {
    let Some(expiry) = held.credentials.expiry().and_then(|t| Timestamp::try_from(t).ok()) else {
        return Left::Plenty;
    };
    let life = expiry.duration_since(held.since);
    let margin = (life / 3).min(jiff::SignedDuration::try_from(MARGIN).unwrap_or(life));
    match expiry.duration_since(now) {
        rest if rest > margin => Left::Plenty,
        rest if rest.is_positive() => Left::Little,
        _ => Left::None,
    }
}

/// Hands a session's credentials to the SDK's clients.
#[derive(Debug)]
struct Kept(Arc<Assumed>);

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0
                .credentials()
                .await
                .map(|(credentials, _)| credentials)
                .map_err(|error| CredentialsError::provider_error(error.into_fault(self.0.site())))
        })
    }
}
