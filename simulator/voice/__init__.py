"""A voice server of the simulated Discord: what the bot says in a channel arrives here, and can be listened to."""
