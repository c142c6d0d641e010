# One image for every process of lion-broker; the command chooses which.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
RUN python -m venv /opt/lion-broker
COPY . .
# The dashboard, metrics and spans are in; `opentelemetry-instrument` comes with the distro.
RUN /opt/lion-broker/bin/pip install --no-cache-dir ".[dashboard,fast,telemetry]" "opentelemetry-distro>=0.51b0,<1" \
    && /opt/lion-broker/bin/python -m compileall -q /opt/lion-broker/lib

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="lion-broker" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --create-home --uid 10001 lion
COPY --from=build /opt/lion-broker /opt/lion-broker
ENV PATH=/opt/lion-broker/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /home/lion
# Whether a process is well, each service asks its own way; this says that the image is: it needs no server.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["lion-broker", "version"]
CMD ["lion-broker", "--help"]
