// Engine.IO over a bare WebSocket, for frames that no client library sends.
import { WebSocket } from 'ws';
import { waitFor } from './wait.mjs';

export async function rawSocket(pod, { answerPings = true, EIO = 4, query = '' } = {}) {
  const ws = new WebSocket(`${pod.url.replace('http', 'ws')}/socket.io/?EIO=${EIO}&transport=websocket${query}`);
  const s = {
    ws, received: [], closed: undefined, open: undefined,
    send: (data) => { if (ws.readyState === WebSocket.OPEN) ws.send(data); },
    close: () => ws.close(),
    terminate: () => ws.terminate(),
    next: (match, ms = 5_000) => waitFor(() => {
      const i = s.received.findIndex(match);
      return i >= 0 && s.received.splice(i, 1)[0];
    }, ms, () => `a frame; has ${JSON.stringify(s.received)}, closed ${JSON.stringify(s.closed)}`),
  };
  ws.on('message', (data) => {
    const text = data.toString();
    if (text === '2' && answerPings) ws.send('3');
    else s.received.push(text);
  });
  ws.on('close', (code) => { s.closed = { code }; });
  ws.on('error', (err) => { s.error = err; });
  s.open = JSON.parse((await s.next((p) => p.startsWith('0'))).slice(1));
  return s;
}
