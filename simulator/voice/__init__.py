"""A voice server for the simulated Discord, which receives the bot's speech, and a stream of it for the page."""
