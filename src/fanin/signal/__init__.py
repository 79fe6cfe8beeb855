"""First floor: what a pass tells. Statistics, timing, Jacobian, profile, verdict."""
