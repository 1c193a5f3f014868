"""Turn Ray's errors into sentences that say what to do. Does not import Ray."""


def why_not(address: str, error: str) -> str:
    """Return a sentence for Ray's error when a process could not join the cluster."""
    if "resolve node to connect" in error or "node info" in error:
        return (
            f"This machine is not part of the cluster at {address}. Start `python cluster.py node --head {address} "
            "--workers 0` on it first."
        )
    return why_ended(address, error)


def why_ended(address: str, output: str) -> str:
    """Return a sentence for the output of a `ray start` that ended."""
    if "ersion mismatch" in output:
        theirs, _, ours = output.partition("This process")
        return (
            f"The cluster at {address} runs {_versions(theirs)}, and this machine {_versions(ours)}. Install the same "
            "ones everywhere: `make setup EXTRAS=ray` with the same Python, then start the node again."
        )
    if "Failed to connect to Ray cluster" in output or "waiting for GCS" in output:
        return (
            f"Something listens at {address}, but it refused the connection. Set the same RAY_AUTH_TOKEN on "
            "every machine of the cluster, and check that the address is that of `python cluster.py head`. A head that "
            "has just been started, or is busy, may need a minute."
        )
    if "uthentication" in output or "nauthenticated" in output:
        return (
            f"The cluster at {address} does not accept this machine's token. Set the same RAY_AUTH_TOKEN on every "
            "machine of the cluster."
        )
    if "Remaining processes will be killed" in output:
        return (
            "One of Ray's processes on this machine was killed, or failed. Look into /tmp/ray/session_latest/logs and "
            "into the system's log, which shows whether memory ran out."
        )
    last = output.strip().splitlines()[-1].strip() if output.strip() else "no reason"
    return f"Ray reports for the cluster at {address}: {last}"


def _versions(text: str) -> str:
    found = [line.strip() for line in text.splitlines() if line.strip().startswith(("Ray:", "Python:"))]
    return " with ".join(line.replace(":", "") for line in found) or "other versions"


def why_dead(error: str) -> str:
    """Return why a node's actor died, from Ray's error, as a message that follows the node's name."""
    if "ModuleNotFoundError" in error or "No module named" in error:
        return "does not find Barkeep's program; start it with `python cluster.py node`"
    return "was stopped"
