/**
 * Checks the Markdown files: relative links and their headings exist, README.md has at most 200 lines and leads to every page, and what is listed is what the code has: error
 * codes (and which of them nothing raises yet), handles of the protocol, limits, variables that a local child inherits.
 */
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
const reached = reachableFrom('README.md');
for (const page of pages)
  if (page.startsWith('docs/') && !reached.has(page)) problems.push(`No page that README.md leads to links to ${page}`);

checkErrors();
checkHandles();
checkLimits();
checkEnvironment();

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`Docs: ${pages.length} pages checked`);

/** A page and all that its links lead to. */
function reachableFrom(start) {
  const found = new Set([start]);
  for (const page of found) {
    for (const [, target] of (textOf(page) ?? '').matchAll(/\]\(([^)#\s]+\.md)(?:#[^)]*)?\)/g)) {
      const file = join(dirname(page), target);
      if (pages.includes(file)) found.add(file);
    }
  }
  return found;
}

/** docs/errors.md has a section for each code, which says "Not raised yet" exactly where nothing in src/ names the code. */
function checkErrors() {
  const page = textOf('docs/errors.md') ?? '';
  const union = /ERR_MITOS_\$\{([^}]*)\}/.exec(textOf('src/core/errors.ts') ?? '')?.[1] ?? '';
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, name]) => `ERR_MITOS_${name}`);
  if (codes.length === 0) problems.push('No error codes found in src/core/errors.ts');
  const layers = ['core', 'parent', 'methods', 'in-process', 'services', 'api', 'master'];
  const source = layers
    .flatMap((layer) => filesBelow(`src/${layer}`, (name) => name.endsWith('.ts')))
    .map((file) => withoutComments(textOf(file)));
  const sections = new Map(
    page
      .split(/^### /m)
      .slice(1)
      .map((section) => [section.split('\n', 1)[0].trim(), section]),
  );
  for (const code of codes) {
    const section = sections.get(code);
    if (section === undefined) {
      problems.push(`docs/errors.md does not describe ${code}`);
      continue;
    }
    const isRaised = source.some((text) => text.includes(`'${code}'`));
    // "Not raised yet: no method …" is for what is written and cannot be reached.
    if (isRaised === /Not raised yet(?!: no method)/.test(section)) {
      problems.push(`docs/errors.md says that ${code} is ${isRaised ? 'not raised yet, but it is' : 'raised, but nothing raises it'}`);
    }
  }
  for (const code of sections.keys()) if (!codes.includes(code)) problems.push(`docs/errors.md describes ${code}, which does not exist`);
  for (const file of pages) {
    for (const [code] of textOf(file).matchAll(/ERR_MITOS_[A-Z]+(?:_[A-Z]+)*/g)) {
      if (!codes.includes(code)) problems.push(`${file} names ${code}, which does not exist`);
    }
  }
}

/** docs/protocol.md has a row for each handle, with its number. */
function checkHandles() {
  const page = textOf('docs/protocol.md') ?? '';
  for (const [, name, number] of (textOf('src/core/handles.ts') ?? '').matchAll(/^export const ([A-Z_]+) = (\w+);/gm)) {
    if (name.startsWith('FIRST_')) continue;
    if (!new RegExp(`^\\| ${name} \\| ${number} \\|`, 'm').test(page))
      problems.push(`docs/protocol.md has no row "| ${name} | ${number} |"`);
  }
}

/** docs/api/router.md has a row for each limit, with its default. */
function checkLimits() {
  const page = textOf('docs/api/router.md') ?? '';
  const defaults = /DEFAULT_LIMITS[^{]*\{([^}]*)\}/.exec(textOf('src/core/limits.ts') ?? '')?.[1] ?? '';
  for (const [, name, value] of defaults.matchAll(/(\w+): ([\w.]+)/g)) {
    if (!page.includes(`| \`${name}\` | ${Number(value)} |`))
      problems.push(`docs/api/router.md has no row "| \`${name}\` | ${Number(value)} |"`);
  }
}

/** docs/security.md names each variable that a local child inherits. */
function checkEnvironment() {
  const page = textOf('docs/security.md') ?? '';
  const pattern = /\^\(([^)]*(?:\)[^)]*)*)\)\$\//.exec(textOf('src/parent/environment.ts') ?? '')?.[1] ?? '';
  for (const name of pattern.split('|')) {
    const shown = name.replace('HTTPS?', 'HTTPS').replace('\\w+', '*');
    if (/^[a-z]/.test(shown)) continue; // the same in small letters
    if (!page.includes(`\`${shown}\``)) problems.push(`docs/security.md does not name the variable ${shown}`);
  }
}

function withoutComments(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}

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
