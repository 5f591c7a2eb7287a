# Ringback alone. Built from the repository's folder; examples/compose.yaml shows it beside a bot.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package ringback

FROM debian:bookworm-slim
# curl: for the health check. Certificates: for webhooks and prompts over https.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/ringback ringback \
    && install --directory --owner ringback --mode 0700 /var/lib/ringback
COPY --from=build /src/target/release/ringback /usr/local/bin/ringback
USER ringback
VOLUME /var/lib/ringback
ENTRYPOINT ["ringback"]
CMD ["serve", "--data", "/var/lib/ringback"]
