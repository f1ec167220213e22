//! Types that stand in files as text, each with an example for the remedy.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::{AccountId, Amount, ChannelRef, Digest, GroupRef, Millis, Principal, Region, RunbookName};

/// A type that a file writes as text.
pub trait Written: FromStr<Err: Display> {
    /// A good value, shown to whoever wrote a bad one.
    const EXAMPLE: &'static str;
}

impl Written for AccountId {
    const EXAMPLE: &'static str = "012345678901";
}
impl Written for Region {
    const EXAMPLE: &'static str = "eu-west-1";
}
impl Written for Amount {
    const EXAMPLE: &'static str = "10%";
}
impl Written for Millis {
    const EXAMPLE: &'static str = "2m";
}
impl Written for RunbookName {
    const EXAMPLE: &'static str = "restart-service";
}
impl Written for Principal {
    const EXAMPLE: &'static str = "slack:T012AB:U034CD";
}
impl Written for GroupRef {
    const EXAMPLE: &'static str = "slack:T012AB:S0SRE";
}
impl Written for Digest {
    const EXAMPLE: &'static str = "64 hex digits";
}
impl Written for ChannelRef {
    const EXAMPLE: &'static str = "slack:T012AB:C0OPS";
}
