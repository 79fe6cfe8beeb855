"""The error that a user can put right."""


class SettingError(Exception):
    """Something that the user can put right. Its text is one line, with the setting first."""
