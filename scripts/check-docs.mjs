/** Checks the Markdown files: relative links and their headings exist, README.md has at most 200 lines, docs/errors.md lists every error code. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { at, filesBelow, textOf } from './lib/project.mjs';

const README_MAX_LINES = 200;
const problems = [];

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...filesBelow('docs', (name) => name.endsWith('.md'))].filter(
  (file) => textOf(file) !== undefined,
);
for (const page of pages) checkLinks(page);

const readmeLines = (textOf('README.md') ?? '').split('\n').length - 1;
if (readmeLines > README_MAX_LINES) problems.push(`README.md has ${readmeLines} lines, at most ${README_MAX_LINES} are wanted`);

const errorsPage = textOf('docs/errors.md');
const errorsSource = textOf('src/core/errors.ts');
if (errorsPage !== undefined && errorsSource !== undefined) {
  const union = /ERR_MITOS_\$\{([^}]*)\}/.exec(errorsSource)?.[1] ?? '';
  for (const [, name] of union.matchAll(/'([A-Z_]+)'/g)) {
    if (!errorsPage.includes(`ERR_MITOS_${name}`)) problems.push(`docs/errors.md does not describe ERR_MITOS_${name}`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`Docs: ${pages.length} pages checked`);

function checkLinks(page) {
  const text = withoutCode(textOf(page));
  for (const [, target] of text.matchAll(/\]\(([^()\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path, anchor] = target.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    if (!existsSync(at(file))) problems.push(`${page} links to ${target}, which does not exist`);
    else if (anchor && file.endsWith('.md') && !headingsOf(file).has(anchor))
      problems.push(`${page} links to ${target}, which has no such heading`);
  }
}

/** Heading ids as GitHub makes them. */
function headingsOf(file) {
  const ids = new Set();
  for (const [, heading] of withoutCode(textOf(file), false).matchAll(/^#{1,6} +(.+)$/gm)) {
    const id = heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let unique = id;
    for (let n = 1; ids.has(unique); n++) unique = `${id}-${n}`;
    ids.add(unique);
  }
  return ids;
}

function withoutCode(text, inlineToo = true) {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '');
  return inlineToo ? prose.replace(/`[^`\n]*`/g, '') : prose;
}
