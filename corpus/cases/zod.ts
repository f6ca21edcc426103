import { z } from 'zod';

export const about = { package: 'zod', covers: 'validation; namespaces exported again (export * as), locales' };

export function run(): unknown {
  const schema = z.object({
    id: z.coerce.number().int().positive(),
    mail: z.email(),
    kind: z.discriminatedUnion('t', [z.object({ t: z.literal('a'), n: z.number() }), z.object({ t: z.literal('b') })]),
  });
  const good = schema.parse({ id: '7', mail: 'a@example.org', kind: { t: 'a', n: 1 } });
  const bad = schema.safeParse({ id: -1, mail: 'x', kind: { t: 'c' } });
  return {
    good,
    issues: bad.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
    json: z.toJSONSchema(z.string().min(1)),
  };
}
