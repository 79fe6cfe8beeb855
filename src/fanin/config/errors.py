"""The error for mistakes that the user can fix."""


class SettingError(Exception):
    """A mistake that the user can fix. Its text is one line, with the setting first."""
