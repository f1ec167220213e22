//! One session per account for reading, one per run and account for sending, each with its regional clients.
//!
//! Clients are kept (25 KB each) and share one connection pool; each account and region has its own retry budget, because the
//! SDK's default budget is one for the whole process and region, so that one throttled account would starve the rest.
//!
//! The pool itself bounds nothing but what it keeps: a call that finds no idle connection opens one, so that calls that
//! hang at one account never hold back another's. Connections are bounded by the calls in flight: regions read for one
//! plan, sends and looks as the limits let them go, and AssumeRole by [`sts`]. Every call ends by its time-outs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ssm::config::retry::RetryPartition;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use crate::domain::{AccountId, Region, RunId, Timestamp};
use crate::ports::{Clock, Guard, Operation, Pace, Quota, SendSession};

use super::fault::{Fault, Site};
use super::meter::Meter;
use super::objects::Objects;
use super::policy;
use super::settings::{AccountSettings, BaseKeys, Settings};
use super::skew::{Skew, Witness};
use super::sts::{self, Ask, AssumeError, Assumed, Assumer, Sts};

/// Muster's own name in CloudTrail, where it acts for nobody in particular.
const OWN_IDENTITY: &str = "muster";
/// A sending session that nobody used for this long is dropped.
const SENDING_IDLE: jiff::SignedDuration = jiff::SignedDuration::from_hours(2);
/// A connection that AWS may have closed meanwhile makes the fate of a send unknown, so idle ones are not kept for long.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// Idle connections kept to one of AWS's regional hosts, which serve every account.
const POOL_IDLE_MAX: usize = 128;
/// Base credentials are fetched anew this long before they end.
const BASE_MARGIN: Duration = Duration::from_secs(300);

pub(super) struct Sessions {
    pub(super) settings: Settings,
    pub(super) witness: Witness,
    pub(super) objects: Objects,
    /// Everything of the process but the credentials.
    base: SdkConfig,
    sts: Arc<Sts>,
    pace: Arc<dyn Pace>,
    /// Accounts that discovery found, by id.
    discovered: RwLock<BTreeMap<AccountId, AccountSettings>>,
    reading: Mutex<HashMap<AccountId, Arc<Session>>>,
    sending: Mutex<HashMap<SendingKey, (Arc<Session>, Timestamp)>>,
}

/// A run's session into an account with one policy.
type SendingKey = (RunId, AccountId, String);

/// Credentials of one assumed role, with its clients.
pub(super) struct Session {
    assumed: Arc<Assumed>,
    config: SdkConfig,
    witness: Witness,
    pace: Arc<dyn Pace>,
    ssm: Mutex<HashMap<Region, aws_sdk_ssm::Client>>,
    #[cfg(feature = "ec2")]
    ec2: Mutex<HashMap<Region, aws_sdk_ec2::Client>>,
}

impl Sessions {
    pub(super) async fn new(settings: Settings, skew: Skew, clock: Arc<dyn Clock>, pace: Arc<dyn Pace>) -> Self {
        let witness = Witness { skew, clock };
        let base = base(&settings).await;
        let sts = Arc::new(Sts::new(base.clone(), settings.central_role.clone(), witness.clone(), pace.clone()));
        let objects = Objects::new(&base, settings.timeouts.attempt);
        Sessions {
            settings,
            witness,
            objects,
            base,
            sts,
            pace,
            discovered: RwLock::default(),
            reading: Mutex::default(),
            sending: Mutex::default(),
        }
    }

    pub(super) async fn caller(&self) -> Result<(AccountId, String), Fault> {
        self.sts.caller().await
    }

    pub(super) async fn host(&self) -> Result<(AccountId, String), Fault> {
        self.sts.host().await
    }

    /// Whether the account can be entered without its External ID. The session that would prove it may do nothing, and
    /// is not kept.
    pub(super) async fn guard(&self, account: &AccountId) -> Result<Guard, Fault> {
        let account = self.account(account)?;
        if account.external_id.is_none() {
            return Ok(Guard::NoneConfigured);
        }
        let ask = self.ask(&account, "muster-doctor".to_owned(), OWN_IDENTITY.to_owned(), policy::NOTHING);
        match self.sts.assume(&Ask { external_id: None, ..ask }).await {
            Ok(_) => Ok(Guard::LetsIn),
            Err(AssumeError::Fault(Fault::Refused(_))) => Ok(Guard::Refuses),
            Err(error) => Err(error.into_fault(&self.site(&account))),
        }
    }

    /// The configuration with the rights that roles are assumed with; Organizations is asked with these.
    pub(super) fn central(&self) -> SdkConfig {
        self.sts.config()
    }

    pub(super) async fn account_reached(&self, account: &AccountId) -> Result<AccountId, Fault> {
        let session = self.reading(account)?;
        session.warm().await?;
        let client = sts::client(&session.config, &self.witness, &self.pace);
        sts::identity(&client, session.assumed.site()).await.map(|(id, _)| id)
    }

    pub(super) fn remember(&self, found: Vec<AccountSettings>) {
        let mut discovered = self.discovered.write().unwrap_or_else(PoisonError::into_inner);
        *discovered = found.into_iter().map(|a| (a.account.id.clone(), a)).collect();
    }

    /// Configured, discovered, or (after a restart, before discovery has run) of the organisation by its rules.
    pub(super) fn account(&self, id: &AccountId) -> Result<AccountSettings, Fault> {
        if let Some(known) = self.settings.accounts.iter().find(|a| &a.account.id == id) {
            return Ok(known.clone());
        }
        let discovered = self.discovered.read().unwrap_or_else(PoisonError::into_inner);
        match (discovered.get(id), &self.settings.organization) {
            (Some(found), _) => Ok(found.clone()),
            (None, Some(org)) if !org.exclude.contains(id) => {
                Ok(super::organization::member(org, id.clone(), id.as_str().to_owned()))
            }
            _ => Err(Fault::Refused(format!(
                "account {id} is neither configured nor part of the organisation: add it as `[[account]]`"
            ))),
        }
    }

    fn site(&self, account: &AccountSettings) -> Site {
        Site {
            account: account.account.id.clone(),
            name: account.account.name.clone(),
            role: account.role.rsplit('/').next().unwrap_or_default().to_owned(),
            region: None,
        }
    }

    fn ask(&self, account: &AccountSettings, name: String, identity: String, policy: &str) -> Ask {
        let role_arn = if account.role.starts_with("arn:") {
            account.role.clone()
        } else {
            let partition = policy::partition(&self.settings.region);
            format!("arn:{partition}:iam::{}:role/{}", account.account.id, account.role)
        };
        Ask {
            site: self.site(account),
            role_arn,
            session_name: name,
            external_id: account.external_id.clone(),
            source_identity: Some(identity),
            policy: Some(policy.to_owned()),
        }
    }

    fn session(&self, ask: Ask) -> Arc<Session> {
        let by = Assumer::Entry(self.sts.clone());
        let Witness { skew, clock } = self.witness.clone();
        let assumed = Arc::new(Assumed::new(by, ask, skew, clock));
        Arc::new(Session {
            config: sts::with_session(&self.base, &assumed),
            assumed,
            witness: self.witness.clone(),
            pace: self.pace.clone(),
            ssm: Mutex::default(),
            #[cfg(feature = "ec2")]
            ec2: Mutex::default(),
        })
    }

    /// The reading session of an account; no call is made yet.
    pub(super) fn reading(&self, id: &AccountId) -> Result<Arc<Session>, Fault> {
        let account = self.account(id)?;
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let session = reading.entry(id.clone()).or_insert_with(|| {
            let policy = policy::reading(account.outputs.as_ref());
            self.session(self.ask(&account, "muster-read".to_owned(), OWN_IDENTITY.to_owned(), &policy))
        });
        Ok(session.clone())
    }

    /// Enters the account for reading, unless it is entered already.
    pub(super) async fn warm(&self, id: &AccountId) -> Result<(), Fault> {
        self.reading(id)?.warm().await.map(|_| ())
    }

    /// The session to send into `region` with, opened: the narrowest whose policy AWS takes.
    pub(super) async fn sending(&self, wanted: &SendSession, region: &Region) -> Result<Arc<Session>, Fault> {
        let account = self.account(&wanted.account)?;
        let site = self.site(&account).in_region(region);
        let policies = policy::sending(wanted, region, self.settings.boundary_tag.as_ref())
            .map_err(|why| Fault::Refused(format!("cannot send in {site}: {why}")))?;
        let mut too_large = AssumeError::PolicyTooLarge;
        for (_, policy) in policies {
            let session = self.kept_sending(wanted, &account, policy);
            match session.assumed.credentials().await {
                Ok(_) => return Ok(session),
                Err(AssumeError::PolicyTooLarge) => too_large = AssumeError::PolicyTooLarge,
                Err(AssumeError::Fault(fault)) => return Err(fault),
            }
        }
        Err(too_large.into_fault(&site))
    }

    fn kept_sending(&self, wanted: &SendSession, account: &AccountSettings, policy: String) -> Arc<Session> {
        let now = self.witness.clock.now();
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (wanted.run, wanted.account.clone(), policy);
        if let Some((session, used)) = sending.get_mut(&key) {
            *used = now;
            return session.clone();
        }
        sending.retain(|_, (_, used)| now.duration_since(*used) < SENDING_IDLE);
        let session = self.session(self.ask(account, session_name(wanted), wanted.identity.clone(), &key.2));
        sending.insert(key, (session.clone(), now));
        session
    }
}

impl Session {
    /// Credentials in hand, so that the call that follows is the call alone.
    pub(super) async fn warm(&self) -> Result<u64, Fault> {
        match self.assumed.credentials().await {
            Ok((_, generation)) => Ok(generation),
            Err(error) => Err(error.into_fault(self.assumed.site())),
        }
    }

    /// The credentials, and which generation they are, for [`Self::forget`].
    pub(super) async fn credentials(&self) -> Result<(Credentials, u64), Fault> {
        self.assumed.credentials().await.map_err(|error| error.into_fault(self.assumed.site()))
    }

    /// See [`Assumed::forget`].
    pub(super) async fn forget(&self, generation: u64) -> u32 {
        self.assumed.forget(generation).await
    }

    /// AWS took the session.
    pub(super) fn taken(&self) {
        self.assumed.taken();
    }

    /// Waits until one more call may be made that nobody has waited for yet.
    pub(super) async fn turn(&self, region: &Region, operation: Operation) {
        self.pace.turn(&Quota::of(&self.assumed.site().account, region, operation)).await;
    }

    pub(super) fn site(&self, region: &Region) -> Site {
        self.assumed.site().in_region(region)
    }

    pub(super) fn ssm(&self, region: &Region) -> aws_sdk_ssm::Client {
        let mut clients = self.ssm.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(&self.config)
                    .region(aws_sdk_ssm::config::Region::new(region.to_string()))
                    .retry_partition(self.partition(region))
                    .interceptor(self.witness.clone())
                    .interceptor(Meter::of(&self.pace, &self.assumed.site().account, region))
                    .build(),
            )
        };
        clients.entry(region.clone()).or_insert_with(make).clone()
    }

    #[cfg(feature = "ec2")]
    pub(super) fn ec2(&self, region: &Region) -> aws_sdk_ec2::Client {
        let mut clients = self.ec2.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            aws_sdk_ec2::Client::from_conf(
                aws_sdk_ec2::config::Builder::from(&self.config)
                    .region(aws_sdk_ec2::config::Region::new(region.to_string()))
                    .retry_partition(self.partition(region))
                    .interceptor(self.witness.clone())
                    .interceptor(Meter::of(&self.pace, &self.assumed.site().account, region))
                    .build(),
            )
        };
        clients.entry(region.clone()).or_insert_with(make).clone()
    }

    fn partition(&self, region: &Region) -> RetryPartition {
        RetryPartition::custom(format!("{}-{region}", self.assumed.site().account)).build()
    }
}

/// What CloudTrail and everything that the session starts name it by.
pub(super) fn session_name(wanted: &SendSession) -> String {
    format!("muster-{}", wanted.run)
}

async fn base(settings: &Settings) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.timeouts.connect)
        .operation_attempt_timeout(settings.timeouts.attempt)
        .operation_timeout(settings.timeouts.operation)
        .build();
    // The chain may have to ask an instance's or a container's metadata service.
    let cache = IdentityCache::lazy().buffer_time(BASE_MARGIN).load_timeout(Duration::from_secs(15)).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(settings.region.to_string()))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard())
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(10)).build(),
        )
        .identity_cache(cache);
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(BaseKeys { access_key_id, secret_access_key }) = &settings.base_keys {
        let keys = Credentials::new(access_key_id, secret_access_key.reveal(), None, None, "muster");
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
    }
    loader.load().await
}
