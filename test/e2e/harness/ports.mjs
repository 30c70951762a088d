// Ports for programs that are told theirs, some time after it was found free or more than once. Those that the
// system hands out, to outgoing connections too, begin at 32768 on Linux; these lie below.
import { randomInt } from 'node:crypto';
import net from 'node:net';

const free = (port) => new Promise((resolve) => {
  const s = net.createServer().once('error', () => resolve(false));
  s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
});

export async function quietPort() {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (await free(port)) return port;
  }
}
