"""PyTorch modules inside a checkpoint: inert objects of which only the tensors are taken.

`torch.save(model)` pickles objects of the author's classes. Here each stands for nothing but the
attributes that the pickle gives it: no class is imported, no function called.
"""

from collections.abc import Iterator, Mapping
from typing import Any

# A deeper or larger tree is no network but an attempt to keep the reader busy.
MAX_DEPTH = 100
MAX_NAMES = 20_000
_LONGEST = 100  # name of a class in a message


class UnreadableModule(ValueError):
    """Something that is not the pickle of a module."""


class _Class(type):
    """The type of placeholders: a pickle may make one without arguments, but call none."""

    reference: str
    count: int

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise UnreadableModule(not_read(cls.reference))


class PickledModule(metaclass=_Class):
    """An object of a class that is not known here.

    Attributes:
        attributes: What the pickle set.
    """

    __slots__ = ("attributes",)
    reference = ""
    count = 0

    def __new__(cls, *args: Any) -> "PickledModule":
        """Makes an object without attributes, as `pickle` does it for a module."""
        if args:
            raise UnreadableModule(not_read(cls.reference))
        made = object.__new__(cls)
        made.attributes = {}
        cls.count += 1
        return made

    def __setstate__(self, state: Any) -> None:
        """Takes the attributes, which must be a plain mapping of names."""
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise UnreadableModule(not_read(type(self).reference))
        self.attributes = dict(state)


def placeholder(module: str, name: str) -> type[PickledModule]:
    """Makes the class that stands for `module.name`."""
    fields = {"__slots__": (), "reference": f"{module}.{name}", "count": 0}
    return _Class("PickledModule", (PickledModule,), fields)


def not_read(reference: str) -> str:
    """Words the error for a name that stands for more than a module."""
    return f"it refers to {reference[:_LONGEST]}, which is not read: save the state dict alone"


def state_dict(module: PickledModule) -> dict[str, Any]:
    """Returns the parameters and buffers of a module and those below it, as PyTorch names them.

    Raises:
        UnreadableModule: If modules hold each other, or there are more than any network has.
    """
    found: dict[str, Any] = {}
    for count, (name, value) in enumerate(_tensors(module, "", 0)):
        if value is not None:
            found[name] = value
        if count > MAX_NAMES:
            raise UnreadableModule(f"its modules hold more than {MAX_NAMES} tensors and modules")
    return found


def _tensors(module: PickledModule, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yields the tensors by name, and None for each module, so that those are counted, too."""
    yield prefix, None
    if depth > MAX_DEPTH or len(prefix) > MAX_DEPTH * _LONGEST:
        raise UnreadableModule(f"its modules are nested more than {MAX_DEPTH} deep")
    hidden = module.attributes.get("_non_persistent_buffers_set") or ()
    for group in ("_parameters", "_buffers"):
        for name, value in _entries(module, group):
            if value is not None and (group == "_parameters" or name not in hidden):
                yield f"{prefix}{name}", value
    for name, below in _entries(module, "_modules"):
        if isinstance(below, PickledModule):
            yield from _tensors(below, f"{prefix}{name}.", depth + 1)


def _entries(module: PickledModule, group: str) -> list[tuple[str, Any]]:
    entries = module.attributes.get(group)
    return [(str(k), v) for k, v in entries.items()] if isinstance(entries, Mapping) else []
