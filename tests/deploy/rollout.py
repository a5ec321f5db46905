"""How many tabs nodes have while some of them go: arithmetic, to hold the autoscaler's target against the limit."""


def spread(tabs, nodes):
    """The nodes once these tabs have come back, evenly."""
    return [have + tabs / len(nodes) for have in nodes]


def rolling_upgrade(nodes, target, lost_at=None):
    """
    The most tabs that any node has while all are replaced, a new one first and then an old one less.

    Tabs come back to old nodes as well as to new ones, so the last old node has had a share of every one before it. In the
    step `lost_at` the fullest other node is lost together with the one that leaves.
    """
    old, new, most = [float(target)] * nodes, [], float(target)
    step = 0
    while old:
        new.append(0.0)
        tabs = old.pop()
        if step == lost_at:
            tabs += (old or new).pop(0)
        everybody = spread(tabs, old + new)
        old, new = everybody[: len(old)], everybody[len(old) :]
        most = max(most, *everybody)
        step += 1
    return most


def worst_case(nodes, target):
    """The most tabs that any node has in a rolling upgrade that loses a node at the worst moment."""
    return max(rolling_upgrade(nodes, target, step) for step in [None, *range(nodes)])
