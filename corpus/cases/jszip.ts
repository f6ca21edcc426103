import JSZip from 'jszip';

export const about = { package: 'jszip', covers: 'compression in JavaScript, streams' };

export async function run(): Promise<unknown> {
  const zip = new JSZip();
  zip.file('a.txt', 'text '.repeat(100), { date: new Date(0) });
  const bytes = await zip.generateAsync({ type: 'nodebuffer', compression: 'DEFLATE' });
  const back = await JSZip.loadAsync(bytes);
  return { size: bytes.length, names: Object.keys(back.files), text: (await back.file('a.txt')?.async('string'))?.length };
}
