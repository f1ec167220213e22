//! What becomes of a command, in SSM's own states and shapes.

use insta::assert_snapshot;

use super::*;

#[tokio::test]
async fn a_command_has_the_native_shape_from_request_to_result() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    let sent = w
        .ssm(&member, "SendCommand", json!({
            "DocumentName": "AWS-RunShellScript", "InstanceIds": [node], "TimeoutSeconds": 30, "Comment": "muster:a",
            "Parameters": {"commands": ["echo failed-stdout", "echo failed-stderr >&2", "exit 7"], "executionTimeout": ["5"]},
        }))
        .await;
    assert_snapshot!(plain(&sent.to_string()));
    let (requested, expires) = (&sent["Command"]["RequestedDateTime"], &sent["Command"]["ExpiresAfter"]);
    assert!(
        (expires.as_f64().unwrap() - requested.as_f64().unwrap() - 35.0).abs() < 0.01,
        "timeout + execution timeout"
    );
    let id = sent["Command"]["CommandId"].as_str().unwrap().to_owned();
    let (command, _) = w.settled(&member, &id).await;
    assert_snapshot!(plain(&command["Invocations"].to_string()));
    assert_eq!(
        [&command["Status"], &command["StatusDetails"], &command["CompletedCount"], &command["ErrorCount"]],
        [&json!("Failed"), &json!("Failed"), &json!(1), &json!(1)]
    );
    let one = w.ssm(&member, "GetCommandInvocation", json!({"CommandId": id, "InstanceId": node})).await;
    let elapsed = regex::Regex::new(r"PT[0-9]\.[0-9]{3}S").unwrap();
    assert_snapshot!(elapsed.replace(&plain(&one.to_string()), "<elapsed>"));
}

#[tokio::test]
async fn refusals_have_the_native_words() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let node = w.nodes()[0].clone();
    let id = "6d1cb32b-0000-4000-8000-000000000000";
    let send = |more: Value| {
        let mut input =
            json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [node], "Parameters": {"commands": ["true"]}});
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        ("SendCommand", input)
    };
    let sixty: Vec<String> = (0..51).map(|i| format!("i-{i:017x}")).collect();
    let mut told = Vec::new();
    for (operation, input) in [
        send(json!({"InstanceIds": ["i-00000000000000000"]})),
        send(json!({"InstanceIds": [node, node]})),
        send(json!({"InstanceIds": []})),
        send(json!({"Targets": [{"Key": "tag:env", "Values": ["prod"]}]})),
        send(json!({"TimeoutSeconds": 1})),
        send(json!({"MaxConcurrency": "0"})),
        send(json!({"MaxErrors": "101%"})),
        send(json!({"Comment": "x".repeat(101)})),
        send(json!({"DocumentName": "Muster-Other"})),
        send(json!({"DocumentHash": "0".repeat(64)})),
        send(json!({"Parameters": {"commands": ["true"], "color": ["red"]}})),
        send(json!({"Parameters": {"commands": ["x".repeat(100_001)]}})),
        ("CancelCommand", json!({"CommandId": id})),
        ("CancelCommand", json!({"CommandId": "invalid"})),
        ("GetCommandInvocation", json!({"CommandId": id, "InstanceId": "i-0a1b2c3d"})),
        ("ListCommands", json!({"Filters": [{"key": "UnknownKey", "value": "x"}]})),
        ("ListCommands", json!({"NextToken": "x"})),
        ("DescribeInstanceInformation", json!({"MaxResults": 4})),
        (
            "DescribeInstanceInformation",
            json!({"Filters": [{"Key": "tag:a", "Values": ["b"]}, {"Key": "PingStatus", "Values": ["Online"]}]}),
        ),
        (
            "DescribeInstanceInformation",
            json!({"Filters": [{"Key": "PingStatus", "Values": ["Online"]}], "InstanceInformationFilterList": [{"key": "PingStatus", "valueSet": ["Online"]}]}),
        ),
        ("StartChangeRequestExecution", json!({})),
    ] {
        let refusal = w.refused(&member, operation, input).await;
        told.push(format!("{operation} {}", refusal.replace(&"x".repeat(101), "<101 characters>")));
    }
    assert_snapshot!(told.join("\n"));
    let many = w.refused(&member, "SendCommand", send(json!({"InstanceIds": sixty})).1).await;
    assert!(
        many.ends_with(
            "at 'instanceIds' failed to satisfy constraint: Member must have length less than or equal to 50"
        )
    );
    for operation in ["ListCommands", "ListCommandInvocations"] {
        let empty = w.ssm(&member, operation, json!({"CommandId": id})).await;
        assert!(
            empty.as_object().unwrap().values().all(|v| v == &json!([])),
            "an unknown command is an empty 200: {empty}"
        );
    }
    assert!(w.organisation.sends().is_empty(), "nothing that was refused was taken");
}

#[tokio::test]
async fn nodes_are_listed_by_pages_and_found_by_filters() {
    let w = world(Settings { nodes: 23, ..table(1) }).await;
    let member = w.member(None).await;
    let (mut found, mut token, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let page =
            w.ssm(&member, "DescribeInstanceInformation", json!({"NextToken": token.as_str().unwrap_or("")})).await;
        pages += 1;
        found.extend(page["InstanceInformationList"].as_array().unwrap().clone());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((found.len(), pages), (23, 3), "ten to a page unless asked otherwise");
    let web = w
        .ssm(
            &member,
            "DescribeInstanceInformation",
            json!({"MaxResults": 50, "Filters": [{"Key": "tag:service", "Values": ["web"]}]}),
        )
        .await;
    assert_eq!(web["InstanceInformationList"].as_array().unwrap().len(), 9);
    let none = w
        .ssm(
            &member,
            "DescribeInstanceInformation",
            json!({"Filters": [{"Key": "InstanceIds", "Values": ["i-00000000000000000"]}]}),
        )
        .await;
    assert_eq!(none["InstanceInformationList"], json!([]));
}

#[tokio::test]
async fn more_errors_than_allowed_keep_the_rest_from_starting() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    let id = w.send(&member, &nodes, &["exit 3"], json!({"MaxConcurrency": "1", "MaxErrors": "1"})).await;
    let (command, _) = w.settled(&member, &id).await;
    let details: Vec<&str> =
        command["Invocations"].as_array().unwrap().iter().map(|i| i["StatusDetails"].as_str().unwrap()).collect();
    assert_eq!(details, ["Failed", "Failed", "Terminated", "Terminated", "Terminated", "Terminated", "Terminated"]);
    assert_eq!(w.organisation.executions().len(), 2);
    assert_eq!((command["Status"].as_str(), command["ErrorCount"].as_i64()), (Some("Failed"), Some(2)));
}

#[tokio::test]
async fn a_script_that_is_too_slow_reads_execution_timed_out() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let parameters = json!({"Parameters": {"commands": ["echo begun", "sleep 60"], "executionTimeout": ["1"]}});
    let slow = w.send(&member, &w.nodes()[..1], &[], parameters).await;
    let own = w.send(&member, &w.nodes()[1..2], &["exit 137"], json!({})).await;
    for id in [slow, own] {
        let (command, _) = w.settled(&member, &id).await;
        let plugin = &command["Invocations"][0]["CommandPlugins"][0];
        assert_eq!(
            [&command["Status"], &command["Invocations"][0]["StatusDetails"], &plugin["ResponseCode"]],
            [&json!("Failed"), &json!("ExecutionTimedOut"), &json!(137)]
        );
    }
}

#[tokio::test]
async fn a_cancelled_command_is_killed_and_keeps_what_it_printed() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    let id = w.send(&member, &nodes[..2], &["echo partial", "sleep 60"], json!({"MaxConcurrency": "1"})).await;
    while w.organisation.executions().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    w.ssm(&member, "CancelCommand", json!({"CommandId": id})).await;
    let (command, _) = w.settled(&member, &id).await;
    let told = |i: usize| {
        let invocation = &command["Invocations"][i];
        (
            invocation["StatusDetails"].as_str().unwrap().to_owned(),
            invocation["CommandPlugins"][0]["ResponseCode"].as_i64(),
        )
    };
    assert_eq!((told(0), told(1)), (("Cancelled".to_owned(), Some(137)), ("Cancelled".to_owned(), Some(-1))));
    assert_eq!(command["Invocations"][0]["CommandPlugins"][0]["Output"], "partial\n");
    assert_eq!((command["Status"].as_str(), command["ErrorCount"].as_i64()), (Some("Cancelled"), Some(0)));
    assert_eq!(w.organisation.executions().len(), 1, "the second was never started");
}

#[tokio::test]
async fn a_tag_that_matches_nothing_ends_as_success() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let target = json!({"InstanceIds": [], "Targets": [{"Key": "tag:env", "Values": ["nowhere"]}]});
    let id = w.send(&member, &[], &["true"], target).await;
    let list = w.ssm(&member, "ListCommands", json!({"CommandId": id})).await;
    assert_eq!(list["Commands"][0]["StatusDetails"], "NoInstancesInTag");
    assert_eq!(list["Commands"][0]["Status"], "Success");
}

#[tokio::test]
async fn windows_takes_no_shell_script() {
    let w = world(table(1)).await;
    let member = w.member(None).await;
    let machines = w.organisation.machines();
    let (_, _, windows) = machines.iter().find(|(_, _, m)| m.platform.as_str() == "windows").unwrap();
    let id = w.send(&member, &[windows.id.to_string()], &["true"], json!({})).await;
    let (command, _) = w.settled(&member, &id).await;
    assert_eq!(command["Invocations"][0]["StatusDetails"], "InvalidPlatform");
    assert!(w.organisation.executions().is_empty());
}

#[tokio::test]
async fn a_restarted_service_runs_again_and_stays_so() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let machines = w.organisation.machines();
    let (_, _, failed) = machines.iter().find(|(_, r, m)| r.as_str() == "eu-west-1" && m.condition.failed).unwrap();
    let node = [failed.id.to_string()];
    let ask = async |script: &[&str]| {
        let id = w.send(&member, &node, script, json!({})).await;
        let (command, _) = w.settled(&member, &id).await;
        command["Invocations"][0]["CommandPlugins"][0]["Output"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask(&["systemctl is-active nginx || :"]).await, "failed\n");
    assert_eq!(ask(&["systemctl restart -- nginx", "systemctl is-active -- nginx"]).await, "active\n");
    assert_eq!(ask(&["systemctl show -p ActiveState --value nginx"]).await, "active\n");
    assert!(!w.organisation.machines().iter().any(|(_, _, m)| m.id == failed.id && m.condition.failed));
}

#[tokio::test]
async fn the_stand_ins_tell_one_story_without_this_hosts_paths() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let script = [
        "df -P \"$ROOT/var\"",
        "df -h | awk 'NR > 1 { print $5, $6 }'",
        "du -xk --max-depth=1 \"$ROOT/var\" | sort -rn | head -n 3",
        "hostname -s",
        "journalctl -u nginx -n 1 --no-pager",
        "ss -ltn | tail -n 1",
        "rpm -q nginx; rpm -q --qf '%{VERSION}\\n' openssl; rpm -q nothing || :",
        "id deploy; getent passwd nobody || echo 'no nobody'",
        "frobnicate",
    ];
    let id = w.send(&member, &w.nodes()[..1], &script, json!({})).await;
    let (command, _) = w.settled(&member, &id).await;
    let output = command["Invocations"][0]["CommandPlugins"][0]["Output"].as_str().unwrap();
    assert_snapshot!(plain(output));
}

#[tokio::test]
async fn an_organisation_of_thousands_of_nodes_answers_without_forking() {
    let w = world(Settings { accounts: 20, nodes: 100, ..table(20) }).await;
    let member = w.member(None).await;
    let nodes = w.nodes();
    let ids: Vec<String> = {
        let mut all = Vec::new();
        for chunk in nodes.chunks(50) {
            all.push(w.send(&member, chunk, &["df -P"], json!({"MaxErrors": "100%"})).await);
        }
        all
    };
    let mut ended = 0;
    for id in ids {
        let (command, _) = w.settled(&member, &id).await;
        ended += command["Invocations"].as_array().unwrap().iter().filter(|i| i["Status"] == "Success").count();
    }
    assert_eq!(ended, nodes.len());
    assert!(w.organisation.executions().iter().all(|e| e.by == "table" && e.exit == Some(0)));
}

/// The same promises as in `confine`, by the way that a runbook really takes.
#[tokio::test]
async fn a_hostile_runbook_harms_nothing_of_this_host() {
    let w = world(quick()).await;
    let member = w.member(None).await;
    let victim = std::env::temp_dir().join(format!("muster-victim-{}", crate::playground::aws::random_token()));
    std::fs::write(&victim, "mine").unwrap();
    let path = victim.display().to_string();
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".into());
    let script = [
        format!("ls -a {home} && echo BROKE: listed the home folder"),
        "cat /etc/passwd && echo BROKE: read the host".to_owned(),
        format!("echo evil >{path}; rm -f {path}; mv {path} \"$ROOT/x\""),
        "/usr/bin/find / && echo BROKE: ran find".to_owned(),
        "printf '#!/bin/sh\\necho BROKE: ran what it wrote\\n' >\"$ROOT/x\"; \"$ROOT/x\"".to_owned(),
        "sleep 600 & sleep 600".to_owned(),
    ];
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let parameters = json!({"Parameters": {"commands": script, "executionTimeout": ["2"]}});
    let id = w.send(&member, &w.nodes()[..1], &[], parameters).await;
    let (command, _) = w.settled(&member, &id).await;
    let invocation = &command["Invocations"][0];
    let output = invocation["CommandPlugins"][0]["Output"].as_str().unwrap();
    assert_eq!(invocation["StatusDetails"], "ExecutionTimedOut", "it does not outlive its time");
    assert!(!output.contains("BROKE"), "{output}");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
    std::fs::remove_file(&victim).unwrap();
}

#[tokio::test]
async fn a_reboot_is_a_reboot() {
    let pace = super::super::Pace { reboot: crate::domain::Millis(300), ..super::super::Pace::quick() };
    let w = world(Settings { pace, ..quick() }).await;
    if let Some(why) = w.organisation.confinement_fault() {
        eprintln!("skipped: {why}");
        return;
    }
    let member = w.member(None).await;
    let all = w.organisation.machines();
    let (.., machine) = all.iter().find(|(.., m)| m.condition.failed && m.name == "web-3").unwrap();
    let node = [machine.id.to_string()];
    let boot = "read -r id <\"$ROOT/proc/sys/kernel/random/boot_id\"\n";
    // The script asks for a reboot in its first boot only, and tells of each.
    let script = format!(
        "{boot}echo \"$id\" >>\"$ROOT/var/tmp/boots\"\nsystemctl is-active nginx >>\"$ROOT/var/tmp/boots\" || :\n\
         if [ \"$(wc -l <\"$ROOT/var/tmp/boots\")\" -lt 4 ]; then exit 194; fi\ncat \"$ROOT/var/tmp/boots\""
    );
    let reboots = w.send(&member, &node, &[&script], json!({})).await;
    // What is sent while the node is down waits for its agent.
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !w.organisation.machines().iter().any(|(.., m)| m.rebooting) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
    let meanwhile = w.send(&member, &node, &[&format!("{boot}echo \"$id\"")], json!({})).await;
    let (told, _) = w.settled(&member, &reboots).await;
    let output = |told: &Value| told["Invocations"][0]["CommandPlugins"][0]["Output"].as_str().unwrap().to_owned();
    let lines: Vec<String> = output(&told).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!((lines[1].as_str(), lines[3].as_str()), ("failed", "active"), "what had failed was started again");
    assert_ne!(lines[0], lines[2], "another boot has another id");
    let (told, seen) = w.settled(&member, &meanwhile).await;
    assert_eq!(output(&told), format!("{}\n", lines[2]), "it ran after the reboot: {seen:?}");
    let machines = w.organisation.machines();
    let (.., after) = machines.iter().find(|(.., m)| m.id == machine.id).unwrap();
    assert_eq!((after.boots, after.rebooting, after.condition.failed), (1, false, false));
}

#[tokio::test]
async fn a_script_that_always_asks_for_a_reboot_gets_as_many_as_the_agent_allows() {
    let w = world(quick()).await;
    if let Some(why) = w.organisation.confinement_fault() {
        eprintln!("skipped: {why}");
        return;
    }
    let member = w.member(None).await;
    let node = [w.nodes()[0].clone()];
    let command = w.send(&member, &node, &["exit 194"], json!({})).await;
    let (told, _) = w.settled(&member, &command).await;
    assert_eq!(
        (told["Status"].as_str(), told["Invocations"][0]["CommandPlugins"][0]["ResponseCode"].as_i64()),
        (Some("Failed"), Some(194))
    );
    assert_eq!(w.organisation.executions().len(), 15);
}

#[tokio::test]
async fn whole_outputs_are_in_the_bucket_a_moment_later_for_those_who_may_read_it() {
    let pace = super::super::Pace { upload: crate::domain::Millis(300), ..super::super::Pace::quick() };
    let w = world(Settings { pace, ..table(1) }).await;
    let reader = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::muster-outputs/x/*"}]}"#;
    let (member, reader) = (w.member(None).await, w.member(Some(reader)).await);
    let node = w.nodes()[0].clone();
    w.organisation.plant(super::super::FaultSpec::new(super::super::FaultName::LongOutput)).unwrap();
    let outputs = json!({"OutputS3BucketName": "muster-outputs", "OutputS3KeyPrefix": "x"});
    let command = w.send(&member, std::slice::from_ref(&node), &["df -h"], outputs).await;
    let key = format!("x/{command}/{node}/awsrunShellScript/0.awsrunShellScript/stdout");
    let get = async |signer: &Signer, path: &str, range: Option<&str>| {
        let host = w.running.addr.to_string();
        let mut headers = signer.object_headers(&host, &path.parse().unwrap(), "eu-west-1", Timestamp::now());
        headers.extend(range.map(|range| ("range".to_owned(), range.to_owned())));
        let (status, body) = w.http(&format!("GET {path}"), &headers, "").await.unwrap();
        (status, between(&body, "Code"), body)
    };
    let path = format!("/muster-outputs/{key}");
    w.settled(&member, &command).await;
    // Not there yet: who may list is told so, who may not is told what S3 tells of everything.
    assert_eq!(get(&member, &path, None).await.1, "NoSuchKey");
    assert_eq!(get(&reader, &path, None).await.1, "AccessDenied");
    let whole = loop {
        let (status, _, body) = get(&reader, &path, None).await;
        if status == 200 {
            break body;
        }
    };
    assert!(whole.len() > 100_000 && whole.starts_with("00000001 the quick"), "{}", whole.len());
    let (status, _, part) = get(&reader, &path, Some("bytes=0-99")).await;
    assert_eq!((status, part.as_str()), (206, &whole[..100]));
    assert_eq!(get(&reader, &path.replace("/x/", "/y/"), None).await.1, "AccessDenied");
    assert_eq!(get(&member, &path.replace("muster-outputs", "muster-none"), None).await.1, "NoSuchBucket");
    let other = Signer { secret: "x".into(), ..reader.clone() };
    assert_eq!(get(&other, &path, None).await.1, "SignatureDoesNotMatch");
    assert!(get(&reader, &path.replace("stdout", "stderr"), None).await.0 == 403, "nothing was printed there");
}
