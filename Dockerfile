FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --uid 7420 mcpfleet \
    && install -d -o mcpfleet -g mcpfleet /var/lib/mcpfleet
COPY --from=build /src/target/release/mcpfleet /usr/local/bin/mcpfleet
COPY example-repo /etc/mcpfleet/resources

USER mcpfleet
ENV XDG_STATE_HOME=/var/lib
# The gateway listens on loopback: share a network namespace with its clients, such as a pod.
EXPOSE 7420
# As a container's first process it reaps what others leave behind, and passes signals on, by itself.
ENTRYPOINT ["mcpfleet"]
CMD ["run", "/etc/mcpfleet/resources"]
