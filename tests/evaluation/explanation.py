"""Planted causes: a cohort prints something else, and one attribute, or two together, set it apart.

The cohort is `exact` the nodes of a value or of a pair of values, or it has 95 or 90 of 100 of them and as many in the
hundred come from elsewhere. A cause is planted only where it is the best explanation: no other value, and no other pair
with one of its values, fits the cohort as well (F1). Right is a description that names it, or values that hold for
exactly the same nodes. False is a description of a random cohort, or one that names a value that was not planted; what
names only one of two is neither. Cohorts have at least 12 nodes and at most a fifth of the fleet.
"""

import pathlib
import re

import inventory
import program
from figures import Figure, percent, share

LEAST = 12
MOST = inventory.NODES // 5
EXCEPT = re.compile(r"^all of (?P<place>\S+) except [\d,]+")
WORDS = re.compile(
    r"^(?:all|[\d,]+ of [\d,]+)(?: in (?P<in>\S+))?(?: on (?P<on>.+?))?(?: with (?P<with>.+?))?"
    r" \([\d,]+ of (?:its|those) [\d,]+\)"
)
NAMED_IN = re.compile(r" in (?P<in>\S+?)(?:, nothing sets them apart)?$")
KINDS = {
    "one value, exact": (1, 1.0),
    "one value, 95 %": (1, 0.95),
    "one value, 90 %": (1, 0.90),
    "a pair, exact": (2, 1.0),
    "a pair, 95 %": (2, 0.95),
    "a pair, 90 %": (2, 0.90),
}


def figures(evaluation):
    seeds = 2 if evaluation.quick else 20
    # Of each kind so many for a seed, and as many random cohorts as planted ones.
    each = 1 if evaluation.quick else 4
    asked, right, false, failures = {}, {}, {}, []
    for seed in range(seeds):
        rng = evaluation.random("explanation", seed)
        fleet = Fleet(inventory.generate(rng))
        with evaluation.scratch() as scratch:
            table = pathlib.Path(scratch) / "nodes.tsv"
            inventory.write(table, fleet.nodes)
            cohorts = [(kind, *fleet.planted(rng, *how)) for kind, how in KINDS.items() for _ in range(each)]
            cohorts += [("random", None, fleet.random(rng)) for _ in range(len(cohorts))]
            for kind, cause, cohort in cohorts:
                described = describe(evaluation, pathlib.Path(scratch), table, fleet.nodes, cohort)
                verdict = fleet.judge(described, cause)
                asked[kind] = asked.get(kind, 0) + 1
                right[kind] = right.get(kind, 0) + (verdict == "right")
                false[kind] = false.get(kind, 0) + (verdict == "false")
                if verdict not in ("right", "silent") or verdict == "silent" and cause:
                    failures.append(
                        f"seed {seed}, {kind}, {len(cohort)} nodes, {verdict}: planted {cause}, said: {described}"
                    )
    evaluation.report("explanation.txt", failures)
    planted = sum(asked[kind] for kind in KINDS)
    named = sum(right[kind] for kind in KINDS)
    yield Figure(
        "explanation: planted causes named right", ">= 97 %", percent(named, planted), share(named, planted) >= 0.97
    )
    for kind in KINDS:
        evaluation.note(f"explanation: {kind}: right {percent(right[kind], asked[kind])}, false {false[kind]}")
    wrong, total = sum(false.values()), sum(asked.values())
    yield Figure("explanation: false, of all", "<= 1 %", percent(wrong, total), share(wrong, total) <= 0.01)
    yield Figure(
        "explanation: random cohorts told something",
        "<= 1 %",
        percent(false["random"], asked["random"]),
        share(false["random"], asked["random"]) <= 0.01,
    )


class Fleet:
    def __init__(self, nodes):
        self.nodes = nodes
        self.names = sorted(nodes)
        self.holders = inventory.holders(nodes)
        self.of_value = {}
        for name, value in sorted(self.holders):
            self.of_value.setdefault(value, []).append((name, value))

    def inside(self, items):
        """The nodes for which all of these hold."""
        return set.intersection(*(self.holders[item] for item in items))

    def planted(self, rng, values, share_of):
        """A cause and its cohort."""
        items = sorted(self.holders)
        while True:
            cause = sorted(rng.sample(items, values))
            inside = self.inside(cause)
            if len({name for name, _ in cause}) < values or not LEAST / share_of <= len(inside) <= MOST:
                continue
            count = round(len(inside) * share_of)
            cohort = set(rng.sample(sorted(inside), count))
            others = sorted(self.nodes.keys() - inside)
            cohort |= set(rng.sample(others, round(len(inside) * (1 - share_of))))
            if self.is_best(cause, inside, cohort):
                return cause, cohort

    def is_best(self, cause, inside, cohort):
        """Nothing else explains the cohort as well, and of a pair each value is needed by a clear margin."""
        own = fit(inside, cohort)
        singles = [nodes for item, nodes in self.holders.items() if nodes != inside]
        if any(fit(nodes, cohort) >= own - (0.1 if len(cause) == 2 else 0) for nodes in singles):
            return False
        pairs = (self.holders[item] & nodes for item in cause for nodes in singles)
        return not any(both != inside and fit(both, cohort) >= own for both in pairs)

    def random(self, rng):
        return set(rng.sample(self.names, round(LEAST * (MOST / 2 / LEAST) ** rng.random())))

    def judge(self, described, cause):
        said = self.read(described)
        if said is None:
            return "silent"
        if cause is None:
            return "false"
        if self.inside(said) == self.inside(cause):
            return "right"
        planted = [self.holders[item] for item in cause]
        return "half" if all(self.holders[item] in planted for item in said) else "false"

    def read(self, described):
        """The values that a description names; `None` where it names nodes and says nothing of them."""
        if found := EXCEPT.match(described):
            values = found["place"].split("/")
        elif found := WORDS.match(described):
            on, having = (found[word] or "" for word in ("on", "with"))
            values = [*(found["in"] or "").split("/"), *on.split(" and "), *having.split(" and ")]
        elif found := NAMED_IN.search(described):
            values = [found["in"]]
        else:
            return None
        return [self.item(value) for value in values if value]

    def item(self, value):
        """`name=value`, or the value of an account, a region and the like alone."""
        name, _, rest = value.partition("=")
        return (name, rest) if (name, rest) in self.holders else self.of_value[value][0]


def fit(nodes, cohort):
    """F1 of a set of nodes as a description of the cohort."""
    return 2 * len(nodes & cohort) / (len(nodes) + len(cohort))


def describe(evaluation, folder, table, nodes, cohort):
    text = folder / "text"
    with open(text, "w", encoding="utf-8") as file:
        file.writelines(f"{name}: nginx is {'dead' if name in cohort else 'running'}\n" for name in nodes)
    said, _ = program.groups(evaluation.muster, folder, text, "--inventory", table)
    return next(finding["described"] for finding in said["findings"] if set(finding["nodes"]) == cohort)
