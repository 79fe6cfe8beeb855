"""Ground floor: the network, from tensor products and elementwise arithmetic upward.

Imports torch and nothing of ours from above; nothing here uses autograd.
"""
