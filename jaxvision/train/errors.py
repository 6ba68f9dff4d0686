"""Faults of a run that its user can mend."""


class TrainingError(RuntimeError):
    """A run cannot start or go on; the message says what was expected, what came and what to do."""
