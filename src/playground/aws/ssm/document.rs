//! The documents that commands name: AWS's two for inline scripts, and two of its many others.
//!
//! Their real content is AWS's; here a description of the parameters is enough, and its hash can be pinned.

use serde_json::{Value, json};

use crate::domain::{Digest, NodePlatform};

use super::super::documents;
use super::super::refusal::Refusal;
use super::{Call, texts};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    pub name: &'static str,
    /// The plugin's name in invocations: the plugin for schema 1.2, the step for 2.2.
    pub plugin: &'static str,
    schema: &'static str,
    platforms: &'static [NodePlatform],
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

const SCRIPT: Document = Document {
    name: "AWS-RunShellScript",
    plugin: "aws:runShellScript",
    schema: "1.2",
    platforms: &[NodePlatform::Linux, NodePlatform::Macos],
    required: &["commands"],
    optional: &["workingDirectory", "executionTimeout"],
};

const DOCUMENTS: [Document; 4] = [
    SCRIPT,
    Document {
        name: "AWS-RunPowerShellScript",
        plugin: "aws:runPowerShellScript",
        platforms: &[NodePlatform::Windows],
        ..SCRIPT
    },
    Document {
        name: documents::PATCH,
        plugin: "PatchLinux",
        schema: "2.2",
        platforms: &[NodePlatform::Linux, NodePlatform::Windows, NodePlatform::Macos],
        required: &["Operation"],
        optional: &[
            "AssociationId",
            "BaselineOverride",
            "InstallOverrideList",
            "RebootOption",
            "SnapshotId",
            "StepTimeoutSeconds",
        ],
    },
    Document {
        name: documents::ANSIBLE,
        plugin: "runShellScript",
        schema: "2.2",
        platforms: &[NodePlatform::Linux],
        required: &[],
        optional: &[
            "Check",
            "ExtraVariables",
            "InstallDependencies",
            "PlaybookFile",
            "SourceInfo",
            "SourceType",
            "TimeoutSeconds",
            "Verbose",
        ],
    },
];

pub fn find(name: &str) -> Option<Document> {
    DOCUMENTS.into_iter().find(|d| d.name == name)
}

impl Document {
    pub fn runs_on(&self, platform: NodePlatform) -> bool {
        self.platforms.contains(&platform)
    }

    /// AWS's own documents have no account in their ARN.
    pub fn owner_in_arn<'a>(&self, account: &'a str) -> &'a str {
        if self.name.starts_with("AWS-") { "" } else { account }
    }

    pub fn content(&self) -> String {
        if self.schema == "2.2" {
            let parameters: serde_json::Map<String, Value> = self
                .required
                .iter()
                .chain(self.optional)
                .map(|name| ((*name).to_owned(), json!({"type": "String"})))
                .collect();
            let steps = [json!({"action": "aws:runShellScript", "name": self.plugin})];
            return json!({"schemaVersion": "2.2", "parameters": parameters, "mainSteps": steps}).to_string();
        }
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
        let known = |name: &str| self.required.contains(&name) || self.optional.contains(&name);
        if let Some(other) = parameters.as_object().and_then(|p| p.keys().find(|k| !known(k))) {
            return Err(Refusal::new(
                400,
                "InvalidParameters",
                format!("Parameter \"{other}\" is not defined in the document."),
            ));
        }
        if let Some(missing) = self.required.iter().find(|name| texts(parameters.get(**name)).is_empty()) {
            return Err(Refusal::new(
                400,
                "InvalidParameters",
                format!("The following required parameters are missing: {missing}."),
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

fn platform(platform: NodePlatform) -> &'static str {
    match platform {
        NodePlatform::Linux => "Linux",
        NodePlatform::Windows => "Windows",
        NodePlatform::Macos => "MacOS",
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
        "SchemaVersion": document.schema,
        "Hash": document.hash(),
        "HashType": "Sha256",
        "PlatformTypes": document.platforms.iter().map(|p| platform(*p)).collect::<Vec<_>>(),
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
