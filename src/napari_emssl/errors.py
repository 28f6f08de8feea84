"""The one error that is meant for the user's eyes."""


class UserError(ValueError):
    """Something the user can put right: its text says in a sentence or two what is wrong and what to do.

    The terminal prints it on stderr and exits with status 2; the docks show it as a message.
    """
