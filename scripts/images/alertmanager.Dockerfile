# Alertmanager from Debian's packages, with the interface of the published image.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends prometheus-alertmanager wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt \
    && mkdir -p /alertmanager && chown 65534:65534 /alertmanager
USER 65534:65534
VOLUME /alertmanager
EXPOSE 9093
ENTRYPOINT ["prometheus-alertmanager"]
