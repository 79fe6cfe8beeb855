"""The network, built from indexing and elementwise arithmetic upward, and the device it runs on.

Imports torch and nothing of ours. Only engines.py uses autograd.
"""
