"""Training for owners: data, quantizers and codebooks."""
