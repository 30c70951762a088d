// Debian's nginx in front of some pods, as the documentation tells operators to set it up: a client stays on
// its pod while that pod is there (long-polling needs it), and moves on when it is not.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { quietPort } from '../e2e/harness/ports.mjs';

export const nginxBin = [process.env.NGINX_BIN, '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'].find((f) => f && existsSync(f));

const config = (dir, port, pods) => `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
  access_log off;
  client_max_body_size 30m;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${dir}/${n};`).join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }

  # Sockets: by who the client says it is, which every request of a session repeats.
  upstream sockets {
    hash $arg_client consistent;
    ${pods.map((p) => `server 127.0.0.1:${p} max_fails=1 fail_timeout=2s;`).join('\n    ')}
  }
  upstream rest {
    ${pods.map((p) => `server 127.0.0.1:${p} max_fails=1 fail_timeout=2s;`).join('\n    ')}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_connect_timeout 2s;
    location /socket.io/ {
      proxy_pass http://sockets;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 60s;
      proxy_send_timeout 60s;
    }
    # A POST goes to another pod only where none has seen it yet: no "non_idempotent" here.
    location / {
      proxy_pass http://rest;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }
  }
}
`;

export async function startNginx(dir, pods) {
  const own = join(dir, 'nginx');
  mkdirSync(own, { recursive: true });
  const port = await quietPort();
  const file = join(own, 'nginx.conf');
  writeFileSync(file, config(own, port, pods));
  const program = new Program('nginx', nginxBin, ['-p', own, '-e', 'stderr', '-c', file], { dir, env: cleanEnv() });
  const url = `http://127.0.0.1:${port}`;
  await waitFor(async () => {
    if (program.ended) throw new Error(`nginx ended: ${program.tail()}`);
    return (await fetch(`${url}/healthz`).catch(() => ({}))).status === 200;
  }, 10_000, 'nginx to serve');
  return { program, url };
}
