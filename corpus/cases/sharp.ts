import sharp from 'sharp';

export const about = {
  package: 'sharp',
  covers: 'native addon: refused by name, with advice',
  refused: 'ERR_MITOS_ADDON',
  asks: 'places where the addon may be are probed by computed names',
  requests: 3,
};

export async function run(): Promise<unknown> {
  const image = sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } });
  return (await image.png().toBuffer()).length;
}
