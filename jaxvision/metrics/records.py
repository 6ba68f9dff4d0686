"""What metrics hold of examples until all are evaluated together."""

from typing import Any, TypeVar

Record = TypeVar("Record", bound=tuple[Any, ...])


def leaves(tree: tuple[Any, ...], kind: type[Record]) -> list[Record]:
    """Lists the records in a tree of tuples, which merging makes without copying any.

    Args:
        tree: Tuples of tuples, with records for leaves.
        kind: Of the records, a named tuple.

    Returns:
        The records, in no order.
    """
    # Not recursive: after merging batch by batch the tree is as deep as there are batches.
    found, stack = [], [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, kind):
            found.append(node)
        else:
            stack.extend(node)
    return found
