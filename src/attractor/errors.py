"""The one exception a user should ever meet, and what others raise as one line of it."""


class InputError(ValueError):
    """Bad input, in one line that names the thing and says the remedy; the command exits with code 2 on it."""


def one_line(error: Exception, limit: int = 160) -> str:
    """What others raise, which may be many lines or none, for a message of one."""
    return " ".join(str(error).split())[:limit] or type(error).__name__
