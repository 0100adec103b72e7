# A stand-in for the NATS exporter, which no package registry has.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends python3-minimal libpython3-stdlib \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt
COPY nats-exporter.py /nats-exporter.py
USER 65534:65534
EXPOSE 7777
ENTRYPOINT ["python3", "/nats-exporter.py"]
