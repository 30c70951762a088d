// Parley's REST, as a frontend calls it, and the raw HTTP that no frontend would send.
import http from 'node:http';

const origin = (pod) => (typeof pod === 'string' ? pod : pod.url);

async function answer(res) {
  const body = await res.text();
  let json;
  try { json = JSON.parse(body); } catch { /* not JSON */ }
  return { status: res.status, headers: res.headers, body, json, code: json?.error?.code };
}

export async function api(pod, method, path, { token, body, headers = {} } = {}) {
  const h = { ...headers };
  if (token !== undefined) h.authorization = `Bearer ${token}`;
  if (body !== undefined) h['content-type'] ??= 'application/json';
  return answer(await fetch(origin(pod) + path, {
    method, headers: h, body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  }));
}

// POST /api/messages with FormData, the fields in the usual order: chatId, textMessage, type, files.
export async function post(pod, token, { chatId, text, type, files = [], key, headers = {} }) {
  const form = new FormData();
  if (chatId !== undefined) form.append('chatId', chatId);
  if (text !== undefined) form.append('textMessage', text);
  const declared = type === undefined ? (files.length ? 'image' : 'text') : type;
  if (declared !== null) form.append('type', declared);
  for (const f of files) form.append('files', new Blob([f.data], { type: f.type }), f.name);
  const h = { ...headers };
  if (token !== undefined) h.authorization = `Bearer ${token}`;
  if (key !== undefined) h['idempotency-key'] = key;
  return answer(await fetch(`${origin(pod)}/api/messages`, { method: 'POST', headers: h, body: form, signal: AbortSignal.timeout(60_000) }));
}

export const boundary = '----e2eBoundary7MA4YWxkTrZu0gW';

// A multipart body from parts in exactly this order: { name, value } or { name, file: { name, type, data } }.
export function multipart(parts) {
  const out = [];
  for (const p of parts) {
    const disposition = `Content-Disposition: form-data; name="${p.name}"`;
    if (p.file) out.push(Buffer.from(`--${boundary}\r\n${disposition}; filename="${p.file.name}"\r\nContent-Type: ${p.file.type}\r\n\r\n`), p.file.data, Buffer.from('\r\n'));
    else out.push(Buffer.from(`--${boundary}\r\n${disposition}\r\n\r\n`), Buffer.from(p.value), Buffer.from('\r\n'));
  }
  out.push(Buffer.from(`--${boundary}--\r\n`));
  return Buffer.concat(out);
}

// An open POST /api/messages the test writes to as it likes. answer resolves with the response, or rejects.
export function rawPost(pod, token, { length, path = '/api/messages', headers = {} } = {}) {
  const u = new URL(origin(pod));
  const req = http.request({
    host: u.hostname, port: u.port, method: 'POST', path, agent: false,
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(length === undefined ? {} : { 'content-length': length }),
      ...headers,
    },
  });
  const result = new Promise((resolve, reject) => {
    req.once('error', reject);
    req.once('response', (res) => {
      const chunks = [];
      res.on('data', (c) => chunks.push(c)).once('error', reject).once('end', () => {
        const body = Buffer.concat(chunks).toString();
        let json;
        try { json = JSON.parse(body); } catch { /* not JSON */ }
        resolve({ status: res.statusCode, headers: res.headers, body, json, code: json?.error?.code });
      });
    });
  });
  result.catch(() => {});
  return { req, answer: result };
}

// Sends the parts in the given order.
export function postParts(pod, token, parts, options = {}) {
  const body = multipart(parts);
  const { req, answer: result } = rawPost(pod, token, { length: body.length, ...options });
  req.end(body);
  return result;
}

// A path sent as it stands: fetch would tidy "/../" up before sending it.
export function rawGet(pod, path, headers = {}) {
  const u = new URL(origin(pod));
  return new Promise((resolve, reject) => {
    http.request({ host: u.hostname, port: u.port, path, headers, agent: false }, (res) => {
      const chunks = [];
      res.on('data', (c) => chunks.push(c)).on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() }));
    }).once('error', reject).end();
  });
}

export async function metric(pod, name) {
  const res = await fetch(`${origin(pod)}/metrics`);
  const line = (await res.text()).split('\n').find((l) => l.startsWith(`${name} `) || l.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}
