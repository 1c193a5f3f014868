"""Selects the environment variables that child processes get: what they need to run, and no secrets.

The speech worker and the decoder read members' uploads, so the bot's token, the database password and other secrets of
the owner's shell must stay out of their reach. Variables are allowed one by one.
"""

import os
from collections.abc import Iterable, Mapping

_TO_RUN = ("PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "VIRTUAL_ENV")
_TO_RUN_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON", "MALLOC_")
_FOR_MODELS = (
    *("HF_HOME", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_DISABLE_XET"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "XDG_CACHE_HOME"),
)
_FOR_MODELS_PREFIXES = (
    *(
        "OMP_",
        "KMP_",
        "GOMP_",
        "MKL_",
        "ONEDNN_",
        "DNNL_",
        "OPENBLAS_",
        "ATEN_",
        "PYTORCH_",
        "TORCH_",
        "TORCHINDUCTOR_",
    ),
    *("CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "TRITON_", "HIP_", "HSA_", "ROCM_", "ROCR_"),
)


_FOR_RAY = {
    "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "minor",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "2",  # 40 s each; the default, 20, waits a quarter of an hour at a wrong address
    "RAY_worker_niceness": "0",  # the default, 15, gives every other program of the machine priority
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a CPU worker keeps CUDA_VISIBLE_DEVICES as the machine has it
}


def to_run() -> dict[str, str]:
    """Return the variables that any program needs: paths, the language, and the locations of Python and libraries."""
    return _allowed(os.environ, _TO_RUN, _TO_RUN_PREFIXES)


def to_run_models() -> dict[str, str]:
    """Return the variables that a program with models needs: also threads, devices, and access to the hub."""
    return to_run() | _allowed(os.environ, _FOR_MODELS, _FOR_MODELS_PREFIXES)


def to_join_a_cluster(token: str | None) -> dict[str, str]:
    """Return the variables that a program of a Ray cluster needs, models included.

    token: the cluster's token; None for a cluster without one.
    """
    access = {"RAY_AUTH_MODE": "disabled"} if token is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    return to_run_models() | _FOR_RAY | access


def join_a_cluster(token: str | None, **others: str) -> None:
    """Set the environment variables of this process for Ray. Call it before Ray is imported.

    others: additional variables, for the nodes that this process starts.
    """
    os.environ.update(to_join_a_cluster(token) | others)


def _allowed(environment: Mapping[str, str], names: Iterable[str], prefixes: tuple[str, ...]) -> dict[str, str]:
    names = set(names)
    return {name: value for name, value in environment.items() if name in names or name.startswith(prefixes)}
