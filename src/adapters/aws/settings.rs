//! What the adapter has to be told. The application fills it from `muster.toml`; nothing here is read from a file.

use std::time::Duration;

use crate::domain::{Account, AccountId, Bucket, Millis, Region, Secret};

/// How AWS is reached and which accounts there are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where STS is called, and the home of accounts that name no region.
    pub region: Region,
    /// Another endpoint for every service, such as the playground's. `None`: AWS's own, or what `AWS_ENDPOINT_URL` says.
    pub endpoint_url: Option<String>,
    /// ARN of the role that is assumed first; `None`: accounts are entered with the host's own rights.
    pub central_role: Option<String>,
    /// How long AWS takes a signed request: 5 minutes. Lower only where `endpoint_url` is set.
    pub request_expiry: Millis,
    /// Tag key and value that every node carries which Muster may send to. Limits sending sessions whose nodes are too
    /// many to be listed; see [`super::policy`].
    pub boundary_tag: Option<(String, String)>,
    pub accounts: Vec<AccountSettings>,
    /// Discovery of further accounts; `None`: off.
    pub organization: Option<Organization>,
    /// `None`: the SDK's default chain (environment, profile, container, instance). Set by programs that bring their own
    /// simulated AWS, never from a file.
    pub base_keys: Option<BaseKeys>,
    pub timeouts: Timeouts,
}

impl Settings {
    /// Real AWS in `region` with the host's own rights and no account yet.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Settings {
            region,
            endpoint_url: None,
            central_role: None,
            request_expiry: Millis::from_secs(300),
            boundary_tag: None,
            accounts: Vec::new(),
            organization: None,
            base_keys: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// One account and how it is entered.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    pub account: Account,
    /// Name or ARN of the role to assume there.
    pub role: String,
    pub external_id: Option<Secret>,
    /// Where its agents put whole outputs; `None`: nowhere, so that long ones are cut.
    pub outputs: Option<Bucket>,
}

/// How accounts that only AWS Organizations knows are entered.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Role name, the same in every account.
    pub role: String,
    pub external_id: Option<Secret>,
    pub regions: Vec<Region>,
    /// Never entered, such as the management account.
    pub exclude: Vec<AccountId>,
}

/// Long-lived keys, for the playground and tests.
#[derive(Debug, Clone)]
pub struct BaseKeys {
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// Limits on one call. The SDK has no limit but a connect time-out unless it is told.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    /// One HTTP exchange of a call that may be repeated.
    pub attempt: Duration,
    /// A call with its repetitions.
    pub operation: Duration,
    /// SendCommand, which is made once.
    pub send: Duration,
    /// How long an output that is not in its bucket yet is looked for. With a bucket, results were seen to lag by 12 s.
    pub upload: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(40),
            send: Duration::from_secs(20),
            upload: Duration::from_secs(13),
        }
    }
}
