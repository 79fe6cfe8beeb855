"""Masks passwords in addresses before they are shown or stored."""

import re


def mask_passwords(text: str) -> str:
    """Return an address, or a text with addresses in it, with `***` for each password."""
    text = re.sub(r"://\S*@", "://***@", text)
    return re.sub(r"(password|token)=[^&\s]*", r"\1=***", text, flags=re.IGNORECASE)
