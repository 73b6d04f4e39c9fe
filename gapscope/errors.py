"""InputError: what the user can fix. Anything else that is raised is a bug of ours."""


class InputError(Exception):
    """Says what is wrong with which value, what was expected, and what to do.

    The command line prints the message alone and exits with 2; a notebook shows it like any other exception.
    """
