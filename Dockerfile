# The local stack of `npm start` in one container, for demo and test data only: `docker compose up --build`.
# docs/local-stack.md describes the addresses and the platforms.

FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
COPY infra/patches ./infra/patches
RUN npm ci --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
WORKDIR /app
# the mark permits PHI_LISTEN; the data folder belongs to the user of the process
RUN touch /etc/phi-gateway-image && mkdir /data && chown node:node /data
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY directives ./directives
COPY schema ./schema
COPY resolvers ./resolvers
COPY fhir ./fhir
COPY gateway ./gateway
COPY functions ./functions
COPY infra ./infra
COPY cli ./cli
ENV PHI_DATA=/data PHI_LISTEN=0.0.0.0
USER node
VOLUME ["/data"]
EXPOSE 4000 4001
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4000/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "infra/local/start.ts"]
