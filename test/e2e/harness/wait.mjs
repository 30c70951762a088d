// Waiting for what is expected, never for a time.
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Resolves with the first truthy result of condition(); fails after ms, naming what was awaited.
export async function waitFor(condition, ms = 5_000, what = condition.toString()) {
  const deadline = Date.now() + ms;
  for (;;) {
    const late = Date.now() > deadline; // and then one last look: it may have been this process that was held up
    const value = await condition();
    if (value) return value;
    if (late) throw new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`);
    await sleep(5);
  }
}

// The next occurrence of an event, with its arguments.
export function once(emitter, event, ms = 10_000) {
  return new Promise((resolve, reject) => {
    const on = (...args) => { clearTimeout(timer); resolve(args); };
    const timer = setTimeout(() => { emitter.off(event, on); reject(new Error(`no "${event}" within ${ms} ms`)); }, ms);
    emitter.once(event, on);
  });
}
