# syntax=docker/dockerfile:1.17
#
# One image for each service, from one build: docker build --target fanout|auth|license|export .
#
# What runs is Debian's slim image rather than a distroless one. Kafka's client needs libssl and zlib of the system, which
# get their security updates from Debian by building again, and the health check needs a shell. Apart from that it is the
# libraries of distroless/cc and some 40 MB more.

FROM node:22.17.0-bookworm-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/var/cache/npm npm ci --cache /var/cache/npm --no-audit --no-fund
COPY web/ ./
RUN npm run build

# Debian 12 as below: a binary needs the C library that it was linked with, or a newer one.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates/ crates/
COPY services/ services/
COPY schemas/ schemas/
COPY tests/ tests/
COPY --from=page /src/web/dist web/dist
COPY --from=page /src/web/node_modules/@microsoft/signalr/dist/browser web/node_modules/@microsoft/signalr/dist/browser
# Dependencies are built once and kept in the two caches, which are in no image; what was built is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p fanfare-fanout -p fanfare-relay -p fanfare-auth -p fanfare-license -p fanfare-export \
    && mkdir -p /out \
    && for name in fanfare fanfare-relay fanfare-auth fanfare-license fanfare-export; do \
         strip -o "/out/$name" "target/release/$name" || exit 1; \
       done

FROM debian:12.11-slim AS runtime
# Versions are not pinned: security updates replace them, and the old ones are gone from the archive then.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/fanfare fanfare \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/fanfare /etc/fanfare/secrets
COPY --chmod=0755 deploy/image/ready /usr/local/bin/ready
# A number, so that an orchestrator sees without looking into the image that it is not root.
USER 10001:10001
WORKDIR /var/lib/fanfare
# The one place that is written to; all else may be mounted read-only.
VOLUME ["/var/lib/fanfare"]
STOPSIGNAL SIGTERM

FROM runtime AS auth
COPY --from=build /out/fanfare-auth /usr/local/bin/
ENV FANFARE_LISTEN=0.0.0.0:8081 FANFARE_DATA=/var/lib/fanfare FANFARE_LOG_FORMAT=json
EXPOSE 8081
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["ready", "8081"]
ENTRYPOINT ["fanfare-auth"]

FROM runtime AS license
COPY --from=build /out/fanfare-license /usr/local/bin/
ENV FANFARE_LISTEN=0.0.0.0:8082 FANFARE_DATA=/var/lib/fanfare FANFARE_LOG_FORMAT=json
EXPOSE 8082
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["ready", "8082"]
ENTRYPOINT ["fanfare-license"]

FROM runtime AS export
COPY --from=build /out/fanfare-export /usr/local/bin/
ENV FANFARE_LISTEN=0.0.0.0:8083 FANFARE_DATA=/var/lib/fanfare FANFARE_LOG_FORMAT=json
EXPOSE 8083
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["ready", "8083"]
ENTRYPOINT ["fanfare-export"]

# The last one is what a build without a target makes.
FROM runtime AS fanout
COPY --from=build /out/fanfare /out/fanfare-relay /usr/local/bin/
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["ready", "9090"]
ENTRYPOINT ["fanfare"]
CMD ["serve", "--config", "/etc/fanfare/fanfare.toml"]
