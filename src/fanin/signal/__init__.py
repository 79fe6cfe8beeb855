"""First floor: what a pass tells. Statistics, timing, profile, verdict."""
