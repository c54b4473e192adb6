"""The one exception a user should ever meet."""


class InputError(ValueError):
    """Bad input, in one line that names the thing and says the remedy; the command exits with code 2 on it."""
