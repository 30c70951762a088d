// The page to try Parley with: two users of one chat, each a client like any other.
import { Demo } from './api.js';
import { Pane } from './pane.js';

const patience = 3000; // ms between two tries to start

function say(text) {
  const notice = document.getElementById('notice');
  notice.textContent = text;
  notice.hidden = !text;
}

async function start() {
  if (!globalThis.io) return say(`The Socket.IO client did not load from ${new URL(document.getElementById('client').src).pathname}.`);
  const demo = new Demo();
  try {
    await demo.load();
  } catch (error) {
    say(`The two users of this page could not be loaded. ${error.message} Trying again…`);
    setTimeout(start, patience);
    return;
  }
  say('');
  const [first, second] = demo.users;
  const panes = [new Pane(demo, first, second, 0), new Pane(demo, second, first, 1)];
  document.getElementById('stage').append(...panes.map((pane) => pane.element));
  await Promise.all(panes.map((pane) => pane.start()));
}

start();
