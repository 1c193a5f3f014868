"""Speech on other machines, scheduled by Ray: the nodes, and the process that passes a bot's jobs on to them.

    bot --- lines ---> relay process (`main.py`) --- Ray ---> a speech node (`node.py`) --- lines ---> speech worker

The bot sees the relay process as a speech worker with many places (`executor.py`) and never imports Ray, which may end
the process that uses it. On a node, an actor runs today's supervised speech worker. Files travel as bytes.
"""
