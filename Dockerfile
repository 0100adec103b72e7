# One image for every role of souk: `souk node ...`, `souk migrate`, `souk demo`.
#
#   podman build --format docker -t souk .                  builds everything (docker build -t souk .)
#   podman build --format docker -t souk --target prebuilt --build-arg BINARY=<path in the context> .
#                                                           takes a binary that exists already, as CI does
ARG DEBIAN=docker.io/library/debian:bookworm-slim
ARG RUST=docker.io/library/rust:1.95.0-bookworm

# The roots of the public web, for a payment provider and for servers with TLS. Only the file is taken from here.
FROM ${DEBIAN} AS roots
RUN apt-get update -q && apt-get install -q -y --no-install-recommends ca-certificates

FROM ${DEBIAN} AS runtime
COPY --from=roots /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Nothing is written to the file system: the root may be read-only.
USER 10001:10001
WORKDIR /
ENV SOUK_HTTP_ADDR=0.0.0.0:8080 SOUK_METRICS_ADDR=0.0.0.0:9464
EXPOSE 8080 9464
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 CMD ["souk", "health"]
ENTRYPOINT ["souk"]
CMD ["--help"]

FROM runtime AS prebuilt
ARG BINARY=souk
COPY --chmod=0755 ${BINARY} /usr/local/bin/souk

# The manifests with empty sources: a change of code leaves this stage's result, and so the next layer, as it was.
FROM ${RUST} AS manifests
WORKDIR /all
COPY . .
RUN mkdir /manifests \
    && find . -name Cargo.toml -o -name Cargo.lock -o -path '*/src/lib.rs' -o -path '*/src/main.rs' -o -name build.rs \
        -o -path '*/tests/*/main.rs' | while read -r file; do \
        mkdir -p "/manifests/$(dirname "$file")"; \
        case $file in *.rs) echo 'fn main() {}' > "/manifests/$file" ;; *) cp "$file" "/manifests/$file" ;; esac; \
    done \
    && find /manifests -exec touch -d @0 {} +

FROM ${RUST} AS build
ARG PROFILE=dist
WORKDIR /build
# All dependencies, and the empty crates of the workspace.
COPY --from=manifests /manifests .
RUN cargo build --locked --profile ${PROFILE} --bin souk
COPY . .
# Newer than what the empty crates gave, or cargo would not build them again.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --locked --profile ${PROFILE} --bin souk \
    && strip -o /souk target/*/souk

FROM runtime
COPY --from=build /souk /usr/local/bin/souk
