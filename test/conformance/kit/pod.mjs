// The server under test: a Parley pod in embedded mode, or, with CONFORMANCE_TARGET=node, the Node control.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parleyBin } from '../../e2e/harness/builds.mjs';
import { cleanEnv, Program } from '../../e2e/harness/process.mjs';
import { patient } from './settings.mjs';

export const onNode = process.env.CONFORMANCE_TARGET === 'node';

const generous = { HOST: '127.0.0.1', PORT: 0, RATE_LIMIT_MESSAGES: 1_000_000, RATE_LIMIT_BURST: 1_000_000, RATE_LIMIT_EVENTS: 1_000_000, REPLAY_LIMIT: 0 };

function urlIn(line) {
  try {
    const entry = JSON.parse(line);
    return entry.msg === 'listening' && entry.url;
  } catch { return undefined; }
}

async function startParley(env) {
  const dir = mkdtempSync(join(tmpdir(), 'parley-conformance-'));
  const program = new Program('parley', parleyBin(), ['serve'], {
    dir, cwd: dir, env: cleanEnv({ ...generous, DATA_DIR: join(dir, 'data'), GORACE: 'exitcode=66 halt_on_error=0 atexit_sleep_ms=0', ...env }),
  });
  const url = await program.line(urlIn, 40_000);
  await program.line((l) => l.includes('"msg":"ready"'), 40_000);
  return {
    url,
    running: () => !program.ended,
    async stop() {
      const end = await program.stop();
      const bad = /WARNING: DATA RACE|^panic: |^fatal error: |panic recovered|"msg":"panic/m.exec(program.log());
      const around = bad && program.log().slice(Math.max(0, bad.index - 200), bad.index + 4000);
      rmSync(dir, { recursive: true, force: true });
      assert.equal(around, null, around ?? '');
      assert.deepEqual([end.code, Boolean(end.forced)], [0, false], program.tail(20));
    },
  };
}

// One server for the whole file.
export function usePod(env = patient) {
  const pod = {};
  before(async () => {
    const made = onNode ? await (await import('./control.mjs')).startControl(env) : await startParley(env);
    Object.assign(pod, made);
    const demo = await (await fetch(`${pod.url}/demo.json`)).json();
    pod.chatId = demo.chatId;
    [pod.alice, pod.bob] = demo.users;
  }, { timeout: 60_000 });
  after(() => pod.stop?.(), { timeout: 30_000 });
  pod.say = async (text) => {
    const form = new FormData();
    for (const [k, v] of Object.entries({ chatId: pod.chatId, type: 'text', textMessage: text })) form.append(k, v);
    const res = await fetch(`${pod.url}/api/messages`, { method: 'POST', headers: { authorization: `Bearer ${pod.alice.token}` }, body: form });
    assert.equal(res.status, 201, await res.clone().text());
    return (await res.json()).messages[0];
  };
  pod.auth = (user = pod.bob) => JSON.stringify({ token: user.token });
  return pod;
}
