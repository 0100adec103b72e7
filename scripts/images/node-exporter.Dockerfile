# The node exporter from Debian's packages, with the interface of the published image.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends prometheus-node-exporter \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt
USER 65534:65534
EXPOSE 9100
ENTRYPOINT ["prometheus-node-exporter"]
