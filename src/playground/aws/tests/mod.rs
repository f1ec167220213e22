//! The organisation seen from the wire: what a client sends and reads, over real sockets.

mod automations;
mod commands;
mod faults;
mod protocol;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::domain::Timestamp;

use super::xml;
use super::{Organisation, Running, Settings, Signer, hub_role_arn, serve};

/// A served organisation and the hands to work with it.
struct World {
    organisation: Organisation,
    running: Running,
}

/// A status and a body; `None` where the connection ended without an answer.
type Answer = Option<(u16, String)>;

async fn world(settings: Settings) -> World {
    println!("seed {}", settings.seed);
    let organisation = Organisation::new(settings).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = serve(listener, organisation.clone()).await.unwrap();
    World { organisation, running }
}

impl World {
    async fn http(&self, head: &str, headers: &[(String, String)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.running.addr).await.unwrap();
        let mut text = format!("{head} HTTP/1.1\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    async fn signed_at(&self, signer: &Signer, scope: [&str; 2], target: &str, body: &str, at: Timestamp) -> Answer {
        let kind = if target.is_empty() { "application/x-www-form-urlencoded" } else { "application/x-amz-json-1.1" };
        let mut extra = vec![("content-type", kind.to_owned())];
        if !target.is_empty() {
            extra.push(("x-amz-target", target.to_owned()));
        }
        let host = self.running.addr.to_string();
        let headers = signer.headers(&host, &extra, scope[0], scope[1], at, body.as_bytes());
        self.http("POST /", &headers, body).await
    }

    async fn query(&self, signer: &Signer, service: &str, body: &str) -> (u16, String) {
        self.signed_at(signer, [service, "eu-west-1"], "", body, Timestamp::now()).await.unwrap()
    }

    async fn ssm_raw(&self, signer: &Signer, operation: &str, input: &Value) -> Answer {
        let target = format!("AmazonSSM.{operation}");
        self.signed_at(signer, ["ssm", "eu-west-1"], &target, &input.to_string(), Timestamp::now()).await
    }

    async fn ssm(&self, signer: &Signer, operation: &str, input: Value) -> Value {
        let (status, body) = self.ssm_raw(signer, operation, &input).await.unwrap();
        assert_eq!(status, 200, "{operation}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The refusal as `status code: message`.
    async fn refused(&self, signer: &Signer, operation: &str, input: Value) -> String {
        let (status, body) = self.ssm_raw(signer, operation, &input).await.unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        format!("{status} {}: {}", body["__type"].as_str().unwrap(), body["message"].as_str().unwrap())
    }

    async fn assume(&self, by: &Signer, parameters: &[(&str, &str)]) -> Result<Signer, String> {
        let mut body = "Action=AssumeRole&Version=2011-06-15".to_owned();
        for (name, value) in parameters {
            let value: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
            body += &format!("&{name}={value}");
        }
        let (status, text) = self.query(by, "sts", &body).await;
        if status != 200 {
            return Err(format!("{status} {}: {}", between(&text, "Code"), between(&text, "Message")));
        }
        Ok(Signer {
            access_key: between(&text, "AccessKeyId"),
            secret: between(&text, "SecretAccessKey"),
            token: Some(between(&text, "SessionToken")),
        })
    }

    async fn hub(&self) -> Signer {
        let base = self.organisation.base_credentials();
        self.assume(&base, &[("RoleArn", &hub_role_arn()), ("RoleSessionName", "muster")]).await.unwrap()
    }

    /// A session of the first member account, with a session policy where one is given.
    async fn member(&self, policy: Option<&str>) -> Signer {
        self.member_of(0, policy).await.unwrap()
    }

    async fn member_of(&self, number: usize, policy: Option<&str>) -> Result<Signer, String> {
        let account = &self.organisation.accounts()[number];
        let mut parameters = vec![
            ("RoleArn", account.role_arn.as_str()),
            ("RoleSessionName", "run-01J"),
            ("ExternalId", account.external_id.as_str()),
            ("SourceIdentity", "slack.T0MUSTER.U0SUSAN"),
        ];
        parameters.extend(policy.map(|p| ("Policy", p)));
        self.assume(&self.hub().await, &parameters).await
    }

    /// Ids of the Linux nodes of the first account in eu-west-1.
    fn nodes(&self) -> Vec<String> {
        let account = &self.organisation.accounts()[0].id;
        let machines = self.organisation.machines();
        let here = machines.iter().filter(|(a, r, m)| a == account && r.as_str() == "eu-west-1" && m.managed);
        here.filter(|(_, _, m)| m.platform.as_str() == "linux").map(|(_, _, m)| m.id.to_string()).collect()
    }

    async fn send(&self, signer: &Signer, nodes: &[String], commands: &[&str], more: Value) -> String {
        let mut input = json!({
            "DocumentName": "AWS-RunShellScript", "InstanceIds": nodes, "Parameters": {"commands": commands},
            "Comment": "muster:test", "MaxConcurrency": "100%",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let answer = self.ssm(signer, "SendCommand", input).await;
        answer["Command"]["CommandId"].as_str().unwrap().to_owned()
    }

    /// The command when nothing of it changes any more, and every state seen on the way.
    async fn settled(&self, signer: &Signer, command: &str) -> (Value, Vec<String>) {
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..2000 {
            let list = self.ssm(signer, "ListCommandInvocations", json!({"CommandId": command, "Details": true})).await;
            let all = list["CommandInvocations"].as_array().unwrap().clone();
            let told: Vec<String> = all
                .iter()
                .map(|i| format!("{}/{}", i["Status"].as_str().unwrap(), i["StatusDetails"].as_str().unwrap()))
                .collect();
            if seen.last() != Some(&told.join(" ")) {
                seen.push(told.join(" "));
            }
            if told.iter().all(|t| !["Pending", "InProgress", "Cancelling"].contains(&t.split('/').next().unwrap())) {
                let commands = self.ssm(signer, "ListCommands", json!({"CommandId": command})).await;
                let mut command = commands["Commands"][0].clone();
                command["Invocations"] = json!(all);
                return (command, seen);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the command did not settle; seen {seen:?}");
    }
}

/// Rates that no test meets by accident.
fn quick() -> Settings {
    let many = super::Rate::new(10_000.0, 10_000.0);
    let rates = super::Rates { send: many, read: many, ec2: many, organizations: many, sts: many };
    Settings { rates, ..Settings::quick() }
}

/// The same without forks.
fn table(script_time: u64) -> Settings {
    let script_time = crate::domain::Millis(script_time);
    Settings { execution: super::Execution::Table { script_time }, ..quick() }
}

fn between(text: &str, tag: &str) -> String {
    let inner = text.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    inner.map(|(inner, _)| xml::unescape(inner, false)).unwrap_or_default()
}

/// Ids and times made equal, so that shapes can be compared.
fn plain(text: &str) -> String {
    let uuid = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let epoch = regex::Regex::new(r"\b1[0-9]{9}\.[0-9]+").unwrap();
    let key = regex::Regex::new("ASIA[0-9A-F]{16}").unwrap();
    let hex = regex::Regex::new("(play)?[0-9a-f]{40,}").unwrap();
    let date = regex::Regex::new(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z").unwrap();
    let text = uuid.replace_all(text, "<uuid>");
    let text = epoch.replace_all(&text, "<time>");
    let text = date.replace_all(&text, "<date>");
    let text = key.replace_all(&text, "<key>");
    hex.replace_all(&text, "<hex>").into_owned()
}
