"""The speech worker, a supervised child process, and the protocol between it and the bot."""
