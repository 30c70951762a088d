// Where one user writes: text, files, and the news that they are typing.

const typingEvery = 2000; // ms between two "still typing"
const typingEnds = 3000; // ms without a key

export class Composer {
  #files = [];
  #lastTold = 0;
  #timer = 0;

  // send({ text, files }) and typing(isTyping) are the side's business.
  constructor(parts, { name, peer, send, typing }) {
    Object.assign(this, { parts, send, typing });
    const { text, attach, files, composer } = parts;
    text.placeholder = `Message ${peer}`;
    text.setAttribute('aria-label', `Message from ${name} to ${peer}`);
    attach.setAttribute('aria-label', `Attach a picture, ${name}`);
    attach.title = 'Attach a picture, video or recording';
    parts.send.setAttribute('aria-label', `Send as ${name}`);
    parts.attached.setAttribute('aria-label', 'Attached');

    composer.addEventListener('submit', (event) => { event.preventDefault(); this.#submit(); });
    text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener('input', () => { this.#grow(); this.#typed(); this.#ready(); });
    text.addEventListener('blur', () => this.#stopped());
    text.addEventListener('paste', (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.attach(event.clipboardData.files);
    });
    attach.addEventListener('click', () => files.click());
    files.addEventListener('change', () => { this.attach(files.files); files.value = ''; });
    this.#ready();
  }

  attach(list) {
    this.#say('');
    for (const file of list) {
      if (/^(image|video|audio)\//.test(file.type)) this.#files.push(file);
      else this.#say(`${file.name || 'That file'} is not a picture, a video or a recording.`);
    }
    this.#show();
    this.parts.text.focus();
  }

  #submit() {
    const text = this.parts.text.value.trim();
    if (!text && !this.#files.length) return;
    const problem = this.send({ text, files: this.#files });
    this.#say(problem ?? '');
    if (problem) return;
    this.parts.text.value = '';
    this.#files = [];
    this.#grow();
    this.#show();
    this.#stopped();
  }

  #say(problem) {
    this.parts.problem.textContent = problem;
    this.parts.problem.hidden = !problem;
  }

  #ready() {
    const empty = !this.parts.text.value.trim() && !this.#files.length;
    this.parts.send.setAttribute('aria-disabled', String(empty));
  }

  // For browsers without field-sizing.
  #grow() {
    const { text } = this.parts;
    if (CSS.supports('field-sizing', 'content')) return;
    text.style.height = 'auto';
    text.style.height = `${text.scrollHeight + 2}px`;
  }

  #show() {
    const { attached } = this.parts;
    for (const img of attached.querySelectorAll('img')) URL.revokeObjectURL(img.src);
    attached.replaceChildren(...this.#files.map((file) => this.#thumbnail(file)));
    attached.hidden = !this.#files.length;
    this.#ready();
  }

  #thumbnail(file) {
    const item = document.createElement('li');
    const picture = file.type.startsWith('image/');
    const show = document.createElement(picture ? 'img' : 'span');
    if (picture) Object.assign(show, { src: URL.createObjectURL(file), alt: file.name });
    else show.textContent = file.type.split('/')[0];
    const remove = document.createElement('button');
    remove.type = 'button';
    remove.textContent = '×';
    remove.setAttribute('aria-label', `Remove ${file.name}`);
    remove.addEventListener('click', () => {
      this.#files = this.#files.filter((other) => other !== file);
      this.#show();
      this.parts.text.focus();
    });
    item.append(show, remove);
    return item;
  }

  #typed() {
    if (!this.parts.text.value.trim()) return this.#stopped();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stopped(), typingEnds);
    if (Date.now() - this.#lastTold < typingEvery) return;
    this.#lastTold = Date.now();
    this.typing(true);
  }

  #stopped() {
    clearTimeout(this.#timer);
    if (!this.#lastTold) return;
    this.#lastTold = 0;
    this.typing(false);
  }
}
