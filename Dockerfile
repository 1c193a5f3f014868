# syntax=docker/dockerfile:1
# CPU by default. For CUDA: --build-arg TORCH_INDEX=<an index with the CUDA build of torch>, and run with a GPU.
# Without TORCH_INDEX the registry's default build of torch is taken, which brings CUDA's libraries along on x86-64.
# The recogniser of spoken consent comes with --build-arg CONSENT=spoken, Ray with --build-arg EXECUTOR=ray.

FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=""
ARG CONSENT=""
ARG EXECUTOR=""
WORKDIR /build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt requirements-consent.txt requirements-ray.txt ./
# The version is the lock's.
# hadolint ignore=DL3013
RUN pip install "$(grep -o '^torch==[^ ;]*' requirements.txt)" ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
 && pip install --no-deps -r requirements.txt \
 && if [ "$CONSENT" = spoken ]; then pip install --no-deps -r requirements-consent.txt; fi \
 && if [ "$EXECUTOR" = ray ]; then pip install --no-deps -r requirements-ray.txt; fi

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 barkeep \
 && install -d -o barkeep -g barkeep /data /models
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    DATA_DIR=/data MODEL_CACHE=/models HEALTH_PORT=8080 LOG_FORMAT=json
WORKDIR /app
COPY bot.py cluster.py assembly.py checkup.py settings.py environment.py systems.py errors.py logs.py health.py ./
COPY cogs cogs
COPY studio studio
COPY cloning cloning
COPY storage storage
COPY simulator simulator
COPY models models
USER 10001
VOLUME ["/data", "/models"]
# The first start downloads models: the check asks whether the process lives, /readyz tells whether it can speak.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["python", "bot.py"]
