# The bases are arguments, so that they can come from a mirror, or be of your own making.
ARG BUILD_BASE=rust:1.95-bookworm
ARG RUNTIME_BASE=debian:bookworm-slim
# Where the program comes from: the stage `build`, or an image that has it in /out, as when it has been built elsewhere.
ARG PROGRAM=build

FROM ${BUILD_BASE} AS build
RUN dpkg --status libssl-dev pkg-config >/dev/null 2>&1 \
    || { apt-get update \
      && apt-get install -y --no-install-recommends libssl-dev pkg-config \
      && rm -rf /var/lib/apt/lists/*; }
RUN cargo install --quiet --locked --root /usr/local cargo-cyclonedx --version 0.5.9
WORKDIR /src
# The dependencies by themselves: this layer lasts for as long as they do.
COPY Cargo.lock Cargo.toml ./
RUN sed -i '/^\[\[bench\]\]/,/^harness/d' Cargo.toml \
    && mkdir src && echo 'fn main() {}' >src/main.rs && : >src/lib.rs \
    && cargo build --quiet --locked --release
COPY . .
# What was built of the empty files is older than what is there now, whatever the clocks say.
RUN touch src/main.rs src/lib.rs \
    && cargo build --quiet --locked --release \
    && deploy/prepare target/release/mcpfleet \
    && install -D target/release/mcpfleet /out/usr/local/bin/mcpfleet \
    && install -D -m 644 target/package/mcpfleet.cdx.json /out/usr/share/doc/mcpfleet/mcpfleet.cdx.json

FROM ${PROGRAM} AS program

FROM ${RUNTIME_BASE}
# By number below, so that Kubernetes can see that it is not root.
RUN { dpkg --status ca-certificates libssl3 >/dev/null 2>&1 \
      || { apt-get update \
        && apt-get install -y --no-install-recommends ca-certificates libssl3 \
        && rm -rf /var/lib/apt/lists/*; }; } \
    && groupadd --gid 7420 mcpfleet \
    && useradd --no-log-init --no-create-home --uid 7420 --gid 7420 --home-dir /var/lib/mcpfleet --shell /usr/sbin/nologin mcpfleet \
    && install -d -o 7420 -g 7420 /var/lib/mcpfleet \
    && install -d /etc/mcpfleet/resources
COPY deploy/docker/agent.yaml /etc/mcpfleet/agent.yaml
COPY LICENSE /usr/share/doc/mcpfleet/LICENSE
COPY example-repo /usr/share/doc/mcpfleet/example-repo
COPY --from=program /out/ /

ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="mcpfleet" \
      org.opencontainers.image.description="Keeps a fleet of MCP servers in the state that a directory or a git repository of YAML resources describes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

# Where the command line, too, finds the control socket: below it.
ENV XDG_STATE_HOME=/var/lib
USER 7420:7420
WORKDIR /var/lib/mcpfleet
VOLUME /var/lib/mcpfleet
EXPOSE 7420
# Whether an agent answers, whatever it says of its servers: a new container would not mend those.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["mcpfleet", "status"]
# As a container's first process it reaps what others leave behind, and passes signals on, by itself.
ENTRYPOINT ["mcpfleet"]
CMD ["run", "-c", "/etc/mcpfleet/agent.yaml"]
