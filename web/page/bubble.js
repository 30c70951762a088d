// One message on the screen.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
export const timeOf = (date) => clock.format(new Date(date));

const ticks = {
  one: '<svg viewBox="0 0 17 11" aria-hidden="true"><path d="m4.500 6 3 3 6-7"/></svg>',
  two: '<svg viewBox="0 0 17 11" aria-hidden="true"><path d="m1.500 6 3 3 6-7m-2.500 6 1 1 6-7"/></svg>',
};

// What the delivery line says, and how far along that is.
const states = {
  failed: { step: 0, text: 'Not sent', tick: '' },
  waiting: { step: 0, text: 'Waiting for a connection', tick: '' },
  sending: { step: 0, text: 'Sending…', tick: '' },
  retrying: { step: 0, text: 'Trying again…', tick: '' },
  sent: { step: 1, text: 'Sent', tick: ticks.one },
  delivered: { step: 2, text: 'Delivered', tick: ticks.two },
  read: { step: 3, text: 'Read', tick: ticks.two },
};

export class Bubble {
  id = '';
  state = '';

  // content is { text } or { type, url }; author is { name, mine }.
  constructor(author, content, createdAt) {
    this.mine = author.mine;
    this.createdAt = createdAt;
    this.element = document.createElement('div');
    this.element.className = author.mine ? 'msg mine' : 'msg';
    const said = document.createElement('span');
    said.className = 'hush';
    said.textContent = `${author.name}: `;
    this.body = document.createElement('div');
    this.body.className = 'bubble';
    if (content.url) this.#media(content, author);
    else this.body.textContent = content.text.replaceAll('\r\n', '\n'); // forms send line ends as CRLF
    this.meta = document.createElement('div');
    this.meta.className = 'meta';
    this.time = document.createElement('time');
    this.time.textContent = timeOf(createdAt);
    this.line = document.createElement('span');
    this.line.className = 'state';
    this.meta.append(this.time, this.line);
    this.element.append(said, this.body, this.meta);
  }

  // advance never goes back: receipts may arrive in any order.
  advance(state, note = '') {
    if (this.state && states[state].step < states[this.state].step) return;
    const { text, tick } = states[state];
    const says = note || text;
    if (state === this.state && says === this.line.textContent) return; // or a screen reader says it again
    this.state = state;
    this.element.dataset.state = state;
    this.element.classList.toggle('pending', ['sending', 'waiting', 'retrying'].includes(state));
    this.element.classList.toggle('failed', state === 'failed');
    this.line.innerHTML = tick; // a constant of this file
    this.line.append(says);
  }

  offerRetry(retry) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Try again';
    button.addEventListener('click', () => { button.remove(); retry(); });
    this.meta.append(button);
  }

  // named is called when the server has stored the message.
  named({ _id, createdAt, fileUrl }) {
    this.id = _id;
    this.element.dataset.id = _id;
    this.createdAt = createdAt;
    this.time.textContent = timeOf(createdAt);
    if (!fileUrl || !this.media) return;
    // The picture is already here; show the server's once it is loaded, too.
    const local = this.media.src;
    const swap = () => { this.media.src = fileSource(fileUrl); URL.revokeObjectURL(local); };
    if (this.media.localName !== 'img') return swap();
    const copy = new Image();
    copy.onload = swap;
    copy.src = fileSource(fileUrl);
  }

  #media({ type, url }, author) {
    this.body.classList.add('media');
    const what = { image: 'Picture', video: 'Video', audio: 'Recording' }[type] ?? 'File';
    const media = document.createElement({ video: 'video', audio: 'audio' }[type] ?? 'img');
    this.media = media;
    media.addEventListener('error', () => {
      const gone = document.createElement('span');
      gone.className = 'gone';
      gone.textContent = `${what} cannot be shown`;
      this.body.replaceChildren(gone);
    });
    if (media.localName !== 'img') {
      Object.assign(media, { controls: true, preload: 'metadata', src: url });
      media.setAttribute('aria-label', `${what} from ${author.name}`);
      this.body.append(media);
      return;
    }
    Object.assign(media, { alt: `Picture from ${author.name}`, src: url });
    const open = document.createElement('button');
    open.type = 'button';
    open.append(media);
    open.addEventListener('click', () => view(media));
    this.body.append(open);
  }
}

// fileSource keeps to the page's own origin: the server may know itself by
// another name than the one this page was reached by.
export function fileSource(fileUrl) {
  const url = new URL(fileUrl, location.href);
  return url.pathname.startsWith('/files/') ? url.pathname + url.search : url.href;
}

function view(picture) {
  const viewer = document.getElementById('viewer');
  const large = viewer.querySelector('img');
  Object.assign(large, { src: picture.src, alt: picture.alt });
  viewer.showModal();
}
