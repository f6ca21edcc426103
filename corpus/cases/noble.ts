import { ed25519 } from '@noble/curves/ed25519.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

export const about = { package: '@noble/hashes', covers: 'cryptography in JavaScript; subpaths of an exports map' };

export function run(): unknown {
  const message = utf8ToBytes('message');
  const secret = sha256(utf8ToBytes('seed'));
  const signature = ed25519.sign(message, secret);
  return [
    bytesToHex(blake3(message)),
    bytesToHex(hmac(sha256, message, secret)),
    bytesToHex(signature),
    ed25519.verify(signature, message, ed25519.getPublicKey(secret)),
  ];
}
