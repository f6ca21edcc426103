import { generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';

export const about = {
  package: 'ssh2',
  covers: 'optional native parts that are probed for; a server and client on loopback',
  asks: 'its optional native part (cpu-features) is installed but not built: the master could not load it',
  requests: 1,
};

export async function run(): Promise<unknown> {
  // Not its own generator: that of 1.17 makes an ed25519 key now and then which it cannot read itself.
  const { privateKey: key } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const server = new ssh2.Server({ hostKeys: [key] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (attempt) =>
      attempt.method === 'password' && attempt.password === 'p' ? attempt.accept() : attempt.reject(['password']),
    );
    client.on('ready', () =>
      client.on('session', (accept) =>
        accept().on('exec', (start, _reject, { command }) => {
          const stream = start();
          stream.end(`ran ${command}`);
          stream.exit(0);
        }),
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new ssh2.Client();
  try {
    await new Promise((resolve, reject) =>
      client
        .on('ready', resolve)
        .on('error', reject)
        .connect({ host: '127.0.0.1', port: server.address().port, username: 'u', password: 'p' }),
    );
    return await new Promise((resolve, reject) =>
      client.exec('ls', (error, stream) => {
        if (error) return reject(error);
        let text = '';
        stream.on('data', (chunk: Buffer) => (text += chunk)).on('close', () => resolve(text));
      }),
    );
  } finally {
    client.end();
    server.close();
  }
}
