# Two stages: the first builds the program as one file, the second holds only that file.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml .npmrc ./
RUN npx -y bun@1.4.5 install --frozen-lockfile
COPY . .
ARG EARSHOT_COMMIT=""
RUN npx -y bun@1.4.5 run build

FROM debian:bookworm-slim
# The recogniser is C++; the rest of the file needs nothing but the C library.
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 ca-certificates \
  && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 65532 --home-dir /data --shell /usr/sbin/nologin earshot \
  && install -d -o earshot -g earshot -m 0700 /data
COPY --from=build /app/dist/earshot /usr/local/bin/earshot
# The number of `earshot`: Kubernetes cannot tell from a name that it is not root.
USER 65532
# Everything that is kept: the database, pulled models, and the recogniser once it is unpacked. The
# root file system may be read-only.
VOLUME /data
WORKDIR /data
# Beyond loopback accounts are required: give JWT_SECRET when you run it.
ENV HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/earshot.db MODELS_DIR=/data/models
EXPOSE 3000
# The file is also Bun itself, which can ask. The certificate is for another name than this address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["/usr/bin/env", "BUN_BE_BUN=1", "earshot", "-e", "const { PORT, TLS_CERT, BASE_PATH = '' } = process.env; const at = `${TLS_CERT ? 'https' : 'http'}://127.0.0.1:${PORT}${BASE_PATH.replace(/[/]$/, '')}/readyz`; process.exit((await fetch(at, { tls: { rejectUnauthorized: false } })).ok ? 0 : 1)"]
ENTRYPOINT ["earshot"]
CMD ["serve"]
