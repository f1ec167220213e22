"""Resolves the CloudFormation templates as AWS would, and compares what comes out with tests/fixtures/cloudformation.

The Rust tests judge those JSON files (by the simulated IAM, and against the adapter's list of actions); this holds that
they are what the templates say. `--write` writes them anew. Also reads the manifest of `muster slack manifest` as YAML and
compares it with its JSON.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

root = Path(__file__).resolve().parent.parent
templates = root / "deploy" / "cloudformation"
fixtures = root / "tests" / "fixtures" / "cloudformation"
NOTHING = object()
PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "111111111111", "AWS::NoValue": NOTHING}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def short(loader, suffix, node):
    name = {"Ref": "Ref", "Condition": "Condition"}.get(suffix, f"Fn::{suffix}")
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short)


class Stack:
    def __init__(self, template, parameters):
        self.template = template
        defaults = {k: v.get("Default") for k, v in template["Parameters"].items()}
        self.values = {**PSEUDO, **defaults, **parameters}
        for name, wanted in template["Parameters"].items():
            value = self.values[name]
            assert value is not None, f"{name} has no value"
            assert re.search(wanted.get("AllowedPattern", ""), value), f"{name}: {value!r} does not match"

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def resolve(self, node):
        if isinstance(node, list):
            return [v for v in map(self.resolve, node) if v is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, value), = node.items()
            if key == "Ref":
                return self.values.get(value, f"<{value}>")
            if key == "Condition" and isinstance(value, str):
                return self.condition(value)
            if key == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda m: str(self.values.get(m[1], f"<{m[1]}>")), value)
            if key == "Fn::If":
                return self.resolve(value[1] if self.condition(value[0]) else value[2])
            if key == "Fn::Equals":
                left, right = map(self.resolve, value)
                return left == right
            if key == "Fn::Not":
                return not self.resolve(value[0])
            if key == "Fn::And":
                return all(map(self.resolve, value))
            if key == "Fn::Or":
                return any(map(self.resolve, value))
        return {k: v for k, v in ((k, self.resolve(v)) for k, v in node.items()) if v is not NOTHING}


def stack(name, **parameters):
    return Stack(yaml.load((templates / name).read_text(), Loader), parameters)


def role(stack, name):
    properties = stack.resolve(stack.template["Resources"][name]["Properties"])
    return {"trust": properties["AssumeRolePolicyDocument"], "rights": properties["Policies"][0]["PolicyDocument"]}


HUB = {"OrganizationId": "o-a1b2c3d4e5"}
MEMBER = {
    "HubRoleArn": "arn:aws:iam::999999999999:role/muster-hub",
    "ExternalId": "an-external-id-of-24-chars",
    "OrganizationId": "o-a1b2c3d4e5",
    "Region1": "eu-west-1",
}
resolved = {
    "hub.json": role(stack("hub.yaml", **HUB), "HubRole"),
    "hub-discovers.json": role(stack("hub.yaml", **HUB, DiscoverAccounts="true"), "HubRole"),
    "member.json": role(stack("member.yaml", **MEMBER, Region2="us-east-1"), "MemberRole"),
    "member-automations.json": role(stack("member.yaml", **MEMBER, RestartInstances="true", Region2="us-east-1"), "MemberRole"),
    "automation-role.json": role(stack("member.yaml", **MEMBER, RestartInstances="true", Region2="us-east-1"), "AutomationRole"),
    "member-outputs.json": role(stack("member.yaml", **MEMBER, OutputsBucket="acme-outputs"), "MemberRole"),
    "member-documents-only.json": role(stack("member.yaml", **MEMBER, InlineScripts="false"), "MemberRole"),
}
faults = []
for name, value in resolved.items():
    text, path = json.dumps(value, indent=2) + "\n", fixtures / name
    if "--write" in sys.argv:
        fixtures.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        faults.append(f"{path.relative_to(root)} is not what the template says: run `.ci/witness-deploy --write`")

muster = sys.argv[1]
if muster != "-":
    manifest = lambda *more: subprocess.run(
        [muster, "slack", "manifest", "--config", str(root / "deploy" / "muster.toml"), *more], check=True, capture_output=True, text=True
    ).stdout
    as_yaml, as_json = yaml.safe_load(manifest()), json.loads(manifest("--json"))
    if as_yaml != as_json:
        faults.append("the manifest in YAML does not say what the manifest in JSON says")

for fault in faults:
    print(fault)
if faults:
    sys.exit(1)
print(f"{len(resolved)} resolved roles as the fixtures say; the manifest {'was left out' if muster == '-' else 'reads the same in YAML and JSON'}")
