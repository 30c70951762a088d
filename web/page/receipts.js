// How far the messages of one user are known to have come. The server says it once and keeps no record, so the page
// does: for messages whose id it learns after their receipt, and over a reload, as long as its tab is open.

const steps = ['sent', 'delivered', 'read'];
const room = 500; // messages

export class Receipts {
  #states; // by message id, what was learnt last at the end
  #saving = false;

  // name is where in this tab's storage they are kept.
  constructor(name) {
    this.name = name;
    this.#states = stored(name);
  }

  // get is '' where nothing is known.
  get(id) { return this.#states.get(id) ?? ''; }

  // note never goes back: receipts may arrive in any order.
  note(id, state) {
    if (steps.indexOf(state) <= steps.indexOf(this.get(id))) return;
    this.#states.delete(id);
    this.#states.set(id, state);
    if (this.#states.size > room) this.#states.delete(this.#states.keys().next().value);
    this.#save();
  }

  // One message that is read may be a hundred: they are written once.
  #save() {
    if (this.#saving) return;
    this.#saving = true;
    queueMicrotask(() => {
      this.#saving = false;
      try {
        sessionStorage.setItem(this.name, JSON.stringify([...this.#states]));
      } catch { /* full, or forbidden: known until the reload, as without it */ }
    });
  }
}

// What is kept may be anybody's: another page's of this origin, or another version's.
function stored(name) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(name) ?? '[]');
    return new Map(kept.filter(([id, state]) => typeof id === 'string' && steps.includes(state)).slice(-room));
  } catch {
    return new Map();
  }
}
