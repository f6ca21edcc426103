const BRAND = Symbol.for('mitos.secret');

/**
 * A password, key or token that never shows itself: string conversion, JSON and `util.inspect` give `[secret]`.
 *
 * The value is copied into a buffer of its own. It crosses to another context as a `Secret`, as bytes outside of the message's text.
 * Call {@link Secret.dispose} to overwrite it when it is no longer needed.
 *
 * @example
 * ```ts
 * await web.sudo({ password: new Secret('hunter2') });
 * ```
 */
export class Secret {
  #bytes: Buffer | undefined;

  /** @param value Text or raw bytes; copied, so the caller may overwrite its bytes afterwards. Anything else is a `TypeError`. */
  constructor(value: string | Uint8Array) {
    if (typeof value !== 'string' && !(value instanceof Uint8Array))
      throw new TypeError('Cannot make a Secret: pass a string or a Uint8Array');
    this.#bytes = Buffer.from(value as Uint8Array);
  }

  /** Gives the value as text (UTF-8). Throws a `TypeError` after {@link Secret.dispose}. */
  reveal(): string {
    return this.bytes().toString();
  }

  /** @internal The live bytes, not a copy: they turn to zero on dispose. */
  bytes(): Buffer {
    if (!this.#bytes) throw new TypeError('Cannot reveal the secret: it was disposed');
    return this.#bytes;
  }

  /** Overwrites the value with zeros and forgets it. Safe to call again. */
  dispose(): void {
    if (this.#bytes) this.#bytes.fill(0);
    this.#bytes = undefined;
  }

  /** Always `[secret]`. */
  toString(): string {
    return '[secret]';
  }

  /** Always `[secret]`. */
  toJSON(): string {
    return '[secret]';
  }

  /** Tells whether `value` is a secret, whichever copy of the library made it. */
  static is(value: unknown): value is Secret {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

Object.defineProperty(Secret.prototype, BRAND, { value: true });
Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: Secret.prototype.toString });
