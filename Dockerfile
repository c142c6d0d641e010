# One image for every process of lion-broker; the command chooses which.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/lion-broker
COPY . .
RUN /opt/lion-broker/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 lion
COPY --from=build /opt/lion-broker /opt/lion-broker
ENV PATH=/opt/lion-broker/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/lion
CMD ["lion-broker", "--help"]
