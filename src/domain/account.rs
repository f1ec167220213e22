//! The AWS accounts that Muster may work in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, Region};

/// One AWS account as configured or discovered. Secrets such as the External ID stay with the adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    /// What people call it, such as `acme-prod`.
    pub name: String,
    /// Regions to work in when a selector names none.
    pub regions: Vec<Region>,
    /// Such as `customer` and `env`. An account that no policy set classifies counts as production.
    pub labels: BTreeMap<String, String>,
    pub source: AccountSource,
}

/// Where the agents of an account put whole outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    /// Without a slash at either end.
    pub prefix: String,
    pub region: Region,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountSource {
    Configured,
    /// Found through AWS Organizations and not in the configuration: it has no labels yet.
    Discovered,
}
