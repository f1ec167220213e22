"""How well a grouping fits the planted one."""

import collections
import math


def adjusted_rand(truth, found):
    """The adjusted Rand index (Hubert and Arabie 1985): pairs of nodes on whose togetherness both agree, beyond chance.

    1 is the same partition, 0 what chance would give.
    """

    def pairs(counts):
        return sum(math.comb(count, 2) for count in counts.values())

    both = pairs(collections.Counter((truth[node], found.get(node)) for node in truth))
    ours, theirs = pairs(collections.Counter(truth.values())), pairs(collections.Counter(found.get(n) for n in truth))
    expected = ours * theirs / math.comb(len(truth), 2)
    most = (ours + theirs) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def mixed(truth, found):
    """Planted classes that are not alone in their groups, and those that are in more than one group."""
    in_group, of_class = collections.defaultdict(set), collections.defaultdict(set)
    for node, kind in truth.items():
        in_group[found.get(node)].add(kind)
        of_class[kind].add(found.get(node))
    shared = sorted({kind for kinds in in_group.values() if len(kinds) > 1 for kind in kinds})
    split = {kind: len(groups) for kind, groups in sorted(of_class.items()) if len(groups) > 1}
    return shared, split
