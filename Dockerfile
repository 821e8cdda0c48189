# The web process; the same image runs the workers, beat and the HL7 v2 port with another command (docs/operations.md).
FROM python:3.13-slim AS packages
COPY requirements.lock /
RUN python -m venv /opt/renhice && /opt/renhice/bin/pip install --no-cache-dir --no-deps --require-hashes -r /requirements.lock

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home renhice
COPY --from=packages /opt/renhice /opt/renhice
COPY . /srv/renhice
WORKDIR /srv/renhice
ENV PATH=/opt/renhice/bin:$PATH PYTHONPATH=/srv/renhice PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER renhice
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=3)"]
CMD ["gunicorn", "wsgi:create_app()", "--preload", "--bind", "0.0.0.0:8000", "--keep-alive", "75", "--worker-class", "deploy.keeping.KeepingWorker", "--workers", "2", \
     "--threads", "24", "--timeout", "60", "--graceful-timeout", "20", "--no-control-socket"]
