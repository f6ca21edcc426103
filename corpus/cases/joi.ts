import Joi from 'joi';

export const about = { package: 'joi', covers: 'validation; require of its own package.json' };

export function run(): unknown {
  const schema = Joi.object({
    name: Joi.string().min(3).required(),
    age: Joi.number().integer(),
    when: Joi.date().iso(),
    at: Joi.string().uri(),
  });
  const good = schema.validate({ name: 'abc', age: '7', when: '2026-01-01T00:00:00Z', at: 'http://x.example' });
  const bad = schema.validate({ name: 'a', age: 1.5 }, { abortEarly: false });
  return { good: good.value, bad: bad.error?.details.map((one) => one.message), version: Joi.version };
}
