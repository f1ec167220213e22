//! Every IAM action that this adapter needs, and whose rights carry it out.
//!
//! The one place: the CloudFormation templates under `deploy/` allow exactly these, and tests hold both against this
//! list. Another reads the adapter's sources, so a call that is not listed here does not stay unnoticed.

/// Whose rights an action is carried out with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// The hub's: what enters the accounts.
    Hub,
    /// The member role's, in a session that may read and cancel.
    Reading,
    /// The member role's, in a reading session of an account that names a bucket for outputs: on its objects.
    Outputs,
    /// The member role's, in a session of one run.
    Sending,
    /// As [`Rights::Reading`], where the member role is given automations.
    ReadingAutomations,
    /// As [`Rights::Sending`], where the member role is given automations.
    SendingAutomations,
    /// No policy can deny it, so none has to allow it.
    Anybody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// As IAM names it.
    pub name: &'static str,
    pub rights: Rights,
    /// How it stands in the sources.
    pub call: &'static str,
}

const fn action(name: &'static str, rights: Rights, call: &'static str) -> Action {
    Action { name, rights, call }
}

pub const ACTIONS: &[Action] = &[
    action("sts:AssumeRole", Rights::Hub, ".assume_role()"),
    // AssumeRole that carries a SourceIdentity needs this one as well.
    action("sts:SetSourceIdentity", Rights::Hub, ".set_source_identity("),
    action("sts:GetCallerIdentity", Rights::Anybody, ".get_caller_identity()"),
    // Where `[organizations] discover` is on.
    action("organizations:ListAccounts", Rights::Hub, ".list_accounts()"),
    action("ssm:DescribeInstanceInformation", Rights::Reading, ".describe_instance_information()"),
    action("ssm:ListCommands", Rights::Reading, ".list_commands()"),
    action("ssm:ListCommandInvocations", Rights::Reading, ".list_command_invocations()"),
    action("ssm:GetCommandInvocation", Rights::Reading, ".get_command_invocation()"),
    action("ssm:CancelCommand", Rights::Reading, ".cancel_command()"),
    action("ssm:ListTagsForResource", Rights::Reading, ".list_tags_for_resource()"),
    action("ec2:DescribeInstances", Rights::Reading, ".describe_instances()"),
    action("ec2:DescribeRegions", Rights::Reading, ".describe_regions()"),
    action("s3:GetObject", Rights::Outputs, ".get_object("),
    action("ssm:SendCommand", Rights::Sending, ".send_command()"),
    action("ssm:DescribeAutomationExecutions", Rights::ReadingAutomations, ".describe_automation_executions()"),
    action("ssm:GetAutomationExecution", Rights::ReadingAutomations, ".get_automation_execution()"),
    action("ssm:StopAutomationExecution", Rights::ReadingAutomations, ".stop_automation_execution()"),
    action("ssm:StartAutomationExecution", Rights::SendingAutomations, ".start_automation_execution()"),
    // No call of its own: whoever starts an automation passes it the role that it acts with.
    action("iam:PassRole", Rights::SendingAutomations, "parameters.insert(ASSUME_ROLE.to_owned()"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::adapters::aws::policy;

    fn sources() -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters/aws");
        let mut text = String::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_file() && !["tests.rs", "scripted.rs", "actions.rs"].contains(&name.as_str()) {
                let source = fs::read_to_string(&path).unwrap();
                text.push_str(source.split("#[cfg(test)]\nmod ").next().unwrap());
            }
        }
        text
    }

    #[test]
    fn every_call_to_aws_is_listed_and_every_listed_one_is_made() {
        let text = sources();
        for action in ACTIONS {
            assert!(text.contains(action.call), "nothing calls `{}` any more", action.name);
        }
        // Each operation of an SDK ends in `.send()`: as many of them as of the listed beginnings.
        let operations = ACTIONS.iter().filter(|a| a.call.ends_with("()"));
        let listed: usize = operations
            .map(|a| text.matches(&format!("{}\n", a.call)).count() + text.matches(&format!("{}.", a.call)).count())
            .sum();
        let sent = text.matches(".send()").count();
        // SendCommand goes through `.customize()`, and is sent by it all the same.
        assert_eq!(listed, sent, "an operation is called that `ACTIONS` does not list");
    }

    #[test]
    fn a_reading_session_allows_exactly_the_reading_actions() {
        let policy: serde_json::Value = serde_json::from_str(policy::READING).unwrap();
        let allowed: BTreeSet<&str> =
            policy["Statement"][0]["Action"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let reading = [Rights::Reading, Rights::ReadingAutomations];
        let listed: BTreeSet<&str> = ACTIONS.iter().filter(|a| reading.contains(&a.rights)).map(|a| a.name).collect();
        assert_eq!(allowed, listed);
    }
}
