//! Who gets in, and in which words AWS refuses the others.

use insta::assert_snapshot;

use super::*;
use crate::domain::Millis;
use crate::playground::aws::FaultName;
use crate::playground::aws::FaultSpec;

#[tokio::test]
async fn sts_answers_in_xml_and_knows_who_asks() {
    let w = world(quick()).await;
    let base = w.organisation.base_credentials();
    let (_, body) = w.query(&base, "sts", "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_snapshot!(plain(&body));
    let member = w.member(None).await;
    let (_, body) = w.query(&member, "sts", "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(between(&body, "Arn"), "arn:aws:sts::111111111111:assumed-role/muster-runner/run-01J");
    assert_eq!(between(&body, "Account"), "111111111111");
}

#[tokio::test]
async fn a_role_is_assumed_only_as_its_trust_demands() {
    let w = world(quick()).await;
    let hub = w.hub().await;
    let account = w.organisation.accounts()[0].clone();
    let good = [
        ("RoleArn", account.role_arn.as_str()),
        ("RoleSessionName", "run-01J"),
        ("ExternalId", account.external_id.as_str()),
        ("SourceIdentity", "slack.T0.U1"),
    ];
    assert!(w.assume(&hub, &good).await.is_ok());
    let without = |name: &str| good.iter().filter(|(n, _)| *n != name).copied().collect::<Vec<_>>();
    let with = |name: &'static str, value: &'static str| {
        let mut all = without(name);
        all.push((name, value));
        all
    };
    let long: &'static str = Box::leak("x".repeat(2049).into_boxed_str());
    let member = w.assume(&hub, &good).await.unwrap();
    let mut told = Vec::new();
    for (what, parameters) in [
        ("no external id", without("ExternalId")),
        ("wrong external id", with("ExternalId", "muster-acme-prod-00000000")),
        ("no source identity", without("SourceIdentity")),
        ("unknown role", with("RoleArn", "arn:aws:iam::111111111111:role/admin")),
        ("short name", with("RoleSessionName", "a")),
        ("name with a colon", with("RoleSessionName", "run:1")),
        ("identity with a colon", with("SourceIdentity", "slack:T0:U1")),
        ("short", with("DurationSeconds", "60")),
        ("long", with("DurationSeconds", "43201")),
        ("chained over an hour", with("DurationSeconds", "3601")),
        ("policy", with("Policy", "{}")),
        ("long policy", with("Policy", long)),
    ] {
        let refusal = w.assume(&hub, &parameters).await.unwrap_err().replace(long, "<2049 characters>");
        told.push(format!("{what}: {refusal}"));
    }
    told.push(format!("from a member: {}", w.assume(&member, &good).await.unwrap_err()));
    assert_snapshot!(told.join("\n"));
    // An unchained session may last longer.
    let base = w.organisation.base_credentials();
    assert!(w.assume(&base, &with("DurationSeconds", "7200")).await.is_ok());
}

#[tokio::test]
async fn a_source_identity_sticks_to_what_is_assumed_from_it() {
    let w = world(quick()).await;
    let base = w.organisation.base_credentials();
    let hub_arn = hub_role_arn();
    let hub = w
        .assume(&base, &[("RoleArn", &hub_arn), ("RoleSessionName", "muster"), ("SourceIdentity", "muster-bot")])
        .await
        .unwrap();
    let account = w.organisation.accounts()[0].clone();
    let mut parameters = vec![
        ("RoleArn", account.role_arn.as_str()),
        ("RoleSessionName", "run-01J"),
        ("ExternalId", account.external_id.as_str()),
    ];
    assert!(w.assume(&hub, &parameters).await.is_ok(), "it carries the one it has");
    parameters.push(("SourceIdentity", "slack.T0.U1"));
    assert!(w.assume(&hub, &parameters).await.unwrap_err().starts_with("403 AccessDenied"));
}

#[tokio::test]
async fn an_old_or_changed_request_is_refused_in_each_protocol() {
    let w = world(Settings { request_expiry: Millis::from_secs(2), ..quick() }).await;
    let base = w.organisation.base_credentials();
    let old = Timestamp::now() - jiff::SignedDuration::from_secs(3);
    let date = regex::Regex::new("[0-9]{8}T[0-9]{6}Z").unwrap();
    let mut told = Vec::new();
    for (service, target, body) in [
        ("sts", "", "Action=GetCallerIdentity&Version=2011-06-15"),
        ("ssm", "AmazonSSM.ListCommands", "{}"),
        ("ec2", "", "Action=DescribeRegions&Version=2016-11-15"),
        ("organizations", "AWSOrganizationsV20161128.ListAccounts", "{}"),
    ] {
        for (signer, at) in [
            (base.clone(), old),
            (Signer { secret: "wrong".into(), ..base.clone() }, Timestamp::now()),
            (Signer { access_key: "AKIANOBODY".into(), ..base.clone() }, Timestamp::now()),
        ] {
            let (status, body) = w.signed_at(&signer, [service, "eu-west-1"], target, body, at).await.unwrap();
            let code = if body.starts_with('{') {
                let value: Value = serde_json::from_str(&body).unwrap();
                format!("{}: {}", value["__type"], value["message"])
            } else {
                format!("{}: {}", between(&body, "Code"), between(&body, "Message"))
            };
            told.push(format!("{service} {status} {}", date.replace_all(&code, "<date>")));
        }
    }
    assert_snapshot!(told.join("\n"));
    assert_eq!(w.http("POST /", &[("host".into(), "x".into())], "").await.unwrap().0, 403);
}

#[tokio::test]
async fn a_session_ends_when_it_expires() {
    let mut w = world(Settings { clock_skew: jiff::SignedDuration::from_hours(1), ..quick() }).await;
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let base = w.organisation.base_credentials();
    let now = w.signed_at(&base, ["sts", "eu-west-1"], "", "Action=GetCallerIdentity", Timestamp::now()).await.unwrap();
    assert_eq!(now.0, 403, "signed by this host's clock it is too old");
    let then = w.signed_at(&base, ["sts", "eu-west-1"], "", "Action=GetCallerIdentity", ahead).await.unwrap();
    assert_eq!(then.0, 200);

    w = world(quick()).await;
    let member = w.member(None).await;
    w.organisation.plant(FaultSpec::new(FaultName::ExpiredCredentials)).unwrap();
    let told = w.refused(&member, "ListCommands", json!({})).await;
    assert_eq!(told, "400 ExpiredTokenException: The security token included in the request is expired");
    assert_eq!(w.refused(&member, "ListCommands", json!({})).await, told, "dead it stays");
    let fresh = w.member(None).await;
    assert_eq!(w.ssm(&fresh, "ListCommands", json!({})).await, json!({"Commands": []}));
}

#[tokio::test]
async fn a_session_policy_narrows_what_may_be_sent() {
    let w = world(table(1)).await;
    let nodes = w.nodes();
    let allow = |resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Action":"ssm:SendCommand","Resource":"arn:aws:ssm:*:*:document/AWS-RunShellScript"}},
            {{"Effect":"Allow","Action":"ssm:SendCommand","Resource":{resource}}}]}}"#
        )
    };
    let one = w.member(Some(&allow(&format!("[\"arn:aws:ec2:*:*:instance/{}\"]", nodes[0])))).await;
    let send = |node: &str| json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [node], "Parameters": {"commands": ["true"]}});
    w.ssm(&one, "SendCommand", send(&nodes[0])).await;
    assert_eq!(
        w.refused(&one, "SendCommand", send(&nodes[1])).await,
        format!(
            "400 AccessDeniedException: User: arn:aws:sts::111111111111:assumed-role/muster-runner/run-01J is not authorized to perform: ssm:SendCommand on resource: arn:aws:ec2:eu-west-1:111111111111:instance/{} because no session policy allows the ssm:SendCommand action",
            nodes[1]
        )
    );
    let tagged = r#"["arn:aws:ec2:*:*:instance/*"],"Condition":{"StringEquals":{"ssm:resourceTag/service":["web"]}}"#;
    let web = w.member(Some(&allow(tagged))).await;
    let of = |service: &str| {
        let machines = w.organisation.machines();
        let (_, _, m) = machines
            .into_iter()
            .find(|(_, r, m)| r.as_str() == "eu-west-1" && m.tags.get("service").is_some_and(|s| s == service))
            .unwrap();
        m.id.to_string()
    };
    w.ssm(&web, "SendCommand", send(&of("web"))).await;
    assert!(w.refused(&web, "SendCommand", send(&of("db"))).await.starts_with("400 AccessDeniedException"));
    assert!(w.refused(&web, "ListCommands", json!({})).await.contains("no session policy allows the ssm:ListCommands"));
}

#[tokio::test]
async fn organizations_lists_every_account_by_pages_and_only_to_the_centre() {
    let w = world(Settings { accounts: 45, ..table(1) }).await;
    let hub = w.hub().await;
    let call = async |signer: &Signer, operation: &str, input: Value| {
        let target = format!("AWSOrganizationsV20161128.{operation}");
        let (_, body) = w
            .signed_at(signer, ["organizations", "us-east-1"], &target, &input.to_string(), Timestamp::now())
            .await
            .unwrap();
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let (mut found, mut token, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let mut input = json!({});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = call(&hub, "ListAccounts", input).await;
        pages += 1;
        found.extend(page["Accounts"].as_array().unwrap().clone());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((found.len(), pages), (46, 3));
    assert!(found.iter().all(|a| a["State"] == "ACTIVE" && a.get("Status").is_none()));
    let tags = call(&hub, "ListTagsForResource", json!({"ResourceId": "111111111111"})).await;
    assert_eq!(tags["Tags"], json!([{"Key": "customer", "Value": "acme"}, {"Key": "env", "Value": "prod"}]));
    let member = w.member(None).await;
    assert_eq!(call(&member, "ListAccounts", json!({})).await["__type"], "AccessDeniedException");
}

#[tokio::test]
async fn ec2_knows_names_tags_and_what_ssm_does_not_manage() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let (_, regions) = w.query(&member, "ec2", "Action=DescribeRegions&Version=2016-11-15").await;
    assert_snapshot!(plain(&regions));
    let ask = async |region: &str, body: &str| {
        w.signed_at(&member, ["ec2", region], "", &format!("Action=DescribeInstances{body}"), Timestamp::now())
            .await
            .unwrap()
            .1
    };
    let all = ask("us-east-1", "&Filter.1.Name=instance-state-name&Filter.1.Value.1=running").await;
    assert_eq!(all.matches("<instanceId>").count(), 9);
    assert!(all.contains("<value>legacy-1</value>"));
    let listed = w
        .signed_at(
            &member,
            ["ssm", "us-east-1"],
            "AmazonSSM.DescribeInstanceInformation",
            r#"{"MaxResults":50}"#,
            Timestamp::now(),
        )
        .await
        .unwrap();
    assert_eq!(listed.1.matches("\"InstanceId\"").count(), 8, "SSM does not know the unmanaged one");
    let page = ask("us-east-1", "&MaxResults=5").await;
    assert_eq!((page.matches("<instanceId>").count(), between(&page, "nextToken").as_str()), (5, "instances-5"));
    let rest = ask("us-east-1", "&MaxResults=5&NextToken=instances-5").await;
    assert_eq!((rest.matches("<instanceId>").count(), between(&rest, "nextToken").as_str()), (4, ""));
    let web = ask(
        "eu-west-1",
        "&Filter.1.Name=tag%3Aservice&Filter.1.Value.1=web&Filter.2.Name=tag%3Aenv&Filter.2.Value.1=prod",
    )
    .await;
    assert_eq!(web.matches("<instanceId>").count(), 3);
    assert!(ask("eu-west-1", "&MaxResults=4").await.contains("<Code>InvalidParameterValue</Code>"));
}

#[tokio::test]
async fn the_control_interface_wants_its_token_and_a_local_name() {
    let w = world(Settings { control_token: Some("let-me-in".into()), ..table(1) }).await;
    let host = |name: &str| ("host".to_owned(), name.to_owned());
    let token = |text: &str| ("authorization".to_owned(), text.to_owned());
    let get = async |headers: &[(String, String)]| w.http("GET /play/v1/nodes", headers, "").await.unwrap().0;
    assert_eq!(get(&[host("127.0.0.1")]).await, 401);
    assert_eq!(get(&[host("127.0.0.1"), token("Bearer let-me-out")]).await, 401);
    assert_eq!(get(&[host("evil.example"), token("Bearer let-me-in")]).await, 403);
    assert_eq!(get(&[host("localhost:80"), token("Bearer let-me-in")]).await, 200);
    let plant = async |body: &str| {
        w.http("POST /play/v1/faults", &[host("localhost"), token("Bearer let-me-in")], body).await.unwrap()
    };
    assert_eq!(plant(r#"{"fault":"runs-twice","account":"acme-prod"}"#).await.0, 200);
    let (status, body) = plant(r#"{"fault":"runs-twice","account":"acme"}"#).await;
    assert_eq!((status, body.contains("there is no account `acme` here")), (400, true), "{body}");
    assert_eq!(w.organisation.faults().len(), 1);
}
