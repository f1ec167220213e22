"""One real output -> the outputs of many nodes, four of which kinds are not as the others.

What varies from node to node are the digits of tokens that hold measurements and identities: clock times, dates,
addresses (IPv4, MAC), UUIDs, hexadecimal numbers of 8 digits and more, shares and sizes of two digits and more,
decimals with two digits behind the point, and integers of three digits and more. They keep their length. Everything
else is constant: words, words with digits in them (`eth0`, `x86_64`), versions (anything with two points, or behind
`-`, and all decimals of a line that says `version` or `release`), ports and parts of paths, and integers of one or two
digits.
"""

import dataclasses
import re

import fleet

VOLATILE = re.compile(
    r"""(?<![\w./:+-])(?:
      (?P<hex>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}
        |0x[0-9a-fA-F]{4,}|(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,})
      |(?P<address>\d{1,3}(?:\.\d{1,3}){3})
      |(?P<moment>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)
      |(?P<clock>\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?)
      |(?P<date>\d{4}[-/]\d\d[-/]\d\d)
      |(?P<measure>\d{2,}%|\d+\.\d+%|\d{2,}[KMGT]i?B?|\d+\.\d+[KMGT]i?B?|\d{3,})
      |(?P<decimal>\d+\.\d\d+)
    )(?![\w%+-]|/(?!\d\d?(?![\w/]))|[.:]\w)""",
    re.VERBOSE,
)
# A moment that is written as none of these is constant, and nothing drifts in it.
TIMELIKE = re.compile(
    r"\d:\d\d|\d[-/]\w+[-/]\d|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* +\d"
    r"|\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
)
VERSIONED = re.compile(r"version|release|\bv\d", re.IGNORECASE)
CONSTANT = re.compile(r"(?<![\w.+-])[A-Za-z]*[\w.+-]*\d(?:[\w.+-]*\w)?")
WORD = re.compile(r"(?<![\w./:+-])[A-Za-z]{4,}(?![\w./+-])")
ERRORS = [
    "Error: unable to read the configuration, using defaults",
    "fatal: the volume is mounted read-only",
    "Traceback (most recent call last):",
    "segmentation fault (core dumped)",
    "permission denied while opening the device",
]
WORDS = ["degraded", "inactive", "orphaned", "quarantined", "mismatched"]
# Nodes of each deviation.
DEVIATIONS = {"line removed": 8, "error inserted": 5, "word replaced": 3, "token drifted": 6}
# So many variants of a line are drawn; which of them a node has is drawn for each line apart.
VARIANTS = 500
FORMS = ("as printed", "reordered", "chatty")
# No line of it sounds like an error: which nodes have one of those would be a difference.
CHATTER = [form for form in fleet.JOURNAL if form != fleet.REFUSED]


@dataclasses.dataclass(frozen=True)
class Deviation:
    """What is planted, as the deviating nodes print it: `line` in the place of line number `at`."""

    at: int
    # `None` where it is removed.
    line: str | None
    # What has to be seen of it, where it is something.
    seen: str | None
    inserted: bool = False


def volatile(line):
    """The spans that vary."""
    versioned = VERSIONED.search(line)
    return [m for m in VOLATILE.finditer(line) if not (versioned and m.lastgroup == "decimal")]


def constant_form(line):
    """The line without what varies."""
    return _with(line, volatile(line), lambda _: "#")


def _with(line, spans, new):
    parts, end = [], 0
    for span in spans:
        parts += [line[end : span.start()], new(span)]
        end = span.end()
    return "".join(parts) + line[end:]


def varied(rng, line, spans):
    """The line as another node would print it."""

    def new(span):
        text = span[0]
        if span.lastgroup == "hex":
            head = 2 if text.startswith("0x") else 0
            return text[:head] + "".join(c if c in "-:" else rng.choice("0123456789abcdef") for c in text[head:])
        if span.lastgroup == "address":
            return ".".join([text.split(".")[0], *(str(rng.randrange(1, 255)) for _ in range(3))])
        if span.lastgroup == "clock":
            return ":".join(f"{rng.randrange(24 if n == 0 else 60):02}" for n in range(text.count(":") + 1))
        if span.lastgroup in ("date", "moment"):
            day = f"2026{text[4]}{rng.randrange(1, 13):02}{text[7]}{rng.randrange(1, 29):02}"
            return day + re.sub(r"\d\d", lambda _: f"{rng.randrange(24):02}", text[10:])
        return "".join(rng.choice("0123456789" if n else "123456789") if c.isdigit() else c for n, c in enumerate(text))

    return _with(line, spans, new)


class Replay:
    """One output on so many nodes, with its four deviations; `None` of `plant` where it has no place for one."""

    def __init__(self, rng, text):
        self.rng = rng
        self.lines = [line.rstrip() for line in text.strip("\n").splitlines()]
        self.spans = [volatile(line) for line in self.lines]
        self.forms = [constant_form(line) for line in self.lines]
        self.deviations = self.plant()

    def plant(self):
        single = [n for n, form in enumerate(self.forms) if form.strip() and self.forms.count(form) == 1]
        word = self.replaced(WORD, self.other_word)
        drift = self.replaced(CONSTANT, self.other_digit, lambda line: not TIMELIKE.search(constant_form(line)))
        if not (single and word and drift):
            return None
        error = self.rng.choice(ERRORS)
        return {
            "line removed": Deviation(self.rng.choice(single), None, None),
            "error inserted": Deviation(self.rng.randrange(len(self.lines) + 1), error, error, inserted=True),
            "word replaced": word,
            "token drifted": drift,
        }

    def replaced(self, pattern, other, fit=lambda line: True):
        """A line with one constant token replaced, such that no other line of the output is like it."""
        places = [
            (n, m)
            for n, line in enumerate(self.lines)
            if fit(line)
            for m in pattern.finditer(line)
            if not any(m.start() < span.end() and span.start() < m.end() for span in self.spans[n])
        ]
        self.rng.shuffle(places)
        for n, token in places[:50]:
            new = other(token[0])
            line = self.lines[n][: token.start()] + new + self.lines[n][token.end() :]
            if constant_form(line) not in self.forms and len(volatile(line)) == len(self.spans[n]):
                return Deviation(n, line, new)
        return None

    def other_word(self, _old):
        return self.rng.choice([word for word in WORDS if not any(word in line for line in self.lines)])

    def other_digit(self, old):
        at = self.rng.choice([n for n, c in enumerate(old) if c.isdigit()])
        return old[:at] + self.rng.choice("123456789".replace(old[at], "")) + old[at + 1 :]

    def nodes(self, count):
        """What each node prints, and which deviation it has."""
        pools = [self.pool(line) for line in self.lines]
        columns = [self.rng.choices(pool, k=count) for pool in pools]
        outputs = [list(lines) for lines in zip(*columns)]
        planted = [None] * count
        places = iter(self.rng.sample(range(count), sum(DEVIATIONS.values())))
        for name, nodes in DEVIATIONS.items():
            for _ in range(nodes):
                node = next(places)
                planted[node] = name
                self.deviate(outputs[node], self.deviations[name])
        return outputs, planted

    def pool(self, line):
        spans = volatile(line)
        return [varied(self.rng, line, spans) for _ in range(VARIANTS)] if spans else [line]

    def deviate(self, lines, deviation):
        new = [] if deviation.line is None else [varied(self.rng, deviation.line, volatile(deviation.line))]
        lines[deviation.at : deviation.at + (0 if deviation.inserted else 1)] = new


def formed(rng, lines, form):
    """The lines of one node in one of the [`FORMS`]."""
    if form == "reordered":
        return rng.sample(lines, len(lines))
    if form == "chatty":
        lines = list(lines)
        for _ in range(rng.randrange(5, 41)):
            clock = f"Nov 21 {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
            said = fleet.message(rng, rng.choice(CHATTER))
            lines.insert(rng.randrange(len(lines) + 1), f"{clock} {said}")
    return lines
