# Rust on Debian, from the toolchain in the build context `toolchain`, with the interface of the official image. The build
# context `roots` has the root certificates of this machine, whose way to the registry may lead through a proxy.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends build-essential ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt
COPY --from=roots ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=toolchain . /usr/local/rust
ENV PATH=/usr/local/rust/bin:$PATH CARGO_HOME=/usr/local/cargo
