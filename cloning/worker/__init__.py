"""The speech worker: a supervised child process, and the protocol that the bot speaks with it."""
