# Two stages: the first installs from the lock file, the second holds only what runs.
FROM oven/bun:1.4.5-slim AS install
WORKDIR /app
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production

FROM oven/bun:1.4.5-slim
# The recogniser is C++.
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=install /app/node_modules node_modules
COPY package.json bunfig.toml ./
COPY src src
# A folder that the unprivileged user may write to; mount a volume here to keep it.
RUN mkdir data && chown bun:bun data
USER bun
VOLUME /app/data
EXPOSE 3000
# Beyond loopback accounts are required: give JWT_SECRET when you run it.
ENV HOST=0.0.0.0
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["bun", "-e", "process.exit((await fetch('http://127.0.0.1:3000/readyz')).ok ? 0 : 1)"]
CMD ["bun", "src/main.ts", "serve"]
