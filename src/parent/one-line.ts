/** Gives back a secret that is typed on a line of its own: what came behind a line break would reach something else. */
export function oneLine(what: string, secret: Buffer | undefined): Buffer | undefined {
  if (secret && /[\0\r\n]/.test(secret.toString('latin1'))) throw new TypeError(`${what} has to be one line`);
  return secret;
}
