"""What the container holds: nothing builds it here, so its files are read."""

import ast
import re
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # it ships no types, and one call needs none

from settings import Settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
CLUSTER = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text(encoding="utf-8"))


def copied() -> set[str]:
    """The files and folders of the repository that the last stage copies."""
    stage = DOCKERFILE.rpartition("\nFROM ")[2]
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", stage, re.MULTILINE)
    return {source for line in lines for source in line.split()}


def files_of(name: str) -> list[Path]:
    """The Python files of a top-level module or package; none if it is somebody else's."""
    module = ROOT / f"{name}.py"
    return [module] if module.exists() else sorted((ROOT / name).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def reached(start: str) -> set[str]:
    """The repository's top-level modules and packages that `start` needs, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found or not files_of(name):
            continue
        found.add(name)
        waiting += {each for path in files_of(name) for each in imported(path)}
    return found


def test_everything_that_the_bot_imports_is_copied() -> None:
    wanted = {name if (ROOT / name).is_dir() else f"{name}.py" for name in reached("bot") | reached("cluster")}
    assert {"bot.py", "checkup.py", "cloning"} <= wanted
    assert wanted | {"models"} == copied()


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for source in copied() | {"requirements.txt", "requirements-consent.txt", "requirements-ray.txt"}:
        assert (ROOT / source).exists()
        assert source in sent or (source.endswith(".py") and "*.py" in sent)


def test_compose_sets_what_there_is_and_keeps_what_must_last() -> None:
    service = COMPOSE["services"]["barkeep"]
    environment = service["environment"]
    assert {name.lower() for name in environment} <= set(Settings.model_fields)
    folders = dict(volume.split(":") for volume in service["volumes"])
    assert set(folders) == set(COMPOSE["volumes"])
    assert set(folders.values()) == {environment["DATA_DIR"], environment["MODEL_CACHE"]}
    assert service["env_file"] == ".env"


def test_the_health_check_asks_the_port_that_is_set() -> None:
    port = COMPOSE["services"]["barkeep"]["environment"]["HEALTH_PORT"]
    assert f"HEALTH_PORT={port}" in DOCKERFILE
    assert f"127.0.0.1:{port}/livez" in DOCKERFILE


def test_the_cluster_sets_what_there_is() -> None:
    services = CLUSTER["services"]
    assert set(services) == {"database", "head", "speech", "bot-0", "bot-1"}
    for name in ("speech", "bot-0", "bot-1"):
        assert {each.lower() for each in services[name]["environment"]} <= set(Settings.model_fields)
    shards = [services[name]["environment"]["SHARD_IDS"] for name in ("bot-0", "bot-1")]
    assert shards == ["0", "1"]
    for service in services.values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in CLUSTER["volumes"]
        if "build" in service:
            assert service["build"]["args"]["EXECUTOR"] == "ray"
    assert {name for name, service in services.items() if "env_file" in service} == {"bot-0", "bot-1"}
    assert all("RAY_AUTH_TOKEN" in services[name]["environment"] for name in ("head", "speech"))


def test_the_cluster_runs_commands_that_exist() -> None:
    from cluster import app

    commands = {command.callback.__name__ for command in app.registered_commands if command.callback is not None}
    lines = [str(service.get("command", "")) for service in CLUSTER["services"].values()]
    used = {word for line in lines for word in re.findall(r"cluster\.py (\w+)", line)}
    assert used == {"head", "node"}
    assert used <= commands
