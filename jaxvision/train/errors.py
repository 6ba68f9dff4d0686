"""Errors of a run that its user can resolve."""


class TrainingError(RuntimeError):
    """A run cannot start or continue; the message says what was expected, what came, what to do."""
