import { Ajv } from 'ajv';
import formats from 'ajv-formats';

export const about = { package: 'ajv', covers: 'validation; makes code with new Function; a plugin' };

export function run(): unknown {
  const ajv = new Ajv({ allErrors: true });
  formats.default(ajv);
  const check = ajv.compile({
    type: 'object',
    properties: {
      id: { type: 'integer', minimum: 1 },
      mail: { type: 'string', format: 'email' },
      tags: { type: 'array', uniqueItems: true },
    },
    required: ['id', 'mail'],
    additionalProperties: false,
  });
  const good = check({ id: 1, mail: 'a@example.org', tags: ['x'] });
  const bad = check({ id: 0, mail: 'nowhere', tags: ['x', 'x'], more: 1 });
  return { good, bad, errors: check.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`) };
}
