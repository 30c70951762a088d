// Makes the steps of a plan happen. What lasts happens beside the others; of the same part only one at a time.
import { sleep } from '../e2e/harness/wait.mjs';
import { move } from './senders.mjs';

export class Faults {
  #busy = new Set();
  #under = new Set(); // what is going on
  #n = 0;

  constructor({ world, history, random, seats, members }) { Object.assign(this, { world, history, random, seats, members }); }

  // Runs the plan to its end, and until all that it broke is whole again.
  async run(steps) {
    const began = Date.now();
    for (const step of steps) {
      await sleep(began + step.at - Date.now());
      this.happen(step);
    }
    await Promise.all(this.#under);
  }

  happen(step) {
    const seat = this.seats[step.n % this.seats.length];
    const pod = this.world.pods[step.n % this.world.pods.length];
    switch (step.kind) {
      case 'resets': this.#lasts(step, seat.name, seat.page.name, async () => seat.reset()); break;
      case 'vanishings': this.#lasts(step, seat.name, seat.page.name, async () => seat.vanish()); break;
      case 'slow readers': this.#lasts(step, seat.name, seat.page.name, () => slow(seat, step.ms)); break;
      case 'reloads':
      case 'aways': this.#lasts(step, seat.name, seat.page.name, () => anew(seat, step.ms)); break;
      case 'members': this.#outAndIn(step); break;
      case 'pod killed': this.#lasts(step, 'pods', pod.name, () => this.#kill(pod, step.ms)); break;
      case 'pod restarted': this.#lasts(step, 'pods', pod.name, () => this.#restart(pod, step.ms)); break;
      case 'pod cut off': this.#lasts(step, `${pod.name} redis`, pod.name, () => during(step.ms, (on) => pod.toRedis.hold(on))); break;
      case 'pod refused': this.#lasts(step, `${pod.name} redis`, pod.name, () => during(step.ms, (on) => pod.toRedis.refuse(on))); break;
      case 'redis paused': this.#lasts(step, 'redis', 'redis', () => during(step.ms, (on) => this.world.redis.program.signal(on ? 'SIGSTOP' : 'SIGCONT'))); break;
      case 'redis killed': this.#lasts(step, 'redis', 'redis', () => this.#killRedis(step.ms)); break;
      case 'redis flushed': this.#lasts(step, 'redis', 'redis', () => this.world.asked.flushall()); break;
      case 'mongo paused': this.#lasts(step, 'mongo', 'mongo', () => during(step.ms, (on) => this.world.mongod.program.signal(on ? 'SIGSTOP' : 'SIGCONT'))); break;
      case 'mongo away': this.#lasts(step, 'mongo', 'mongo', () => during(step.ms, (on) => this.world.mongoProxy.refuse(on))); break;
      default: throw new Error(step.kind);
    }
  }

  // Claims the part, writes down beginning and end; what cannot begin because the part is busy does not happen.
  #lasts({ kind }, part, on, fn) {
    if (this.#busy.has(part)) return;
    this.#busy.add(part);
    const n = ++this.#n;
    this.history.add('fault', { what: kind, n, on, phase: 'begin' });
    const going = fn().catch((err) => this.history.add('problem', { what: kind, why: String(err.stack ?? err) })).finally(() => {
      this.history.add('fault', { what: kind, n, on, phase: 'end' });
      this.#busy.delete(part);
      this.#under.delete(going);
    });
    this.#under.add(going);
  }

  #outAndIn(step) {
    const who = this.members[step.n % this.members.length];
    this.#lasts(step, `${who.user} ${who.chat}`, who.user, async () => {
      await move(this.world, this.history, this.random, { op: 'remove', ...who });
      await sleep(step.ms);
      await move(this.world, this.history, this.random, { op: 'add', ...who });
    });
  }

  async #kill(pod, ms) {
    await this.world.killPod(pod);
    await sleep(ms);
    await this.world.startPod(pod);
  }

  async #restart(pod, ms) {
    await this.world.stopPod(pod);
    await sleep(ms);
    await this.world.startPod(pod);
  }

  async #killRedis(ms) {
    await this.world.killRedis();
    await sleep(ms);
    await this.world.restartRedis();
  }
}

async function during(ms, turn) {
  turn(true);
  try { await sleep(ms); } finally { turn(false); }
}

async function slow(seat, ms) {
  seat.slow(6_000);
  await sleep(ms);
  seat.slow(0);
}

async function anew(seat, ms) {
  seat.close();
  await sleep(ms);
  seat.open();
}
