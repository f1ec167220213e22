//! The documents that commands name: AWS's two for inline scripts.
//!
//! Their real content is AWS's; here a description of the parameters is enough, and its hash can be pinned.

use serde_json::{Value, json};

use crate::domain::Digest;

use super::super::refusal::Refusal;
use super::{Call, texts};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    pub name: &'static str,
    /// The plugin's name in invocations.
    pub plugin: &'static str,
    pub windows: bool,
}

const DOCUMENTS: [Document; 2] = [
    Document { name: "AWS-RunShellScript", plugin: "aws:runShellScript", windows: false },
    Document { name: "AWS-RunPowerShellScript", plugin: "aws:runPowerShellScript", windows: true },
];

pub fn find(name: &str) -> Option<Document> {
    DOCUMENTS.into_iter().find(|d| d.name == name)
}

impl Document {
    /// AWS's own documents have no account in their ARN.
    pub fn owner_in_arn<'a>(&self, account: &'a str) -> &'a str {
        if self.name.starts_with("AWS-") { "" } else { account }
    }

    pub fn content(&self) -> String {
        json!({
            "schemaVersion": "1.2",
            "description": "Run scripts on a managed node.",
            "parameters": {
                "commands": {"type": "StringList", "minItems": 1},
                "workingDirectory": {"type": "String", "default": ""},
                "executionTimeout": {"type": "String", "default": "3600"},
            },
            "runtimeConfig": {self.plugin: {"properties": [{"id": format!("0.{}", self.plugin), "runCommand": "{{ commands }}"}]}},
        })
        .to_string()
    }

    pub fn hash(&self) -> String {
        Digest::of(self.content().as_bytes()).to_string()
    }

    pub fn check_parameters(&self, parameters: &Value) -> Result<(), Refusal> {
        let known = ["commands", "workingDirectory", "executionTimeout"];
        if let Some(other) = parameters.as_object().and_then(|p| p.keys().find(|k| !known.contains(&k.as_str()))) {
            return Err(Refusal::new(
                400,
                "InvalidParameters",
                format!("Parameter \"{other}\" is not defined in the document."),
            ));
        }
        if texts(parameters.get("commands")).is_empty() {
            return Err(Refusal::new(
                400,
                "InvalidParameters",
                "The following required parameters are missing: commands.",
            ));
        }
        if let Some(timeout) = texts(parameters.get("executionTimeout")).first()
            && !timeout.parse::<u32>().is_ok_and(|n| (1..=172_800).contains(&n))
        {
            let message =
                format!("Parameter \"executionTimeout\" value \"{timeout}\" does not match the allowed pattern.");
            return Err(Refusal::new(400, "InvalidParameters", message));
        }
        Ok(())
    }
}

fn named(call: &Call<'_>) -> Result<Document, Refusal> {
    let name = call.text("Name").unwrap_or_default();
    find(name).ok_or_else(|| Refusal::new(400, "InvalidDocument", format!("Document with name {name} does not exist.")))
}

pub fn describe(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:DescribeDocument")?;
    let document = named(call)?;
    Ok(json!({"Document": {
        "Name": document.name,
        "Owner": "Amazon",
        "Status": "Active",
        "DocumentVersion": "1",
        "LatestVersion": "1",
        "DefaultVersion": "1",
        "DocumentType": "Command",
        "DocumentFormat": "JSON",
        "SchemaVersion": "1.2",
        "Hash": document.hash(),
        "HashType": "Sha256",
        "PlatformTypes": if document.windows { ["Windows"] } else { ["Linux"] },
    }}))
}

pub fn get(call: &Call<'_>) -> Result<Value, Refusal> {
    call.allow_any("ssm:GetDocument")?;
    let document = named(call)?;
    Ok(json!({
        "Name": document.name,
        "DocumentVersion": "1",
        "Status": "Active",
        "Content": document.content(),
        "DocumentType": "Command",
        "DocumentFormat": "JSON",
    }))
}
