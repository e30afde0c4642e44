# Two images: `docker build --target gateway .` and `docker build --target task-service .`
#
# By default the programs are compiled in here. With BINARIES=dist they are taken from dist/<arch>/ where
# scripts/dist has put them: quick, and how an image for several architectures is made without emulation.
ARG BINARIES=build
ARG BUILD_IMAGE=rust:1-slim-trixie
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
# cmake and a C compiler for zlib-ng and AWS-LC.
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake g++ make \
    && rm -rf /var/lib/apt/lists/*
# As in scripts/setup. A layer of its own: compiled once, whatever changes below.
RUN --mount=type=cache,id=auth-gateway-registry,target=/usr/local/cargo/registry \
    cargo install --quiet --locked --debug cargo-auditable@0.7.7
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY gateway gateway
COPY task-service task-service
# The caches outlive the build, so that the next one compiles only what has changed. Of our own sources that is
# always everything: another clone may have filled the cache, and cargo goes by the age of files.
RUN --mount=type=cache,id=auth-gateway-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=auth-gateway-target,target=/src/target,sharing=locked \
    find gateway task-service -name '*.rs' -exec touch {} + \
    && cargo auditable build --release --locked --bins \
    && for program in gateway task-service; do \
        readelf -SW "target/release/$program" | grep -F .dep-v0 >/dev/null || exit 1; \
    done \
    && install -D -t /binaries target/release/gateway target/release/task-service

FROM scratch AS dist
ARG TARGETARCH
COPY dist/${TARGETARCH}/ /binaries/

FROM ${BINARIES} AS binaries

FROM scratch AS empty
WORKDIR /folder

# No shell, no package manager, not root. A new volume takes owner and mode from the folder it is mounted
# on, so these two are made here and no step before the first start is needed.
FROM ${RUNTIME_IMAGE} AS runtime
COPY --from=empty --chown=65532:65532 /folder /data
COPY --from=empty --chown=65532:65532 /folder /run/gateway-secret
USER 65532:65532
WORKDIR /data

FROM runtime AS task-service
COPY --from=binaries --chmod=0755 /binaries/task-service /usr/local/bin/task-service
COPY --chmod=0444 config/task-service.toml /etc/task-service/task-service.toml
ENV TASK_SERVICE_CONFIG=/etc/task-service/task-service.toml
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/usr/local/bin/task-service", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/task-service"]
CMD ["serve"]

# Which configuration is meant the container says: GATEWAY_CONFIG=/etc/gateway/gateway.toml for the shipped
# one, or `serve --upstream http://your-service:9000` for none at all.
FROM runtime AS gateway
COPY --from=binaries --chmod=0755 /binaries/gateway /usr/local/bin/gateway
COPY --chmod=0444 config/gateway.toml /etc/gateway/gateway.toml
ENV GATEWAY_SERVER_LISTEN=0.0.0.0:8080 GATEWAY_SERVER_DATA_DIR=/data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/usr/local/bin/gateway", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/gateway"]
CMD ["serve"]
