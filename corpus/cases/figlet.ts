import figlet from 'figlet';

export const about = {
  package: 'figlet',
  covers: 'reads its own files (fonts beside the module)',
  asks: 'files are read on demand',
  requests: 2,
};

export async function run(): Promise<unknown> {
  return { sync: figlet.textSync('mitos', { font: 'Small' }), async: await figlet.text('ok', { font: 'Slant' }) };
}
