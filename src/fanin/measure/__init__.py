"""Measurement: statistics, times, the Jacobian; the profile, verdict and claims made of them."""
