# syntax=docker/dockerfile:1.17
#
# One image for each service, from one build: docker build --target fanout|fanout-nats|auth|license|export .
#
#   docker buildx build --platform linux/amd64,linux/arm64 --target fanout \
#       --build-arg COMMIT=$(git rev-parse HEAD) --build-arg VERSION=0.1.0 --sbom=true --provenance=true .
#
# What runs is Debian's slim image rather than a distroless one. Kafka's client needs libssl and zlib of the system, which
# get their security updates from Debian by building again, and the health check needs a shell. Apart from that it is the
# libraries of distroless/cc and some 40 MB more. fanout-nats is without Kafka's client, and so without OpenSSL.

# The page is the same on every platform, so it is made on the builder's own.
FROM --platform=$BUILDPLATFORM node:22.21.1-bookworm-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/var/cache/npm npm ci --cache /var/cache/npm --no-audit --no-fund
COPY web/ ./
RUN npm run build

# Debian 12 as below: a binary needs the C library that it was linked with, or a newer one.
FROM rust:1.95.0-bookworm AS sources
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo/ .cargo/
COPY crates/ crates/
COPY services/ services/
COPY schemas/ schemas/
COPY tests/ tests/
COPY scripts/bill-of-materials.py scripts/
COPY --from=page /src/web/dist web/dist
COPY --from=page /src/web/package-lock.json web/
COPY --from=page /src/web/node_modules web/node_modules
# What `fanfare --version` says, and what the labels below do.
ARG COMMIT=""
ENV FANFARE_COMMIT=$COMMIT

# Dependencies are built once for each platform and kept in the two caches, which are in no image; what was built is copied
# out of them.
FROM sources AS build
ARG TARGETPLATFORM
RUN --mount=type=cache,id=registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-$TARGETPLATFORM,target=/src/target,sharing=locked \
    cargo build --release --locked -p fanfare-fanout -p fanfare-relay -p fanfare-auth -p fanfare-license -p fanfare-export \
    && mkdir -p /out \
    && for name in fanfare fanfare-relay fanfare-auth fanfare-license fanfare-export; do \
         strip -o "/out/$name" "target/release/$name" || exit 1; \
       done \
    && scripts/bill-of-materials.py --page web --notice /out/NOTICE --sbom /out/sbom.cdx.json

FROM sources AS build-nats
ARG TARGETPLATFORM
RUN --mount=type=cache,id=registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-nats-$TARGETPLATFORM,target=/src/target,sharing=locked \
    cargo build --release --locked --no-default-features --features nats -p fanfare-fanout -p fanfare-relay \
    && mkdir -p /out \
    && for name in fanfare fanfare-relay; do strip -o "/out/$name" "target/release/$name" || exit 1; done \
    && scripts/bill-of-materials.py --page web --notice /out/NOTICE --sbom /out/sbom.cdx.json \
         -- --no-default-features --features nats

FROM debian:12.12-slim AS slim
# Versions are not pinned: security updates replace them, and the old ones are gone from the archive then. What the base
# image was made without is brought up to date.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get upgrade -y \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/fanfare fanfare \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/fanfare /etc/fanfare/secrets
COPY --chmod=0755 deploy/image/healthy /usr/local/bin/healthy
# A number, so that an orchestrator sees without looking into the image that it is not root.
USER 10001:10001
WORKDIR /var/lib/fanfare
# The one place that is written to; all else may be mounted read-only.
VOLUME ["/var/lib/fanfare"]
STOPSIGNAL SIGTERM
ARG COMMIT=""
ARG VERSION="0.1.0"
LABEL org.opencontainers.image.vendor="Fanfare" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$COMMIT \
      org.opencontainers.image.base.name="debian:12.12-slim"

FROM slim AS runtime
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/NOTICE /out/sbom.cdx.json /usr/share/doc/fanfare/
COPY LICENSE /usr/share/doc/fanfare/
USER 10001:10001

FROM runtime AS auth
LABEL org.opencontainers.image.title="fanfare-auth" \
      org.opencontainers.image.description="The identity provider of the demo platform"
COPY --from=build /out/fanfare-auth /usr/local/bin/
ENV FANFARE_LISTEN=0.0.0.0:8081 FANFARE_DATA=/var/lib/fanfare FANFARE_LOG_FORMAT=json
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["healthy", "8081"]
ENTRYPOINT ["fanfare-auth"]

FROM runtime AS license
LABEL org.opencontainers.image.title="fanfare-license" \
      org.opencontainers.image.description="The licenses and flags of the demo platform"
COPY --from=build /out/fanfare-license /usr/local/bin/
ENV FANFARE_LISTEN=0.0.0.0:8082 FANFARE_DATA=/var/lib/fanfare FANFARE_LOG_FORMAT=json
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["healthy", "8082"]
ENTRYPOINT ["fanfare-license"]

FROM runtime AS export
LABEL org.opencontainers.image.title="fanfare-export" \
      org.opencontainers.image.description="The exports of the demo platform"
COPY --from=build /out/fanfare-export /usr/local/bin/
ENV FANFARE_LISTEN=0.0.0.0:8083 FANFARE_DATA=/var/lib/fanfare FANFARE_LOG_FORMAT=json
EXPOSE 8083
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["healthy", "8083"]
ENTRYPOINT ["fanfare-export"]

FROM slim AS fanout-nats
LABEL org.opencontainers.image.title="fanfare" \
      org.opencontainers.image.description="A fan-out node for NATS JetStream and the embedded log"
COPY --from=build-nats /out/NOTICE /out/sbom.cdx.json /usr/share/doc/fanfare/
COPY LICENSE /usr/share/doc/fanfare/
COPY --from=build-nats /out/fanfare /out/fanfare-relay /usr/local/bin/
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=4s --start-period=60s --retries=6 CMD ["healthy", "9090"]
ENTRYPOINT ["fanfare"]
CMD ["serve", "--config", "/etc/fanfare/fanfare.toml"]

# The last one is what a build without a target makes.
FROM runtime AS fanout
LABEL org.opencontainers.image.title="fanfare" \
      org.opencontainers.image.description="A fan-out node for NATS JetStream, Apache Kafka and the embedded log"
COPY --from=build /out/fanfare /out/fanfare-relay /usr/local/bin/
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=4s --start-period=60s --retries=6 CMD ["healthy", "9090"]
ENTRYPOINT ["fanfare"]
CMD ["serve", "--config", "/etc/fanfare/fanfare.toml"]
