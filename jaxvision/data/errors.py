"""The one exception for faults that lie in the user's data."""


class DataError(ValueError):
    """A fault in a dataset that its owner can mend.

    The message names the file and the field, what was expected, what came and what to do about it,
    so that it can be shown as it stands, without a traceback.
    """
