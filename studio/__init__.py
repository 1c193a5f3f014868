"""The rules of the house: use cases, policy and the durable queue. It knows nothing of Discord, torch or SQL."""
