//! How fast AWS may be asked: what it counts calls against, and whom to ask before one more of them.
//!
//! The engine's limits stand behind [`Pace`]. The first call of every method of [`super::Cloud`] and
//! [`super::Inventory`] has been waited for when the method is called; the adapter waits here for each further one
//! (pages, other operations), and tells what repeated itself and what AWS throttled.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{AccountId, Region};

/// What AWS counts by itself. A new one needs its name here and a class in the engine's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    DescribeInstanceInformation,
    ListTagsForResource,
    DescribeInstances,
    DescribeRegions,
    ListCommands,
    ListCommandInvocations,
    GetCommandInvocation,
    SendCommand,
    CancelCommand,
    StartAutomationExecution,
    StopAutomationExecution,
    GetAutomationExecution,
    DescribeAutomationExecutions,
    DescribeAutomationStepExecutions,
    /// S3's GetObject.
    GetObject,
    ListObjectsV2,
}

impl Operation {
    pub const ALL: [Operation; 16] = [
        Operation::DescribeInstanceInformation,
        Operation::ListTagsForResource,
        Operation::DescribeInstances,
        Operation::DescribeRegions,
        Operation::ListCommands,
        Operation::ListCommandInvocations,
        Operation::GetCommandInvocation,
        Operation::SendCommand,
        Operation::CancelCommand,
        Operation::StartAutomationExecution,
        Operation::StopAutomationExecution,
        Operation::GetAutomationExecution,
        Operation::DescribeAutomationExecutions,
        Operation::DescribeAutomationStepExecutions,
        Operation::GetObject,
        Operation::ListObjectsV2,
    ];

    /// As AWS names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::DescribeInstanceInformation => "DescribeInstanceInformation",
            Operation::ListTagsForResource => "ListTagsForResource",
            Operation::DescribeInstances => "DescribeInstances",
            Operation::DescribeRegions => "DescribeRegions",
            Operation::ListCommands => "ListCommands",
            Operation::ListCommandInvocations => "ListCommandInvocations",
            Operation::GetCommandInvocation => "GetCommandInvocation",
            Operation::SendCommand => "SendCommand",
            Operation::CancelCommand => "CancelCommand",
            Operation::StartAutomationExecution => "StartAutomationExecution",
            Operation::StopAutomationExecution => "StopAutomationExecution",
            Operation::GetAutomationExecution => "GetAutomationExecution",
            Operation::DescribeAutomationExecutions => "DescribeAutomationExecutions",
            Operation::DescribeAutomationStepExecutions => "DescribeAutomationStepExecutions",
            Operation::GetObject => "GetObject",
            Operation::ListObjectsV2 => "ListObjectsV2",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.name() == name)
    }
}

/// What calls count against: one account, region and operation, or STS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Quota {
    Of {
        account: AccountId,
        region: Region,
        operation: Operation,
    },
    /// Every call to STS counts against the account that Muster calls from, whichever account is entered.
    Sts,
}

impl Quota {
    #[must_use]
    pub fn of(account: &AccountId, region: &Region, operation: Operation) -> Quota {
        Quota::Of { account: account.clone(), region: region.clone(), operation }
    }

    /// The operation as AWS names it, `AssumeRole` for STS: the label of metrics.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Quota::Of { operation, .. } => operation.name(),
            Quota::Sts => "AssumeRole",
        }
    }
}

/// Whom the adapter asks before a call that nobody has waited for yet.
#[async_trait]
pub trait Pace: Send + Sync {
    /// Waits until one more call may be made. Dropping the future gives the turn to the next.
    async fn turn(&self, quota: &Quota);

    /// A call was made that nobody waited for: the SDK repeated it.
    fn charge(&self, quota: &Quota);

    /// AWS throttled a call; nothing is to be asked before `retry_after`, where it says so.
    fn throttled(&self, quota: &Quota, retry_after: Option<Duration>);
}

/// No limits, for programs that make a handful of calls.
pub struct Unpaced;

#[async_trait]
impl Pace for Unpaced {
    async fn turn(&self, _: &Quota) {}
    fn charge(&self, _: &Quota) {}
    fn throttled(&self, _: &Quota, _: Option<Duration>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name() {
        for operation in Operation::ALL {
            assert_eq!(Operation::named(operation.name()), Some(operation));
        }
        assert_eq!(Operation::named("DeleteEverything"), None);
    }
}
