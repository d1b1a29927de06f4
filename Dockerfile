# A replica of Warp with a port for clients of Redis: docs/deployment.md, "As a container".
#
#     docker build -t warp .
#     docker run -p 6379:6379 -v warp:/data -e WARP_RESP_PASSWORD=… warp --no-mesh

FROM node:22-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
# `prepack` bundles what `build` has compiled.
RUN npm run --silent build && npm pack --silent && mv warp-engine-*.tgz warp-engine.tgz

FROM node:22-slim
WORKDIR /srv/warp
COPY --from=build /build/warp-engine.tgz ./
# Lua for scripts; what else Warp can use beside itself is added here.
RUN npm init -y > /dev/null \
  && npm install --omit=dev --ignore-scripts --no-audit --no-fund ./warp-engine.tgz wasmoon-lua5.1@^1.18.10 \
  && rm warp-engine.tgz \
  && npm cache clean --force
COPY tools/container/probe.mjs ./
RUN mkdir /data && chown node:node /data
USER node
ENV NODE_ENV=production
VOLUME /data
# Clients of Redis; the mesh, which needs both.
EXPOSE 6379 7946/tcp 7946/udp
# Not through npx or a shell, which would keep SIGTERM to themselves.
ENTRYPOINT ["node", "node_modules/warp-engine/lib/warp.js", "start", "--data", "/data", "--resp", "0.0.0.0:6379"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "probe.mjs", "live"]
