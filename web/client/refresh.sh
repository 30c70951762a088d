#!/usr/bin/env bash
# Takes the stock browser builds of socket.io-client from npm, at the version
# given, and packs them with brotli, which Go cannot do. Needs Node and npm.
#   web/client/refresh.sh 4.8.4
set -euo pipefail
cd "$(dirname "$0")"
version=${1:?which version, such as 4.8.4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "socket.io-client@$version" >/dev/null
tar -xzf "$work/socket.io-client-$version.tgz" -C "$work"

rm -f dist/*
mkdir -p dist
for name in socket.io.js socket.io.min.js socket.io.esm.min.js socket.io.msgpack.min.js; do
  cp "$work/package/dist/$name" "$work/package/dist/$name.map" dist/
done
cp "$work/package/LICENSE" LICENSE
printf '%s\n' "$version" > VERSION
node -e '
  const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
  const { brotliCompressSync, constants: c } = require("node:zlib");
  for (const name of readdirSync("dist")) {
    const data = readFileSync("dist/" + name);
    const params = { [c.BROTLI_PARAM_QUALITY]: 11, [c.BROTLI_PARAM_LGWIN]: 24, [c.BROTLI_PARAM_SIZE_HINT]: data.length };
    writeFileSync("dist/" + name + ".br", brotliCompressSync(data, { params }));
  }'
chmod 644 dist/* LICENSE
ls -l dist
