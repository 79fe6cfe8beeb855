"""Second floor: what the user sees of profiles. Figures and tables."""
