# nats-server from its pinned binary, in the build context `server`, with the interface of the official Alpine image:
# arguments of nats-server as the command, and wget for health checks.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt
COPY --from=server --chmod=0755 nats-server /usr/local/bin/nats-server
EXPOSE 4222 6222 8222
ENTRYPOINT ["nats-server"]
CMD ["-c", "/etc/nats/nats-server.conf"]
