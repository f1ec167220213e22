"""Secrets: how many of those that others planted are taken out, and how often text without one is changed.

Recall is scored on the test cases of gitleaks' rules (see `cases_of_others`), of those rules whose format ours claim
([`CLAIMED`]), and on plants in the shapes of command output (`shapes`). A case is found if every token that was drawn
for it is gone, or, where it is a literal, if something of it was taken out. secretlint publishes no test data with its
packages, so none of it is used. Each case is the output of one node, so that what is redacted is a whole output.

Alarms are counted in the real outputs of jc and insights-core, of which few lines hold a secret. Marks whose shape
leaves no doubt ([`TRUE`]: password hashes, whole private keys, key ids of AWS, tokens, passwords in a URL) are no
alarms: such a line is not clean. Nor are lines that were looked at and hold a password or key (`judged`). The others
are listed in a file, with their digests, to be looked at.
"""

import collections
import re

import cases_of_others
import judged
import outputs
import program
import registries
import shapes
from figures import Figure, percent, share

# What we claim: the kind of the mark, and the rules of gitleaks and Betterleaks of the same format.
CLAIMED = {
    "aws-key": ["aws-access-token"],
    "aws-secret-key": ["aws-secret-access-key"],
    "gcp-key": ["gcp-api-key"],
    "azure-key": ["azure-ad-client-secret", "azure-storage-account-key", "azure-servicebus-connection-string"],
    "slack-token": [
        "slack-bot-token",
        "slack-user-token",
        "slack-app-token",
        "slack-config-access-token",
        "slack-config-refresh-token",
        "slack-legacy-bot-token",
        "slack-legacy-workspace-token",
        "slack-legacy-token",
        "slack-session-token",
    ],
    "slack-webhook": ["slack-webhook-url"],
    "forge-token": [
        "github-pat",
        "github-fine-grained-pat",
        "github-oauth",
        "github-app-token",
        "github-refresh-token",
        "gitlab-pat",
        "gitlab-pat-routable",
        "gitlab-cicd-job-token",
        "gitlab-deploy-token",
        "gitlab-feed-token",
        "gitlab-incoming-mail-token",
        "gitlab-kubernetes-agent-token",
        "gitlab-ptt",
        "gitlab-runner-authentication-token",
        "gitlab-runner-authentication-token-routable",
        "gitlab-scim-token",
    ],
    "api-key": [
        "npm-access-token",
        "digitalocean-pat",
        "huggingface-access-token",
        "vault-service-token",
        "vault-batch-token",
        "pypi-upload-token",
        "linear-api-key",
        "sendgrid-api-token",
        "age-secret-key",
        "doppler-api-token",
        "shopify-access-token",
        "openai-api-key",
        "anthropic-api-key",
        "anthropic-admin-api-key",
    ],
    "jwt": ["jwt"],
    "authorization": ["curl-auth-header"],
    "url-password": ["generic-credential-uri", "mongodb-connection-string", "neon-connection-uri"],
    "private-key": ["private-key"],
    # By the name in front of it.
    "password": ["generic-password", "hashicorp-tf-password", "curl-auth-user"],
}
TRUE = {"crypt-hash", "private-key", "aws-key", "jwt", "forge-token", "slack-token", "url-password"}
MARK = re.compile(r"‹secret:([a-z-]+)#[0-9a-f]{4}›|‹line withheld›")
PLANTS = 20
# Shorter pieces of a case are drawn too, and are no token by themselves.
TOKEN = 8


def figures(evaluation):
    failures = []
    if not evaluation.quick:
        yield from others(evaluation, failures)
    plants = [
        (shape, *shapes.plant(evaluation.random("plant", shape, n), shape))
        for shape in shapes.SHAPES
        for n in range(PLANTS)
    ]
    redacted = redact(evaluation, [text for _, text, _ in plants])
    missed = collections.Counter()
    for (shape, text, hidden), after in zip(plants, redacted):
        if left := [secret for secret in hidden if secret in after]:
            missed[shape] += 1
            failures.append(f"plant, {shape}: {left} left of {text!r}: {after!r}")
    found = len(plants) - missed.total()
    if missed:
        evaluation.note(f"secrets: plants missed: {dict(missed)}")
    yield Figure(
        f"secrets: plants in {len(shapes.SHAPES)} shapes of output",
        ">= 98 %",
        percent(found, len(plants)),
        share(found, len(plants)) >= 0.98,
    )
    evaluation.report("secrets-missed.txt", failures)
    if not evaluation.quick:
        yield alarms(evaluation)


def others(evaluation, failures):
    """Recall on the cases of others; those of other formats, and what they must not find, are only told."""
    cases, unread = cases_of_others.read(evaluation)
    rules = {rule: kind for kind, rules in CLAIMED.items() for rule in rules}
    cases = [case for case in cases if case.text.strip()]
    found = collections.Counter()
    asked = collections.Counter()
    for case, after in zip(cases, redact(evaluation, [case.text for case in cases])):
        group = "not to be found" if not case.positive else "claimed" if case.rule in rules else "not claimed"
        asked[group] += 1
        gone = MARK.search(after) and not any(secret in after for secret in case.secrets if len(secret) >= TOKEN)
        found[group] += bool(gone)
        if group == "claimed" and not gone:
            failures.append(f"{case.rule} ({rules[case.rule]}): {case.text[:300]!r}: {after[:300]!r}")
    tried = {case.rule for case in cases if case.positive}
    evaluation.note(
        f"secrets: cases of gitleaks from {cases_of_others.PACKAGE} {cases_of_others.VERSION}, "
        f"{len(rules.keys() & tried)} rules of claimed formats; {unread} expressions not read; "
        f"of {len(tried - rules.keys())} other rules {percent(found['not claimed'], asked['not claimed'])}; "
        f"changed of what is not to be found {percent(found['not to be found'], asked['not to be found'])}"
    )
    if without := sorted(rules.keys() - tried):
        evaluation.note(f"secrets: no case could be read of {', '.join(without)}")
    yield Figure(
        "secrets: gitleaks' cases of claimed formats",
        ">= 98 %",
        percent(found["claimed"], asked["claimed"]),
        share(found["claimed"], asked["claimed"]) >= 0.98,
    )


def redact(evaluation, texts):
    """Each text as the whole output of a node."""
    given = "".join(f"n{n}: {line}\n" for n, text in enumerate(texts) for line in text.split("\n"))
    ran = program.run([evaluation.muster, "summarise", "--redact-only"], given.encode())
    if ran.code != 0:
        raise AssertionError(f"exit code {ran.code}: {ran.err.decode(errors='replace')[:200]}")
    after = [[] for _ in texts]
    for line in ran.out.decode().split("\n")[:-1]:
        node, _, rest = line.partition(": ")
        after[int(node[1:])].append(rest)
    return ["\n".join(lines) for lines in after]


def alarms(evaluation):
    archive = registries.debian_source(evaluation, "jc")
    texts = [text for name, text in registries.members(archive, ".out") if "/tests/fixtures/" in name]
    texts += outputs.insights(evaluation).values()
    clean, doubtful, sure = 0, [], collections.Counter()
    for text, after in zip(texts, redact(evaluation, texts)):
        lines = text.split("\n")
        # A key block becomes one line, and from there on lines cannot be told side by side.
        lines += [""] * (after.count("\n") + 1 - len(lines))
        for before, line in zip(lines, after.split("\n")):
            kinds = [mark[1] or "line" for mark in MARK.finditer(line)]
            sure.update(kind for kind in kinds if kind in TRUE)
            if judged.holds_a_secret(before) or kinds and TRUE.issuperset(kinds):
                continue
            clean += 1
            for mark in MARK.finditer(line):
                if mark[1] not in TRUE:
                    around = line[max(0, mark.start() - 80) : mark.end() + 20].strip()
                    doubtful.append(f"{judged.digest(before)}\t{around}\t{before[:200]}")
    evaluation.report("secrets-alarms.txt", doubtful)
    evaluation.note(f"secrets: marks that are no alarms: {dict(sure)}")
    rate = len(doubtful) / clean * 1e6
    return Figure(
        "secrets: alarms in a million clean lines",
        "<= 40",
        f"{rate:.0f} ({len(doubtful)} in {clean} lines)",
        rate <= 40,
    )
