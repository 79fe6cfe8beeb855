"""First floor: what a pass tells, and what theory says that it should."""
