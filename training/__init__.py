"""What an owner trains for Bark: data, quantizers, codebooks."""
