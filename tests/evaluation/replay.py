"""Real outputs of commands, each replayed over 2,000 nodes with four planted deviations (`variation`).

Outputs that hold a secret are left out, because what is redacted cannot be mentioned. A deviation is found if no usual
node is in the groups of its nodes. It is mentioned if the JSON has a finding of its nodes whose title or output holds
what they print and others do not. Nothing is invented if all usual nodes are in one group, and that does not say that
each has an output of its own.
"""

import concurrent.futures
import functools
import json
import pathlib

import fleet
import outputs
import program
import redaction
import variation
from figures import Figure, percent

SAMPLE = 170
EACH_ITS_OWN = "an output of its own on each node"


def figures(evaluation):
    sets = {"few": outputs.few} if evaluation.quick else {"jc": outputs.jc, "insights": outputs.insights}
    nodes = 500 if evaluation.quick else 2_000
    failures = []
    # One is written while another is read.
    pool = concurrent.futures.ThreadPoolExecutor(2)
    for name, read in sets.items():
        replays = usable(evaluation, name, read(evaluation))
        evaluation.note(f"replay: {name}: {len(replays)} outputs over {nodes} nodes")
        if not evaluation.quick:
            yield Figure(f"replay: {name}, outputs", ">= 160", str(len(replays)), len(replays) >= 160)
        for form in variation.FORMS:
            scoring = functools.partial(score, evaluation, name, form, nodes)
            scores = list(pool.map(scoring, replays.keys(), replays.values()))
            planted = len(scores) * len(variation.DEVIATIONS)
            found, mentioned, titled = (sum(s[key] for s in scores) for key in ("found", "mentioned", "titled"))
            whole = sum(s["invented"] == 0 for s in scores)
            what = f"replay: {name}, {form}"
            yield Figure(f"{what}: deviations apart", "100 %", percent(found, planted), found == planted)
            yield Figure(f"{what}: and mentioned", "100 %", percent(mentioned, planted), mentioned == planted)
            yield Figure(
                f"{what}: outputs with nothing invented", "100 %", percent(whole, len(scores)), whole == len(scores)
            )
            evaluation.note(
                f"{what}: of what is there to be seen {percent(titled, planted - len(scores))} stands in the title"
            )
            failures += [line for s in scores for line in s["failures"]]
    evaluation.report("replay.txt", failures)


def usable(evaluation, name, texts):
    """A sample of the outputs that hold no secret and have a place for each deviation."""
    rng = evaluation.random("replay", name)
    names = sorted(texts)
    redacted = redaction.redact(evaluation, [texts[name] for name in names])
    drawn = [name for name, after in zip(names, redacted) if not redaction.MARK.search(after)]
    rng.shuffle(drawn)
    replays = {}
    for output in drawn:
        replay = variation.Replay(evaluation.random("replay", name, output), texts[output])
        if replay.deviations and len(replays) < SAMPLE:
            replays[output] = replay
    return replays


def score(evaluation, name, form, nodes, output, replay):
    rng = evaluation.random("replay", name, output, form)
    replay.rng = rng
    printed, planted = replay.nodes(nodes)
    with evaluation.scratch() as scratch:
        file = pathlib.Path(scratch) / "text"
        with open(file, "w", encoding="utf-8") as text:
            for n, lines in enumerate(printed):
                node = fleet.node(n)
                text.writelines(f"{node}: {line}\n" for line in variation.formed(rng, lines, form))
        said, groups = program.groups(evaluation.muster, pathlib.Path(scratch), file)
    return judged(f"{name} {output}, {form}", replay, planted, said, groups)


def judged(where, replay, planted, said, groups):
    usual = {groups.get(fleet.node(n)) for n, kind in enumerate(planted) if kind is None}
    lumped = any(said["findings"][group - 1]["title"] == EACH_ITS_OWN for group in usual if group)
    scores = {"found": 0, "mentioned": 0, "titled": 0, "invented": len(usual) - 1 + lumped, "failures": []}
    for kind, deviation in replay.deviations.items():
        nodes = {fleet.node(n) for n, k in enumerate(planted) if k == kind}
        apart = not any(groups.get(node) in usual for node in nodes)
        mentioned = apart and any(mentions(finding, nodes, deviation.seen) for finding in said["findings"])
        scores["found"] += apart
        scores["mentioned"] += mentioned
        scores["titled"] += apart and any(
            deviation.seen and deviation.seen in finding["title"] and not nodes.isdisjoint(finding["nodes"])
            for finding in said["findings"]
        )
        if not mentioned:
            was = replay.lines[deviation.at] if deviation.at < len(replay.lines) else "the end"
            what = "with the usual ones" if not apart else "apart, and not mentioned"
            scores["failures"].append(f"{where}: {kind}: {what}: {was!r} -> {deviation.line!r}")
    if scores["invented"]:
        sizes = sorted(
            (sum(groups.get(fleet.node(n)) == group for n, k in enumerate(planted) if k is None) for group in usual),
            reverse=True,
        )
        titles = [said["findings"][group - 1]["title"] for group in sorted(usual) if group]
        scores["failures"].append(
            f"{where}: invented: groups of {sizes[:8]}: {json.dumps(titles[:4], ensure_ascii=False)}"
        )
    return scores


def mentions(finding, nodes, seen):
    told = f"{finding['title']}\n{finding['output']}"
    return not nodes.isdisjoint(finding["nodes"]) and (seen is None or seen in told)
