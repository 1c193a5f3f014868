"""Prometheus metrics of the studio. All objects of the process share the collectors; `health.py` serves them."""

from prometheus_client import Counter, Gauge, Histogram

_WAIT_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_WORK_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900)

ACCEPTED = Counter("barkeep_jobs_accepted_total", "Jobs accepted.", ["kind"])
FINISHED = Counter("barkeep_jobs_finished_total", "Jobs finished.", ["kind", "outcome"])
ANSWERED = Counter("barkeep_answers_total", "Answers by the way they took; none: left to be fetched.", ["way"])
RETRIED = Counter("barkeep_jobs_retried_total", "Jobs tried again after the worker was lost.", ["kind"])
AUDIO_SECONDS = Counter("barkeep_audio_seconds_total", "Seconds of speech generated.")
WAIT_SECONDS = Histogram("barkeep_job_wait_seconds", "From acceptance to work.", ["kind"], buckets=_WAIT_BUCKETS)
WORK_SECONDS = Histogram("barkeep_job_work_seconds", "From work to result.", ["kind"], buckets=_WORK_BUCKETS)
QUEUED = Gauge("barkeep_jobs_queued", "Jobs waiting for the worker.")
RUNNING = Gauge("barkeep_jobs_running", "Jobs at the worker.")
WORKER_READY = Gauge("barkeep_worker_ready", "1 when the speech models are loaded.")
WORKER_RESTARTS = Gauge("barkeep_worker_restarts", "How often the speech worker was replaced since the start.")
