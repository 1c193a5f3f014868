"""Imports point one way, and heavy libraries stay in their rooms (see docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTER = (
    "bot",
    "cluster",
    "assembly",
    "checkup",
    "simulator",
    "logs",
    "health",
    "settings",
    "environment",
    "systems",
    "errors",
)
ROOMS = (*OUTER, "cogs", "studio", "cloning", "storage", "training", "research")

ALLOWED = {
    "bot": set(ROOMS) - {"bot", "cluster", "environment", "training", "research"},
    "cluster": {"checkup", "cloning", "environment", "errors", "logs", "settings"},
    "assembly": {"checkup", "cogs", "studio", "cloning", "storage", "errors", "settings"},
    "checkup": {"cloning", "storage", "errors", "settings"},
    "simulator": {"assembly", "cogs", "studio", "cloning", "storage", "errors", "settings", "logs"},
    "health": {"studio", "errors"},
    "cogs": {"studio", "cloning", "storage", "errors"},
    "studio": {"cloning", "storage", "errors"},
    "cloning": {"environment", "errors"},
    "storage": {"errors"},
    "training": {"cloning", "errors"},
    "research": {"training", "cloning", "errors"},
    "settings": {"errors"},
    "environment": set(),
    "systems": set(),
    "logs": set(),
    "errors": set(),
}
COMMANDS = {"storage/move.py": {"settings", "logs"}}
"""What commands need beside what their room may import."""
MODELS = {"cloning", "training", "research", "benchmarks"}
ONLY_IN = {
    "discord": {"bot", "cogs", "simulator", "health"},
    "simcord": {"simulator"},
    "torch": MODELS,
    "transformers": MODELS,
    "encodec": MODELS,
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "obstore": {"storage"},
}
VOICE_NAMES = {
    "VoiceClient",
    "VoiceProtocol",
    "AudioSource",
    "AudioPlayer",
    "oggparse",
    "opus",
    "player",
    "voice_client",
    "voice_state",
}
"""What discord.py has for sound."""
VOICE_FILES = {"cogs/channel/connection.py", "cogs/channel/source.py"}

RAY_FILE = "cloning/cluster/connection.py"
"""The only file that uses Ray, and the two that use it, where a cluster is wanted."""
RAY_USERS = {"cloning/cluster/main.py", "cluster.py"}

LAYERS_OF_CLONING = (
    (
        "cloning.prompt",
        "cloning.progress",
        "cloning.atomic_files",
        "cloning.confinement",
        "cloning.threads",
        "cloning.memory",
        "cloning.text",
    ),
    ("cloning.media",),
    ("cloning.bark.config",),
    ("cloning.checkpoints",),
    ("cloning.bark", "cloning.codec"),
    ("cloning.takes", "cloning.sentences", "cloning.envelope"),
    ("cloning.methods",),
    ("cloning.model_set",),
    ("cloning.watermark",),
    ("cloning.consent",),
    ("cloning.pipeline", "cloning.inspection"),
    ("cloning.worker", "cloning.cli"),
    ("cloning.cluster",),
)
"""What a layer may import: itself and those above it here. A module belongs to its longest prefix."""
TORCH_FREE = (
    "cloning.worker.protocol",
    "cloning.worker.executor",
    "cloning.cluster.executor",
    "cloning.consent.packages",
    "cloning.consent.answer",
    "cloning.prompt",
    "cloning.checkpoints.voice_reading",
    "cloning.text.splitting",
    "cloning.media.audio",
    "cloning.media.decoder_process",
    "cloning.media.decoding",
)


def _files() -> Iterator[tuple[str, Path]]:
    """(room, file) for every Python file of the project, tests excepted."""
    for room in (*ROOMS, "benchmarks"):
        single = ROOT / f"{room}.py"
        for path in [single] if single.exists() else sorted((ROOT / room).rglob("*.py")):
            yield room, path


def _imports(path: Path) -> set[str]:
    """The top-level names a file imports, wherever in the file the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{path}: relative imports hide the direction")
    return names


CASES = [pytest.param(room, path, id=str(path.relative_to(ROOT))) for room, path in _files()]


@pytest.mark.parametrize(("room", "path"), CASES)
def test_imports_point_one_way(room: str, path: Path) -> None:
    allowed = ALLOWED.get(room, set(ROOMS)) | COMMANDS.get(str(path.relative_to(ROOT)), set()) | {room}
    wrong = (_imports(path) & set(ROOMS)) - allowed
    assert not wrong, f"{path.relative_to(ROOT)} must not import {sorted(wrong)}"


@pytest.mark.parametrize(("room", "path"), CASES)
def test_heavy_libraries_stay_in_their_rooms(room: str, path: Path) -> None:
    wrong = {library for library, rooms in ONLY_IN.items() if library in _imports(path) and room not in rooms}
    assert not wrong, f"{path.relative_to(ROOT)} must not import {sorted(wrong)}"


@pytest.mark.parametrize(("room", "path"), CASES)
def test_only_the_voice_connection_knows_discords_sound(room: str, path: Path) -> None:
    if str(path.relative_to(ROOT)) in VOICE_FILES or room not in ONLY_IN["discord"]:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "discord"
        used = {node.attr} if named and isinstance(node, ast.Attribute) else set()
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("discord"):
            used = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
        wrong = used & VOICE_NAMES
        assert not wrong, f"{path.relative_to(ROOT)} must not use {sorted(wrong)} of discord"


@pytest.mark.parametrize(("room", "path"), CASES)
def test_only_a_cluster_brings_ray(room: str, path: Path) -> None:
    name = str(path.relative_to(ROOT))
    assert "ray" not in _imports(path) or name == RAY_FILE or room == "benchmarks"
    assert "cloning.cluster.connection" not in _modules_imported(path) or name in RAY_USERS


def _file_of(module: str) -> Path | None:
    """The file of a module of this project, or None if `module` is not one."""
    base = ROOT / module.replace(".", "/")
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)


def _modules_imported(path: Path) -> set[str]:
    """The dotted names of the project's modules that a file imports, their packages included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    names |= {name.rsplit(".", parts)[0] for name in names for parts in range(1, name.count(".") + 1)}
    return {name for name in names if _file_of(name)}


def _needed(path: Path, *, for_types: bool = False) -> set[str]:
    """The project's modules that a file needs when it runs, and with `for_types` also those that only types need."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if not for_types else ():
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if _file_of(name) else node.module for name in inner}
    return {name for name in names if _file_of(name)}


def _module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _layer(module: str) -> int:
    found = [
        (len(prefix), number)
        for number, layer in enumerate(LAYERS_OF_CLONING)
        for prefix in layer
        if module == prefix or module.startswith(f"{prefix}.")
    ]
    assert found, f"{module} belongs to no layer of cloning: name it in LAYERS_OF_CLONING"
    return max(found)[1]


@pytest.mark.parametrize("path", [path for room, path in _files() if room == "cloning" and path.parent.name], ids=str)
def test_rooms_of_cloning_import_in_one_direction(path: Path) -> None:
    module = _module_of(path)
    if module in ("cloning", "cloning.__main__"):
        return
    wrong = {name for name in _needed(path) if name.startswith("cloning.") and _layer(name) > _layer(module)}
    assert not wrong, f"{module} must not import {sorted(wrong)}"


def test_no_modules_import_each_other() -> None:
    """Modules are removed while they import none that are left; what stays is a circle.

    In cloning, the ways to clone name the type of the models, whose module brings torch and the ways themselves.
    """
    graph = {_module_of(path): _needed(path, for_types=room != "cloning") for room, path in _files()}
    graph = {module: needed - {module} for module, needed in graph.items()}
    while leaves := {module for module, needed in graph.items() if not needed & graph.keys()}:
        graph = {module: needed for module, needed in graph.items() if module not in leaves}
    assert not graph, f"these import each other, or something that does: {sorted(graph)}"


@pytest.mark.parametrize("module", TORCH_FREE)
def test_what_the_bot_process_uses_of_cloning_is_free_of_torch(module: str) -> None:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file_of(name)
        assert path, f"there is no module {name}"
        assert not _imports(path) & {"torch", "transformers", "encodec"}, f"{name}, reached from {module}"
        waiting.extend(_modules_imported(path))


@pytest.mark.parametrize(("room", "path"), CASES)
def test_only_settings_and_what_children_are_given_read_the_environment(room: str, path: Path) -> None:
    if room in ("settings", "environment"):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
        assert not named, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} reads the environment"
