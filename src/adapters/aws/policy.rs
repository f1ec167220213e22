//! What a session may do: the policy that is handed to AssumeRole, at most 2,048 characters.
//!
//! A sending session allows `ssm:SendCommand` with the plan's documents on, in this order of preference,
//! 1. exactly the plan's nodes of the account,
//! 2. exactly the plan's nodes of the account in the one region that is sent to,
//! 3. nodes that carry the boundary tag, in the plan's regions (in the ARNs: what `aws:RequestedRegion` means to an
//!    ARN-scoped action is not documented),
//!
//! and where none fits, nothing: the run is refused for that account with the remedy. A policy that AWS's packed form
//! finds too large falls to the next, never to no policy. A reading session may read and cancel, never send.
//!
//! Where the plan has automations the session may start exactly these and pass exactly their roles to Systems Manager. Nodes
//! cannot be named there: they are parameters to AWS, not resources. The adapter sends no other, and what an automation can
//! do at all is what its role allows. A session must not stand in for that role: without one an automation acts with its
//! caller's session, and this one may do nothing but start it.

use std::collections::BTreeSet;

use crate::domain::{AccountId, Bucket, NodeId, Region};
use crate::ports::SendSession;

/// STS's limit on the plain text of session policies together.
pub const LENGTH_MAX: usize = 2048;

/// What a reading session may do, whatever the role allows beyond it.
pub const READING: &str = concat!(
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["#,
    r#""ssm:DescribeInstanceInformation","ssm:ListCommands","ssm:ListCommandInvocations","ssm:GetCommandInvocation","#,
    r#""ssm:CancelCommand","ssm:DescribeAutomationExecutions","ssm:GetAutomationExecution","#,
    r#""ssm:StopAutomationExecution","ssm:ListTagsForResource","ec2:DescribeInstances","ec2:DescribeRegions"],"Resource":"*"}]}"#
);

/// A reading session's policy: [`READING`], and the outputs of an account that names a bucket for them.
#[must_use]
pub fn reading(outputs: Option<&Bucket>) -> String {
    let Some(Bucket { name, prefix, region }) = outputs else { return READING.to_owned() };
    let objects = json(&format!("arn:{}:s3:::{name}/{prefix}/*", partition(region)));
    let statement = format!(r#",{{"Effect":"Allow","Action":"s3:GetObject","Resource":{objects}}}]}}"#);
    READING.strip_suffix("]}").map_or_else(|| READING.to_owned(), |start| format!("{start}{statement}"))
}

/// A session that may do nothing at all: it is opened only to learn whether it can be.
pub const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// How narrow a sending session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The nodes of the plan and no other.
    Exact,
    /// Nodes with the boundary tag in the plan's regions.
    Tagged,
}

/// The policies to try for a send into `region`, narrowest first; never empty.
///
/// The error is one sentence that does not name the account: the caller knows its name.
pub fn sending(
    session: &SendSession,
    region: &Region,
    boundary_tag: Option<&(String, String)>,
) -> Result<Vec<(Scope, String)>, String> {
    let grants = Grants::of(session, region)?;
    let nodes = |wanted: Option<&Region>| -> Vec<String> {
        session
            .nodes
            .iter()
            .filter(|(r, _)| wanted.is_none_or(|w| w == r))
            .map(|(r, node)| node_arn(node, &session.account, r))
            .collect()
    };
    // Without a document there are no nodes to be named, one way or the other.
    let tagged = boundary_tag.filter(|_| !grants.documents.is_empty()).map(|tag| tagged(session, &grants, tag));
    let all = [
        Some((Scope::Exact, exact(&grants, &nodes(None)))),
        // Every region of the account must fit, or a run would start that cannot be finished.
        (tagged.is_some() || regions(session).iter().all(|r| exact(&grants, &nodes(Some(r))).len() <= LENGTH_MAX))
            .then(|| (Scope::Exact, exact(&grants, &nodes(Some(region))))),
        tagged.map(|policy| (Scope::Tagged, policy)),
    ];
    let mut fitting: Vec<(Scope, String)> = all.into_iter().flatten().filter(|(_, p)| p.len() <= LENGTH_MAX).collect();
    fitting.dedup();
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    let most = regions(session)
        .iter()
        .map(|r| session.nodes.iter().filter(|(s, _)| s == *r).count())
        .max()
        .unwrap_or_default();
    Err(match boundary_tag {
        None => format!(
            "AWS's session policy has room for about 38 nodes by id and {most} were asked for in one region: \
             set `boundary_tag` under `[aws]` to a tag that every such node carries, or run on fewer nodes at once"
        ),
        Some(_) => "the session policy is too long even by boundary tag: run on fewer regions at once".to_owned(),
    })
}

fn regions(session: &SendSession) -> BTreeSet<&Region> {
    session.nodes.iter().map(|(region, _)| region).collect()
}

/// What is allowed beside the nodes, as ARNs.
struct Grants {
    documents: Vec<String>,
    automations: Vec<String>,
    roles: BTreeSet<String>,
}

impl Grants {
    fn of(session: &SendSession, region: &Region) -> Result<Self, String> {
        let account = &session.account;
        let mut automations: Vec<String> =
            session.automations.iter().flat_map(|a| automation_arns(&a.document, account, region)).collect();
        if !automations.is_empty() {
            automations.push(format!("arn:{}:ssm:*:{account}:automation-execution/*", partition(region)));
        }
        Ok(Grants {
            documents: session.documents.iter().flat_map(|d| document_arns(d, account, region)).collect(),
            automations,
            roles: session.automations.iter().map(|a| role_arn(&a.role, account, region)).collect::<Result<_, _>>()?,
        })
    }

    /// With the statements about nodes, which come first.
    fn policy(&self, mut statements: Vec<String>) -> String {
        if !self.automations.is_empty() {
            statements.push(allow("ssm:StartAutomationExecution", &self.automations, None));
            statements.push(allow("iam:PassRole", &self.roles, Some(("iam:PassedToService", "ssm.amazonaws.com"))));
        }
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }
}

fn exact(grants: &Grants, nodes: &[String]) -> String {
    let send = || allow("ssm:SendCommand", grants.documents.iter().chain(nodes), None);
    grants.policy(if grants.documents.is_empty() { Vec::new() } else { vec![send()] })
}

/// Documents stand in a statement of their own: they do not carry the nodes' tag.
fn tagged(session: &SendSession, grants: &Grants, (key, value): &(String, String)) -> String {
    let mut nodes = Vec::new();
    for region in regions(session) {
        let here = |hybrid: bool| session.nodes.iter().any(|(r, n)| r == region && n.is_hybrid() == hybrid);
        let (partition, account) = (partition(region), &session.account);
        if here(false) {
            nodes.push(format!("arn:{partition}:ec2:{region}:{account}:instance/*"));
        }
        if here(true) {
            nodes.push(format!("arn:{partition}:ssm:{region}:{account}:managed-instance/*"));
        }
    }
    let tag = format!("ssm:resourceTag/{key}");
    grants.policy(vec![
        allow("ssm:SendCommand", &grants.documents, None),
        allow("ssm:SendCommand", &nodes, Some((&tag, value))),
    ])
}

fn allow<'r>(action: &str, resources: impl IntoIterator<Item = &'r String>, equals: Option<(&str, &str)>) -> String {
    let list: Vec<String> = resources.into_iter().map(|resource| json(resource)).collect();
    let condition = equals.map_or(String::new(), |(key, value)| {
        format!(r#","Condition":{{"StringEquals":{{{}:{}}}}}"#, json(key), json(value))
    });
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":[{}]{condition}}}"#, list.join(","))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// EC2 ids are unique over accounts and regions, so that the short form loses nothing. A hybrid node's ARN is SSM's.
fn node_arn(node: &NodeId, account: &AccountId, region: &Region) -> String {
    let partition = partition(region);
    if node.is_hybrid() {
        format!("arn:{partition}:ssm:*:{account}:managed-instance/{node}")
    } else {
        format!("arn:{partition}:ec2:*:*:instance/{node}")
    }
}

/// Documents that AWS owns have no account in their ARN. `AWS-` cannot be used in a customer's document name, so that
/// the second form, which some evaluations want, admits no other document.
fn document_arns(document: &str, account: &AccountId, region: &Region) -> Vec<String> {
    let partition = partition(region);
    if document.starts_with("arn:") {
        vec![document.to_owned()]
    } else if document.starts_with("AWS-") {
        vec![
            format!("arn:{partition}:ssm:*::document/{document}"),
            format!("arn:{partition}:ssm:*:*:document/{document}"),
        ]
    } else {
        vec![format!("arn:{partition}:ssm:*:{account}:document/{document}")]
    }
}

/// AWS used to ask about `automation-definition` and now asks about the document and the execution, region by region: its
/// own managed policies name both, and so does this. Names that start with `AWS` are AWS's alone, in no account.
fn automation_arns(document: &str, account: &AccountId, region: &Region) -> [String; 2] {
    if document.starts_with("arn:") {
        let definition = document.replacen(":document/", ":automation-definition/", 1);
        return [document.to_owned(), format!("{definition}:*")];
    }
    let partition = partition(region);
    let owner = if document.starts_with("AWS") { "*" } else { account.as_str() };
    [
        format!("arn:{partition}:ssm:*:{owner}:document/{document}"),
        format!("arn:{partition}:ssm:*:{owner}:automation-definition/{document}:*"),
    ]
}

/// The ARN of an automation's role, which a runbook names once for every account.
///
/// The error is a clause for people: no role can be passed out of its account.
pub fn role_arn(role: &str, account: &AccountId, region: &Region) -> Result<String, String> {
    if !role.starts_with("arn:") {
        return Ok(format!("arn:{}:iam::{account}:role/{role}", partition(region)));
    }
    if role.split(':').nth(4) == Some(account.as_str()) {
        return Ok(role.to_owned());
    }
    Err(format!(
        "its role `{role}` belongs to another account: write the role's name alone in the runbook, which means each account's own"
    ))
}

/// `aws`, `aws-cn` or `aws-us-gov`: the second word of every ARN there.
#[must_use]
pub fn partition(region: &Region) -> &'static str {
    match region.as_str() {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::domain::RunId;
    use crate::ports::Automation;

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    fn session(nodes: &[(&str, usize)], documents: &[&str]) -> SendSession {
        let mut n = 0;
        SendSession {
            run: "01J9ZX0000000000000000AB7F".parse::<RunId>().unwrap(),
            account: "111111111111".parse().unwrap(),
            identity: "slack.T0MUSTER.U0SUSAN".into(),
            nodes: nodes
                .iter()
                .flat_map(|(r, count)| {
                    (0..*count)
                        .map(|_| {
                            n += 1;
                            (region(r), format!("i-{n:017x}").parse().unwrap())
                        })
                        .collect::<Vec<_>>()
                })
                .collect(),
            documents: documents.iter().map(|d| (*d).to_owned()).collect(),
            automations: Vec::new(),
        }
    }

    fn tag() -> (String, String) {
        ("muster:boundary".to_owned(), "yes".to_owned())
    }

    fn json_of(policy: &str) -> serde_json::Value {
        serde_json::from_str(policy).unwrap()
    }

    #[test]
    fn a_session_names_exactly_the_nodes_and_documents_of_the_plan() {
        let mut session = session(&[("eu-west-1", 2)], &["AWS-RunShellScript", "Muster-disk-usage"]);
        session.nodes.push((region("us-east-1"), "mi-0a1b2c3d4e5f60718".parse().unwrap()));
        let policies = sending(&session, &region("eu-west-1"), None).unwrap();
        assert_eq!(policies[0].0, Scope::Exact);
        insta::assert_snapshot!(serde_json::to_string_pretty(&json_of(&policies[0].1)).unwrap(), @r#"
    {
      "Statement": [
        {
          "Action": "ssm:SendCommand",
          "Effect": "Allow",
          "Resource": [
            "arn:aws:ssm:*::document/AWS-RunShellScript",
            "arn:aws:ssm:*:*:document/AWS-RunShellScript",
            "arn:aws:ssm:*:111111111111:document/Muster-disk-usage",
            "arn:aws:ec2:*:*:instance/i-00000000000000001",
            "arn:aws:ec2:*:*:instance/i-00000000000000002",
            "arn:aws:ssm:*:111111111111:managed-instance/mi-0a1b2c3d4e5f60718"
          ]
        }
      ],
      "Version": "2012-10-17"
    }
    "#);
    }

    #[test]
    fn at_least_thirty_eight_nodes_fit_by_id_and_every_policy_is_within_the_limit() {
        for count in 1..=120 {
            let session = session(&[("eu-west-1", count)], &["AWS-RunShellScript"]);
            let policies = sending(&session, &region("eu-west-1"), Some(&tag())).unwrap();
            match count {
                0..=38 => assert_eq!(policies[0].0, Scope::Exact, "{count} nodes"),
                45.. => assert_eq!(policies[0].0, Scope::Tagged, "{count} nodes"),
                _ => {}
            }
            assert!(policies.iter().all(|(_, p)| p.len() <= LENGTH_MAX), "{count} nodes");
        }
    }

    #[test]
    fn many_nodes_over_regions_are_still_named_exactly_one_region_at_a_time() {
        let session = session(&[("eu-west-1", 30), ("us-east-1", 30)], &["AWS-RunShellScript"]);
        let policies = sending(&session, &region("us-east-1"), None).unwrap();
        assert_eq!(policies.iter().map(|(s, _)| *s).collect::<Vec<_>>(), [Scope::Exact]);
        let nodes = policies[0].1.matches("instance/").count();
        assert_eq!(nodes, 30);
        assert!(!policies[0].1.contains(session.nodes[0].1.as_str()), "the other region's nodes are not in it");
    }

    #[test]
    fn too_many_nodes_are_bounded_by_tag_with_regions_in_the_arns() {
        let mut session = session(&[("eu-west-1", 60), ("us-east-1", 1)], &["Muster-disk-usage"]);
        session.nodes.push((region("us-east-1"), "mi-0a1b2c3d4e5f60718".parse().unwrap()));
        let policies = sending(&session, &region("eu-west-1"), Some(&tag())).unwrap();
        assert_eq!(policies[0].0, Scope::Tagged);
        assert!(!policies[0].1.contains("aws:RequestedRegion"));
        insta::assert_snapshot!(serde_json::to_string_pretty(&json_of(&policies[0].1)).unwrap(), @r#"
    {
      "Statement": [
        {
          "Action": "ssm:SendCommand",
          "Effect": "Allow",
          "Resource": [
            "arn:aws:ssm:*:111111111111:document/Muster-disk-usage"
          ]
        },
        {
          "Action": "ssm:SendCommand",
          "Condition": {
            "StringEquals": {
              "ssm:resourceTag/muster:boundary": "yes"
            }
          },
          "Effect": "Allow",
          "Resource": [
            "arn:aws:ec2:eu-west-1:111111111111:instance/*",
            "arn:aws:ec2:us-east-1:111111111111:instance/*",
            "arn:aws:ssm:us-east-1:111111111111:managed-instance/*"
          ]
        }
      ],
      "Version": "2012-10-17"
    }
    "#);
    }

    #[test]
    fn too_many_nodes_without_a_boundary_tag_are_refused_in_every_region() {
        let session = session(&[("eu-west-1", 60), ("us-east-1", 1)], &["AWS-RunShellScript"]);
        for r in ["eu-west-1", "us-east-1"] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(sending(&session, &region(r), None).unwrap_err(), @r#"AWS's session policy has room for about 38 nodes by id and 60 were asked for in one region: set `boundary_tag` under `[aws]` to a tag that every such node carries, or run on fewer nodes at once"#);
            }
        }
    }

    fn restart(role: &str) -> Automation {
        Automation { document: "AWS-RestartEC2Instance".to_owned(), role: role.to_owned() }
    }

    #[test]
    fn an_automation_may_be_started_with_its_role_and_no_other_and_nothing_is_sent() {
        let mut session = session(&[("eu-west-1", 300)], &[]);
        let own = Automation {
            document: "Acme-Failover".to_owned(),
            role: "arn:aws:iam::111111111111:role/ops/failover".into(),
        };
        session.automations = vec![restart("muster-automation"), own];
        let policies = sending(&session, &region("eu-west-1"), Some(&tag())).unwrap();
        assert_eq!(policies.iter().map(|(scope, _)| *scope).collect::<Vec<_>>(), [Scope::Exact]);
        assert!(policies[0].1.len() <= LENGTH_MAX);
        insta::assert_snapshot!(serde_json::to_string_pretty(&json_of(&policies[0].1)).unwrap(), @r#"
        {
          "Statement": [
            {
              "Action": "ssm:StartAutomationExecution",
              "Effect": "Allow",
              "Resource": [
                "arn:aws:ssm:*:*:document/AWS-RestartEC2Instance",
                "arn:aws:ssm:*:*:automation-definition/AWS-RestartEC2Instance:*",
                "arn:aws:ssm:*:111111111111:document/Acme-Failover",
                "arn:aws:ssm:*:111111111111:automation-definition/Acme-Failover:*",
                "arn:aws:ssm:*:111111111111:automation-execution/*"
              ]
            },
            {
              "Action": "iam:PassRole",
              "Condition": {
                "StringEquals": {
                  "iam:PassedToService": "ssm.amazonaws.com"
                }
              },
              "Effect": "Allow",
              "Resource": [
                "arn:aws:iam::111111111111:role/muster-automation",
                "arn:aws:iam::111111111111:role/ops/failover"
              ]
            }
          ],
          "Version": "2012-10-17"
        }
        "#);
    }

    #[test]
    fn commands_and_automations_of_one_plan_share_a_policy_within_the_limit() {
        for count in 1..=60 {
            let mut session = session(&[("eu-west-1", count)], &["AWS-RunShellScript"]);
            session.automations = vec![restart("muster-automation")];
            let policies = sending(&session, &region("eu-west-1"), Some(&tag())).unwrap();
            assert!(policies.iter().all(|(_, p)| p.len() <= LENGTH_MAX), "{count} nodes");
            for (_, policy) in &policies {
                let policy = json_of(policy);
                let statements = policy["Statement"].as_array().unwrap();
                let actions: Vec<&str> = statements.iter().map(|s| s["Action"].as_str().unwrap()).collect();
                assert_eq!(actions[0], "ssm:SendCommand");
                assert_eq!(actions[actions.len() - 2..], ["ssm:StartAutomationExecution", "iam:PassRole"]);
            }
            assert_eq!(policies[0].0, if count <= 26 { Scope::Exact } else { policies[0].0 }, "{count} nodes");
        }
    }

    #[test]
    fn a_role_of_another_account_is_refused_with_the_remedy() {
        let mut session = session(&[("eu-west-1", 1)], &[]);
        session.automations = vec![restart("arn:aws:iam::222222222222:role/muster-automation")];
        let refused = sending(&session, &region("eu-west-1"), None).unwrap_err();
        insta::assert_snapshot!(refused, @"its role `arn:aws:iam::222222222222:role/muster-automation` belongs to another account: write the role's name alone in the runbook, which means each account's own");
        let gov = role_arn("muster-automation", &session.account, &region("us-gov-west-1"));
        assert_eq!(gov.unwrap(), "arn:aws-us-gov:iam::111111111111:role/muster-automation");
    }

    #[test]
    fn other_partitions_have_their_own_arns_and_a_tag_cannot_break_out_of_its_string() {
        let session = session(&[("us-gov-west-1", 60)], &["AWS-RunShellScript"]);
        let odd = ("k\"}}".to_owned(), "v\\\"".to_owned());
        let policies = sending(&session, &region("us-gov-west-1"), Some(&odd)).unwrap();
        let policy = json_of(&policies[0].1);
        assert_eq!(policy["Statement"][1]["Resource"][0], "arn:aws-us-gov:ec2:us-gov-west-1:111111111111:instance/*");
        assert_eq!(policy["Statement"][1]["Condition"]["StringEquals"]["ssm:resourceTag/k\"}}"], "v\\\"");
    }

    #[test]
    fn a_reading_session_gets_the_outputs_of_its_account_and_no_other_object() {
        assert_eq!(reading(None), READING);
        let bucket = |name: &str, prefix: &str| Bucket {
            name: name.into(),
            prefix: prefix.into(),
            region: region("cn-north-1"),
        };
        let policy = json_of(&reading(Some(&bucket("acme-outputs", "muster/prod"))));
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0], json_of(READING)["Statement"][0]);
        assert_eq!(statements[1]["Action"], "s3:GetObject");
        assert_eq!(statements[1]["Resource"], "arn:aws-cn:s3:::acme-outputs/muster/prod/*");
        let longest = reading(Some(&bucket(&"b".repeat(63), &"p".repeat(200))));
        assert!(longest.len() <= LENGTH_MAX, "{}", longest.len());
    }

    #[test]
    fn a_reading_session_cannot_send() {
        let policy = json_of(READING);
        let actions: Vec<&str> =
            policy["Statement"][0]["Action"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        assert!(!actions.iter().any(|a| a.contains('*') || a.contains("Send")), "{actions:?}");
    }
}
