# A small station in a container:
#   docker build -t soundsible .
#   docker run -d --name soundsible -p 5005:5005 -v ~/Music:/music -v soundsible-data:/data soundsible
#   docker logs soundsible        shows the one-time set-up link
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

# The packages first: they change less often than the sources. Wheels only, so that no compiler is needed.
COPY requirements.txt ./
RUN pip install --no-cache-dir --only-binary :all: -r requirements.txt

COPY . .

# Compiled once here, because the user below may not write to /app.
RUN python -m compileall -q shared odst setup_tool 2>/dev/null || true

RUN useradd --uid 1000 --create-home --shell /usr/sbin/nologin soundsible \
    && mkdir -p /data /music \
    && chown soundsible:soundsible /data /music
USER soundsible

ENV SOUNDSIBLE_HOME=/data \
    SOUNDSIBLE_MUSIC=/music

VOLUME ["/music", "/data"]
EXPOSE 5005
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('SOUNDSIBLE_PORT', '5005') + '/api/health', timeout=4)"]

CMD ["python", "-m", "shared.api"]
