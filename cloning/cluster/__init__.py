"""Speech on other machines, scheduled by Ray: the nodes, and the process that passes a bot's jobs on to them.

    bot --- lines ---> relay process (`main.py`) --- Ray ---> a speech node (`node.py`) --- lines ---> speech worker

To the bot, the relay process is a speech worker with a large capacity (`executor.py`). The bot never imports Ray, which
may end the process that uses it. On a node, an actor runs the usual supervised speech worker. Files travel as bytes.
"""
